"""Figures of the desk over a period: volume, speed, promises broken, backlog, verdicts."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from django.db import connection
from django.db.models import Aggregate, Avg, Count, FloatField, Q, QuerySet
from django.utils import timezone

from support import lifecycle
from support.models import SlaBreach, Ticket, TicketEvent, TicketRating
from systemadmin.foundation.series import per_bucket

AGES = ((1, "< 1"), (3, "1-3"), (7, "3-7"), (14, "7-14"), (30, "14-30"), (None, "> 30"))


class Percentile(Aggregate):
    """The value below which a share of the rows lies, interpolated (PostgreSQL)."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def __init__(self, expression: str, share: float, **extra: Any) -> None:
        super().__init__(expression, share=share, **extra)


@dataclass
class Speed:
    """How many, and how fast, in working seconds."""

    count: int = 0
    first_response_median: float | None = None
    first_response_p90: float | None = None
    resolution_median: float | None = None
    resolution_p90: float | None = None


@dataclass
class Row:
    """The figures of one agent or category."""

    name: str
    speed: Speed
    breaches: int = 0
    rating: float | None = None


@dataclass
class Report:
    """Everything the report page and its CSV show."""

    start: datetime
    end: datetime
    opened: int = 0
    resolved: int = 0
    answers: int = 0
    backlog: int = 0
    overdue: int = 0
    speed: Speed = field(default_factory=Speed)
    breaches: dict[str, int] = field(default_factory=dict)
    rating_average: float | None = None
    rating_count: int = 0
    opened_by_day: list[tuple[date, int]] = field(default_factory=list)
    resolved_by_day: list[tuple[date, int]] = field(default_factory=list)
    backlog_ages: list[tuple[str, int]] = field(default_factory=list)
    agents: list[Row] = field(default_factory=list)
    categories: list[Row] = field(default_factory=list)


def build_report(viewer: Any, start: datetime, end: datetime, zone: tzinfo = UTC) -> Report:
    """Return the figures of tickets opened, answered and resolved between two moments.

    Of tickets whose category and mailbox the viewer reads. Days are those of the zone.
    """
    seen = Ticket.objects.open_to(viewer)
    opened = seen.filter(created_at__gte=start, created_at__lt=end, merged_into__isnull=True)
    resolved = seen.filter(resolved_at__gte=start, resolved_at__lt=end, merged_into__isnull=True)
    ratings = TicketRating.objects.filter(ticket__in=seen, rated_at__gte=start, rated_at__lt=end)
    verdict = ratings.aggregate(average=Avg("score"), count=Count("pk"))
    missed = SlaBreach.objects.filter(ticket__in=seen, due_at__gte=start, due_at__lt=end)
    return Report(
        start=start,
        end=end,
        opened=opened.count(),
        resolved=resolved.count(),
        answers=TicketEvent.objects.filter(
            ticket__in=seen, kind=TicketEvent.Kind.STAFF_REPLY, at__gte=start, at__lt=end
        ).count(),
        backlog=seen.open().count(),
        overdue=seen.overdue().count(),
        speed=speeds(opened, []).get((), Speed()),
        breaches=dict(missed.order_by().values_list("clock").annotate(n=Count("pk"))),
        rating_average=verdict["average"],
        rating_count=verdict["count"],
        opened_by_day=_by_day(opened, "created_at", start, end, zone),
        resolved_by_day=_by_day(resolved, "resolved_at", start, end, zone),
        backlog_ages=backlog_ages(timezone.now(), seen),
        agents=_rows(opened, missed, ratings, "assignee__username", "assignee__username"),
        categories=_rows(opened, missed, ratings, "category__name", "ticket__category__name"),
    )


def _rows(
    opened: QuerySet, missed: QuerySet, ratings: QuerySet, key: str, related: str
) -> list[Row]:
    breaches = dict(missed.order_by().values_list(related).annotate(n=Count("pk")))
    verdicts = dict(ratings.order_by().values_list(related).annotate(n=Avg("score")))
    rows = [
        Row(name or "", speed, breaches.get(name, 0), verdicts.get(name))
        for (name,), speed in speeds(opened, [key]).items()
    ]
    return sorted(rows, key=lambda row: (-row.speed.count, row.name))


def speeds(tickets: QuerySet, keys: list[str]) -> dict[tuple, Speed]:
    """Return median and ninth decile of the two times, by the values of `keys`."""
    if connection.vendor == "postgresql":
        figures = tickets.order_by().values(*keys).annotate(**_percentiles()) if keys else None
        rows = figures if figures is not None else [tickets.aggregate(**_percentiles())]
        return {tuple(row[k] for k in keys): _speed(row) for row in rows}
    gathered: dict[tuple, list[tuple]] = {}
    columns = (*keys, "first_response_seconds", "resolution_seconds")
    for values in tickets.order_by().values_list(*columns):
        gathered.setdefault(values[: len(keys)], []).append(values[len(keys) :])
    return {key: _plain_speed(times) for key, times in gathered.items()}


def _percentiles() -> dict[str, Any]:
    return {
        "count": Count("pk"),
        "first_response_median": Percentile("first_response_seconds", 0.5),
        "first_response_p90": Percentile("first_response_seconds", 0.9),
        "resolution_median": Percentile("resolution_seconds", 0.5),
        "resolution_p90": Percentile("resolution_seconds", 0.9),
    }


def _speed(row: dict[str, Any]) -> Speed:
    return Speed(**{name: row[name] for name in Speed.__dataclass_fields__})


def _plain_speed(times: list[tuple]) -> Speed:
    first = sorted(t for t, _r in times if t is not None)
    last = sorted(r for _t, r in times if r is not None)
    return Speed(
        len(times),
        percentile(first, 0.5),
        percentile(first, 0.9),
        percentile(last, 0.5),
        percentile(last, 0.9),
    )


def percentile(ordered: list[int], share: float) -> float | None:
    """Return the same interpolation as PostgreSQL's PERCENTILE_CONT."""
    if not ordered:
        return None
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _by_day(
    tickets: QuerySet, moment: str, start: datetime, end: datetime, zone: tzinfo
) -> list[tuple[date, int]]:
    """Count by calendar days of a zone: one on which the clock changes has 23 or 25 hours."""
    return [(day.date(), n) for day, n in per_bucket(tickets, moment, start, end, "day", zone)]


def backlog_ages(now: datetime, tickets: Any) -> list[tuple[str, int]]:
    """Return how many open tickets are how many days old."""
    bounds: dict[str, Any] = {}
    younger = None
    for index, (days, _label) in enumerate(AGES):
        condition = Q()
        if younger is not None:
            condition &= Q(created_at__lte=now - timedelta(days=younger))
        if days is not None:
            condition &= Q(created_at__gt=now - timedelta(days=days))
        bounds[f"age{index}"] = Count("pk", filter=condition) if condition else Count("pk")
        younger = days
    found = tickets.filter(status__in=lifecycle.OPEN_STATUSES).aggregate(**bounds)
    return [(label, found[f"age{index}"]) for index, (_days, label) in enumerate(AGES)]
