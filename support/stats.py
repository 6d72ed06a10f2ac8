"""Figures of the desk for the overview."""

from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Avg, Count
from django.db.models.functions import Trunc
from django.utils.translation import gettext_lazy as _

from support.models import SlaBreach, Ticket, TicketRating
from systemadmin.foundation.sockets import Stat


def _opened(start: datetime, end: datetime) -> Any:
    return Ticket.objects.filter(created_at__gte=start, created_at__lt=end)


def _resolved(start: datetime, end: datetime) -> Any:
    return Ticket.objects.filter(resolved_at__gte=start, resolved_at__lt=end)


def _series(tickets: Any, moment: str, granularity: str, tz: tzinfo) -> list[tuple[datetime, int]]:
    return list(
        tickets.order_by()
        .annotate(bucket=Trunc(moment, granularity, tzinfo=tz))
        .values_list("bucket")
        .annotate(count=Count("pk"))
        .order_by("bucket")
    )


def tickets_opened(start: datetime, end: datetime) -> int:
    """Tickets that were opened."""
    return _opened(start, end).count()


def tickets_opened_series(
    start: datetime, end: datetime, granularity: str, tz: tzinfo
) -> list[tuple[datetime, int]]:
    """Tickets that were opened, per bucket."""
    return _series(_opened(start, end), "created_at", granularity, tz)


def tickets_resolved(start: datetime, end: datetime) -> int:
    """Tickets that were resolved and stayed so."""
    return _resolved(start, end).count()


def tickets_resolved_series(
    start: datetime, end: datetime, granularity: str, tz: tzinfo
) -> list[tuple[datetime, int]]:
    """Tickets that were resolved, per bucket."""
    return _series(_resolved(start, end), "resolved_at", granularity, tz)


def targets_missed(start: datetime, end: datetime) -> int:
    """Service targets missed."""
    return SlaBreach.objects.filter(due_at__gte=start, due_at__lt=end).count()


def satisfaction(start: datetime, end: datetime) -> float:
    """Share of the best possible rating, in percent."""
    rated = TicketRating.objects.filter(rated_at__gte=start, rated_at__lt=end)
    average = rated.aggregate(average=Avg("score"))["average"]
    return round(float(average or 0) * 20, 1)


def askers(start: datetime, end: datetime) -> int:
    """Members who opened at least one ticket."""
    return _opened(start, end).aggregate(count=Count("requester", distinct=True))["count"]


STATS = [
    Stat(
        code="tickets_opened",
        title=_("Tickets opened"),
        section="overview",
        compute=tickets_opened,
        series=tickets_opened_series,
    ),
    Stat(
        code="tickets_resolved",
        title=_("Tickets resolved"),
        section="overview",
        compute=tickets_resolved,
        series=tickets_resolved_series,
    ),
    Stat(
        code="ticket_targets_missed",
        title=_("Service targets missed"),
        section="overview",
        compute=targets_missed,
    ),
    Stat(
        code="ticket_satisfaction",
        title=_("Satisfaction with support"),
        section="overview",
        compute=satisfaction,
        unit="percent",
    ),
    Stat(
        code="ticket_askers",
        title=_("Members who opened tickets"),
        section="users",
        compute=askers,
    ),
]
