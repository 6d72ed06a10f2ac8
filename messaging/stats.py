"""Figures of the messaging desk."""

from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from messaging.models import Message, MessageKind, MessageReport
from systemadmin.foundation.plugins import Stat
from systemadmin.foundation.series import between, per_bucket


def _by_members() -> Any:
    return Message.objects.filter(kind=MessageKind.MEMBER)


def _sent(start: datetime, end: datetime) -> Any:
    return between(_by_members(), "created_at", start, end)


def messages_sent(start: datetime, end: datetime) -> int:
    """Return messages that members sent."""
    return _sent(start, end).count()


def messages_sent_series(
    start: datetime, end: datetime, granularity: str, tz: tzinfo
) -> list[tuple[datetime, int]]:
    """Return messages that members sent, per bucket."""
    return per_bucket(_by_members(), "created_at", start, end, granularity, tz)


def active_writers(start: datetime, end: datetime) -> int:
    """Return members who sent at least one message."""
    return _sent(start, end).aggregate(count=Count("sender", distinct=True))["count"]


def messages_reported(start: datetime, end: datetime) -> int:
    """Return the number of reports that members made."""
    return MessageReport.objects.filter(created_at__gte=start, created_at__lt=end).count()


STATS = [
    Stat(
        code="messages_sent",
        title=_("Messages sent"),
        section="overview",
        compute=messages_sent,
        series=messages_sent_series,
    ),
    Stat(
        code="message_writers",
        title=_("Members who wrote messages"),
        section="users",
        compute=active_writers,
    ),
    Stat(
        code="messages_reported",
        title=_("Messages reported"),
        section="overview",
        compute=messages_reported,
    ),
]
