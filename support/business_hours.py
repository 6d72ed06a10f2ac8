"""Working time: which instants count, how many lie between two moments, when a span is used up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from systemadmin.foundation.parsing import parse_day, parse_time_of_day

MINUTES_A_DAY = 24 * 60
# A calendar that is open one hour a year still answers; an empty one must not loop for ever.
HORIZON_DAYS = 366 * 20
ZERO = timedelta(0)

Span = tuple[datetime, datetime]


@dataclass(frozen=True, order=True)
class Window:
    """Open from one minute of a weekday (Monday is 0) up to, not including, another."""

    weekday: int
    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.weekday <= 6:
            raise ValueError("weekday must be 0 (Monday) to 6 (Sunday)")
        if not 0 <= self.start < self.end <= MINUTES_A_DAY:
            raise ValueError("a window starts before it ends, within one day")


@dataclass(frozen=True)
class BusinessHours:
    """A weekly timetable in a time zone with whole days off; no windows means always open."""

    timezone: str = "UTC"
    windows: tuple[Window, ...] = ()
    holidays: frozenset[date] = frozenset()
    zone: ZoneInfo = field(init=False, repr=False, compare=False)
    by_weekday: tuple[tuple[tuple[int, int], ...], ...] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "zone", ZoneInfo(self.timezone))
        days = tuple(
            _merged((w.start, w.end) for w in self.windows if w.weekday == day) for day in range(7)
        )
        object.__setattr__(self, "by_weekday", days)

    @property
    def always_open(self) -> bool:
        return not self.windows and not self.holidays

    def spans(self, start: datetime, end: datetime) -> Iterator[Span]:
        """Open spans between two moments, in order and without overlap, in UTC."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if self.always_open:
            if start < end:
                yield start, end
            return
        day = start.astimezone(self.zone).date() - timedelta(days=1)
        # The local day may end after `end` in UTC, hence one day more on either side.
        last = end.astimezone(self.zone).date() + timedelta(days=1)
        reached = start
        while day <= last:
            for opens, closes in self._day(day):
                # Around a clock change two windows of one day can overlap in real time.
                opens, closes = max(opens, reached), min(closes, end)
                if opens < closes:
                    yield opens, closes
                    reached = closes
            day += timedelta(days=1)

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Return working time between two moments; nothing when the second is not later."""
        return sum((closes - opens for opens, closes in self.spans(start, end)), ZERO)

    def due(self, start: datetime, amount: timedelta) -> datetime | None:
        """Return the first moment by which `amount` of working time has passed since `start`."""
        start = start.astimezone(UTC)
        if amount <= ZERO:
            return start
        if self.always_open:
            return start + amount
        left = amount
        for opens, closes in self.spans(start, start + timedelta(days=HORIZON_DAYS)):
            if closes - opens >= left:
                return opens + left
            left -= closes - opens
        return None

    def _day(self, day: date) -> tuple[Span, ...]:
        if day in self.holidays:
            return ()
        windows = self.by_weekday[day.weekday()] if self.windows else ((0, MINUTES_A_DAY),)
        return tuple(_span(self.timezone, day, opens, closes) for opens, closes in windows)


def _merged(windows: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


@lru_cache(maxsize=20_000)
def _span(timezone: str, day: date, opens: int, closes: int) -> Span:
    zone = ZoneInfo(timezone)
    # An hour that happens twice counts twice: open at its first pass, closed after its second.
    return _instant(zone, day, opens, fold=0), _instant(zone, day, closes, fold=1)


def _instant(zone: ZoneInfo, day: date, minute: int, *, fold: int) -> datetime:
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    return _clock_change(zone, wall)


def _clock_change(zone: ZoneInfo, wall: datetime) -> datetime:
    """Return the moment the clocks jump over a wall time that does not exist."""
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def format_minutes(total: int) -> str:
    """ "HH:MM" of minutes since midnight."""
    return f"{total // 60:02d}:{total % 60:02d}"


def hours_from_json(data: dict[str, Any]) -> BusinessHours:
    """Return business hours from their stored form: time zone, windows by weekday, holidays."""
    windows = tuple(
        Window(int(day), parse_time_of_day(opens), parse_time_of_day(closes))
        for day, spans in sorted(data.get("windows", {}).items())
        for opens, closes in spans
    )
    holidays = frozenset(parse_day(day) for day in data.get("holidays", ()))
    return BusinessHours(data.get("timezone") or "UTC", windows, holidays)
