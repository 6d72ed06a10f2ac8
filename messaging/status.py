"""How the messaging desk is doing."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from messaging.models import Broadcast, BroadcastStatus, Mailbox, MessageReport
from messaging.services.wake import wake_method
from systemadmin.foundation.plugins import Metric, StatusCheck

_LATE = timedelta(minutes=15)


def check() -> dict[str, Any]:
    """Warn when broadcasts stand still or notices pile up: then no worker runs."""
    now = timezone.now()
    stalled = Broadcast.objects.filter(
        status=BroadcastStatus.SENDING, progress_at__lt=now - _LATE
    ).count()
    overdue = Broadcast.objects.filter(
        status=BroadcastStatus.SCHEDULED, scheduled_at__lt=now - _LATE
    ).count()
    late = overdue_notices()
    return {
        "status": "warning" if stalled or overdue or late else "ok",
        "stalled_broadcasts": stalled,
        "overdue_broadcasts": overdue,
        "late_notices": int(late),
        "open_reports": int(open_reports()),
        "streams_woken_by": wake_method(),
    }


def open_reports() -> float:
    """Reports that wait for the team."""
    return float(MessageReport.objects.open().count())


def overdue_notices() -> float:
    """Unread notices that should have gone out a while ago."""
    return float(Mailbox.objects.filter(notice_due_at__lt=timezone.now() - _LATE).count())


CHECKS = [StatusCheck(name="messaging", run=check)]
METRICS = [
    Metric(
        name="messaging_open_reports",
        help="Reported messages that wait for the team.",
        read=open_reports,
    ),
    Metric(
        name="messaging_overdue_notices",
        help="Unread notices that should have gone out a while ago.",
        read=overdue_notices,
    ),
]
