"""Days of a report as moments, in the zone of whoever reads it."""

from datetime import date, datetime, time, timedelta, tzinfo

from support.time_zones import zone_of
from systemadmin.models import User

__all__ = ["report_period", "zone_of"]


def report_period(reader: User, first: date, last: date) -> tuple[datetime, datetime, tzinfo]:
    """Return when the first day begins, when the last one is over, and the zone of both."""
    zone = zone_of(reader)
    return (
        datetime.combine(first, time(), zone),
        datetime.combine(last + timedelta(days=1), time(), zone),
        zone,
    )
