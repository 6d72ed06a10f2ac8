"""When a scheduled backup is due: pure arithmetic over fixed slots in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday


def last_slot(now: datetime, *, hour: int, every_hours: int) -> datetime:
    """Return the newest moment at which a backup should have begun."""
    anchor = EPOCH + timedelta(hours=hour)
    step = timedelta(hours=every_hours)
    return anchor + (now - anchor) // step * step


def next_slot(now: datetime, *, hour: int, every_hours: int) -> datetime:
    """Return the next such moment after now."""
    return last_slot(now, hour=hour, every_hours=every_hours) + timedelta(hours=every_hours)
