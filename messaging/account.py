"""The messaging corner of the account page: numbers only."""

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from messaging.models import Block, Message, MessageReport, Participant
from messaging.services.trust import risk_level, tier_of
from systemadmin.foundation.plugins import AccountPanel
from systemadmin.models import User


def summary(user: User) -> list[tuple[Any, Any, str | None]]:
    """Return how much the member writes, and what others say about it."""
    now = timezone.now()
    reports = reverse("admin:messaging_messagereport_changelist")
    against = MessageReport.objects.filter(reported=user)
    return [
        (
            _("Messages sent, 30 days"),
            Message.objects.filter(sender=user, created_at__gt=now - timedelta(days=30)).count(),
            None,
        ),
        (_("Conversations"), Participant.objects.filter(user=user).count(), None),
        (_("Sending quota"), str(tier_of(user, now, risk_level(user.pk))), None),
        (
            _("Reports against: open / upheld"),
            f"{against.filter(status='open').count()} / {against.filter(status='upheld').count()}",
            f"{reports}?reported__id__exact={user.pk}",
        ),
        (
            _("Blocked by / blocks"),
            " / ".join(
                str(Block.objects.filter(condition).count())
                for condition in (Q(blocked=user), Q(blocker=user))
            ),
            None,
        ),
    ]


PANELS = [
    AccountPanel(
        title=gettext_lazy("Messages"),
        order=40,
        permission="messaging.view_messagereport",
        summary=summary,
    )
]
