"""How many messages an account may send: sliding windows whose size follows trust. No database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from systemadmin.foundation.parsing import parse_whole_number

DAY = 86_400
MOST_MESSAGES = 1_000_000


class Tier(StrEnum):
    """What the platform thinks of a sender, from least to most trusted."""

    RISKY = "risky"
    NEW = "new"
    STANDARD = "standard"
    TRUSTED = "trusted"


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` messages in any stretch of `seconds`."""

    limit: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.limit}/{self.seconds}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The window that is full and the seconds until a message fits again."""

    window: Window
    retry_after: int


DEFAULT_WINDOWS: dict[Tier, tuple[str, ...]] = {
    Tier.RISKY: ("1/60", "2/600", "5/3600", "10/86400"),
    Tier.NEW: ("2/60", "4/600", "10/3600", "25/86400"),
    Tier.STANDARD: ("2/60", "5/600", "15/3600", "50/86400"),
    Tier.TRUSTED: ("10/60", "40/600", "120/3600", "500/86400"),
}


def parse_windows(rows: Iterable[str]) -> tuple[Window, ...]:
    """Read `limit/seconds` rows; raises `Unreadable` for a wrong one."""
    return tuple(parse_window(row) for row in rows)


def parse_window(row: str) -> Window:
    """Read one `limit/seconds` row; raises `Unreadable` for a wrong one."""
    limit, _slash, seconds = row.partition("/")
    return Window(parse_whole_number(limit, 0, MOST_MESSAGES), parse_whole_number(seconds, 1, DAY))


def longest(windows: Sequence[Window]) -> int:
    """Return how far back, in seconds, the sender's messages have to be known."""
    return max((window.seconds for window in windows), default=0)


def largest_limit(windows: Sequence[Window]) -> int:
    """Return how many of the newest messages have to be looked at for every window."""
    return max((window.limit for window in windows), default=0)


def refusal(windows: Sequence[Window], newest: Sequence[datetime], now: datetime) -> Refusal | None:
    """Return why one more message now would be too many; the sendings come newest first."""
    worst: Refusal | None = None
    for window in windows:
        wait = _wait(window, newest, now)
        if wait and (worst is None or wait > worst.retry_after):
            worst = Refusal(window, wait)
    return worst


def _wait(window: Window, newest: Sequence[datetime], now: datetime) -> int:
    if window.limit == 0:
        return window.seconds
    if len(newest) < window.limit:
        return 0
    # The limit-th newest has to leave the window before another one fits.
    leaves = newest[window.limit - 1] + timedelta(seconds=window.seconds)
    return max(0, math.ceil((leaves - now).total_seconds()))


def remaining(windows: Sequence[Window], newest: Sequence[datetime], now: datetime) -> int:
    """Return messages that still fit in the tightest window."""
    left = [
        window.limit - sum(1 for at in newest if at > now - timedelta(seconds=window.seconds))
        for window in windows
    ]
    return max(0, min(left, default=0))
