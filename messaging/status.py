"""How the messaging desk is doing."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from messaging.models import Broadcast, BroadcastStatus, Mailbox, MessageReport
from messaging.services.wake import wake_method
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.plugins import Metric, StatusCheck

_LATE = timedelta(minutes=15)


def check() -> dict[str, Any]:
    """Warn when broadcasts stand still or notices pile up, or when messages never go."""
    now = timezone.now()
    stalled = Broadcast.objects.filter(
        status=BroadcastStatus.SENDING, progress_at__lt=now - _LATE
    ).count()
    overdue = Broadcast.objects.filter(
        status=BroadcastStatus.SCHEDULED, scheduled_at__lt=now - _LATE
    ).count()
    late = overdue_notices()
    is_endless = not setting("messaging.retention_days")
    return {
        "status": "warning" if stalled or overdue or late or is_endless else "ok",
        "kept_for_ever": is_endless,
        "stalled_broadcasts": stalled,
        "overdue_broadcasts": overdue,
        "late_notices": int(late),
        "open_reports": int(open_reports()),
        "streams_woken_by": wake_method(),
    }


def open_reports() -> float:
    """Return the number of reports that wait for the team."""
    return float(MessageReport.objects.open().count())


def overdue_notices() -> float:
    """Return unread notices that should have gone out a while ago."""
    return float(Mailbox.objects.filter(notice_due_at__lt=timezone.now() - _LATE).count())


CHECKS = [StatusCheck(name="messaging", run=check)]
METRICS = [
    Metric(
        name="messaging_open_reports",
        help=gettext_noop("Reported messages that wait for the team"),
        read=open_reports,
    ),
    Metric(
        name="messaging_overdue_notices",
        help=gettext_noop("Unread notices that should have gone out a while ago"),
        read=overdue_notices,
    ),
]

# How the status page names what the checks tell, by key.
WORDS = [
    ("messaging", _("Messages")),
    ("kept_for_ever", _("Kept for ever (messaging.retention_days is 0)")),
    ("stalled_broadcasts", _("Broadcasts that stopped half way")),
    ("overdue_broadcasts", _("Broadcasts past their time")),
    ("late_notices", _("Notices past their time")),
    ("open_reports", _("Reported messages to judge")),
    ("streams_woken_by", _("How streams are woken")),
]
