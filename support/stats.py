"""Figures of the desk for the overview, without tickets that only named readers see."""

from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Avg, Count
from django.utils.translation import gettext_lazy as _

from support.models import SlaBreach, Ticket, TicketRating
from systemadmin.foundation.plugins import Stat
from systemadmin.foundation.series import between, per_bucket


def _opened(start: datetime, end: datetime) -> Any:
    return between(Ticket.objects.open_to(None), "created_at", start, end)


def _resolved(start: datetime, end: datetime) -> Any:
    return between(Ticket.objects.open_to(None), "resolved_at", start, end)


def tickets_opened(start: datetime, end: datetime) -> int:
    """Return tickets that were opened."""
    return _opened(start, end).count()


def tickets_opened_series(
    start: datetime, end: datetime, granularity: str, tz: tzinfo
) -> list[tuple[datetime, int]]:
    """Return tickets that were opened, per bucket."""
    return per_bucket(Ticket.objects.open_to(None), "created_at", start, end, granularity, tz)


def tickets_resolved(start: datetime, end: datetime) -> int:
    """Return tickets that were resolved and stayed so."""
    return _resolved(start, end).count()


def tickets_resolved_series(
    start: datetime, end: datetime, granularity: str, tz: tzinfo
) -> list[tuple[datetime, int]]:
    """Return tickets that were resolved, per bucket."""
    return per_bucket(Ticket.objects.open_to(None), "resolved_at", start, end, granularity, tz)


def tickets_by_status(start: datetime, end: datetime) -> dict[str, int]:
    """Return tickets opened in the time, by where they stand now."""
    rows = _opened(start, end).order_by().values_list("status").annotate(count=Count("pk"))
    return dict(rows.order_by("status"))


def targets_missed(start: datetime, end: datetime) -> int:
    """Service targets missed."""
    return SlaBreach.objects.filter(
        ticket__in=Ticket.objects.open_to(None), due_at__gte=start, due_at__lt=end
    ).count()


def satisfaction(start: datetime, end: datetime) -> float:
    """Share of the best possible rating, in percent."""
    rated = TicketRating.objects.filter(
        ticket__in=Ticket.objects.open_to(None), rated_at__gte=start, rated_at__lt=end
    )
    average = rated.aggregate(average=Avg("score"))["average"]
    return round(float(average or 0) * 20, 1)


def requesters(start: datetime, end: datetime) -> int:
    """Return members who opened at least one ticket."""
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
        code="tickets_by_status",
        title=_("Tickets by status"),
        section="overview",
        compute=tickets_by_status,
        unit="breakdown",
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
        compute=requesters,
    ),
]
