"""Figures of the desks, against the period before; one failing never hides the rest."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language

from systemadmin.foundation.plugins import Stat, collect

logger = logging.getLogger("atalaya.stats")
CACHE_SECONDS = 30
_cache: dict[tuple[Any, ...], tuple[float, dict[str, Any]]] = {}


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked: [start, end) in buckets of a time zone."""

    start: datetime
    end: datetime
    granularity: str
    tz: tzinfo

    @property
    def before(self) -> "Span":
        """The span of the same length just before."""
        length = self.end - self.start
        return Span(self.start - length, self.start, self.granularity, self.tz)


def statistics(section: str, span: Span) -> dict[str, Any]:
    """Return the section's figures; cached briefly, with the age shown."""
    key = (section, span.start, span.end, span.granularity, str(span.tz), get_language())
    kept = _cache.get(key)
    now = time.monotonic()
    if kept and now - kept[0] < CACHE_SECONDS:
        return {**kept[1], "age_seconds": round(now - kept[0], 1)}
    answer = _measure(section, span)
    if len(_cache) > 200:
        _cache.clear()
    _cache[key] = (now, answer)
    return {**answer, "age_seconds": 0.0}


def forget_statistics() -> None:
    """Measure anew at the next call."""
    _cache.clear()


def _measure(section: str, span: Span) -> dict[str, Any]:
    figures = [stat for stat in collect("stats", "STATS") if stat.section == section]
    return {
        "section": section,
        "from": span.start.isoformat(),
        "to": span.end.isoformat(),
        "granularity": span.granularity,
        "measured_at": timezone.now().isoformat(),
        "figures": [_figure(stat, span) for stat in figures],
    }


def _figure(stat: Stat, span: Span) -> dict[str, Any]:
    answer: dict[str, Any] = {"code": stat.code, "title": str(stat.title), "unit": stat.unit}
    try:
        # A savepoint: a query that fails must not take the figures after it along.
        with transaction.atomic():
            value = stat.compute(span.start, span.end)
            before = span.before
            previous = None if stat.is_of_now else stat.compute(before.start, before.end)
            points = (
                stat.series(span.start, span.end, span.granularity, span.tz)
                if stat.series
                else None
            )
    except Exception:
        logger.exception("a figure failed", extra={"figure": stat.code})
        return {**answer, "error": "unavailable"}
    answer.update(value=value, previous=previous, change_percent=_change(value, previous))
    if points is not None:
        answer["series"] = [{"at": at.isoformat(), "value": number} for at, number in points]
    return answer


def _change(value: Any, previous: Any) -> float | None:
    if isinstance(value, Mapping) or not previous:
        return None
    return round(100 * (value - previous) / abs(previous), 1)


def default_span(days: int = 30) -> Span:
    """Return the last `days` days by day, in UTC.

    To the minute: with microseconds in its key no figure would ever be found in the cache.
    """
    now = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
    return Span(now - timedelta(days=days), now, "day", timezone.get_default_timezone())
