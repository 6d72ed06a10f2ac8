"""When the window of a volume begins."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

ROLLING = {"30d": timedelta(days=30), "365d": timedelta(days=365)}
WINDOWS = ("month", "quarter", "year", *ROLLING, "lifetime")


def window_start(window: str, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first moment that counts for a sale at `at`; None where all of the past does.

    Months, quarters and years are those of the calendar in `zone`.
    """
    if window in ROLLING:
        return at - ROLLING[window]
    if window == "lifetime":
        return None
    local = at.astimezone(zone)
    month = {"month": local.month, "quarter": 3 * ((local.month - 1) // 3) + 1, "year": 1}[window]
    return datetime.combine(local.date().replace(month=month, day=1), time(), zone)
