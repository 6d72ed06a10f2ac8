"""The moment that services write (the demo puts it into the past), and the place's days."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.utils import timezone

from systemadmin.foundation.configuration import setting

_moment: ContextVar[datetime | None] = ContextVar("marketplace_moment", default=None)


def now() -> datetime:
    """Return now, or the moment that the demo story has reached."""
    return _moment.get() or timezone.now()


@contextmanager
def frozen_at(moment: datetime) -> Iterator[None]:
    """Let services write this moment."""
    token = _moment.set(moment)
    try:
        yield
    finally:
        _moment.reset(token)


def place_zone() -> ZoneInfo:
    """Return the time zone in which the place's days and months begin."""
    return ZoneInfo(setting("marketplace.time_zone"))


def today() -> date:
    """Return the day it is at the place."""
    return now().astimezone(place_zone()).date()


def day_start(day: date) -> datetime:
    """Return the moment at which a day begins at the place."""
    return datetime.combine(day, time(), place_zone())


def month_of(moment: datetime) -> date:
    """Return the first day of the month in which a moment lies at the place."""
    return moment.astimezone(place_zone()).date().replace(day=1)


def next_month(month: date) -> date:
    """Return the first day of the month after one."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1, day=1)
