"""Which backups may go: a pure rule over days, weeks and months, with a floor and pins.

The rule does not look at the clock. Ages are counted from the newest backup back, along all
backups in the order in which they were made: a clock that is wrong for a while changes the
moments that backups state, but neither their order nor how many days of backups there are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise


@dataclass(frozen=True)
class Rule:
    """Keep everything of `days`, then the newest of each of `weeks` weeks and `months` months.

    From one backup to the next, more than `longest_gap` is no evidence that time has passed:
    the clock jumped, or no backups were made. Such a gap makes no backup older.
    """

    days: int = 7
    weeks: int = 0
    months: int = 0
    floor: int = 1
    longest_gap: timedelta = timedelta(days=2)

    def __post_init__(self) -> None:
        if min(self.days, self.weeks, self.months) < 0 or self.floor < 1:
            raise ValueError("A retention rule keeps at least one backup and no negative spans.")


@dataclass(frozen=True)
class Candidate:
    """What the rule needs to know of a backup.

    `made` is its place in the order in which backups were made. One that is no longer stored is
    not decided about, but it shows that time passed between its neighbours.
    """

    key: int
    taken_at: datetime
    is_good: bool
    is_verified: bool = False
    is_pinned: bool = False
    is_stored: bool = True
    made: tuple[float, int] = (0, 0)


@dataclass(frozen=True)
class Decision:
    """One backup and why it stays or goes."""

    key: int
    keep: bool
    reason: str


def _pinned_or_recent(
    stored: Iterable[Candidate], ages: Mapping[int, timedelta], rule: Rule
) -> dict[int, str]:
    """Return, by key, why a backup is kept for itself, whatever others there are."""
    kept: dict[int, str] = {}
    for item in stored:
        if item.is_pinned:
            kept[item.key] = "pinned"
        elif ages[item.key] < timedelta(days=rule.days):
            kept[item.key] = "daily"
    return kept


def decide(candidates: Iterable[Candidate], rule: Rule) -> list[Decision]:
    """Newest first: every stored candidate with its fate. Nothing good goes below the floor."""
    timeline = sorted(
        candidates, key=lambda item: (item.made, item.taken_at, item.key), reverse=True
    )
    ages, jumps = _ages(timeline, rule)
    ordered = [item for item in timeline if item.is_stored]
    good = [item for item in ordered if item.is_good]
    kept = _pinned_or_recent(ordered, ages, rule)
    for item in _newest(good, rule.floor):
        kept.setdefault(item.key, "floor")
    # The newest verified one is the only backup known to restore: it outlives any rule.
    for item in [item for item in good if item.is_verified][:1]:
        kept.setdefault(item.key, "last verified")
    _keep_buckets(good, kept, rule.weeks and rule.weeks + jumps, _week, "weekly")
    _keep_buckets(good, kept, rule.months and rule.months + jumps, _month, "monthly")
    return [Decision(item.key, item.key in kept, kept.get(item.key, "expired")) for item in ordered]


def _ages(timeline: list[Candidate], rule: Rule) -> tuple[dict[int, timedelta], int]:
    """Return the age of each candidate, and how many jumps of the clock lie within the daily ones.

    A backup of a jumped clock has a week and a month of its own: each jump adds one to keep.
    """
    age, jumps = timedelta(), 0
    ages = {item.key: age for item in timeline[:1]}
    for newer, older in pairwise(timeline):
        gap = newer.taken_at - older.taken_at
        if timedelta() <= gap <= rule.longest_gap:
            age += gap
        elif age < timedelta(days=rule.days):
            jumps += 1
        ages[older.key] = age
    return ages, jumps


def _newest(good: list[Candidate], number: int) -> list[Candidate]:
    """Return the last so many that were made, and those that state the newest moments."""
    by_moment = sorted(good, key=lambda item: (item.taken_at, item.key), reverse=True)
    return good[:number] + by_moment[:number]


def _keep_buckets(
    good: list[Candidate],
    kept: dict[int, str],
    number: int,
    bucket: Callable[[datetime], Hashable],
    reason: str,
) -> None:
    """Keep the newest good one of each of the last `number` buckets that hold any.

    A clock that went back comes into the same week twice: then the newest of each time stays.
    """
    seen: set[Hashable] = set()
    last: Hashable = None
    for item in good:
        name = bucket(item.taken_at)
        if name != last and (name in seen or len(seen) < number):
            seen.add(name)
            kept.setdefault(item.key, reason)
        last = name


def _week(moment: datetime) -> tuple[int, int]:
    year, week, _ = moment.isocalendar()
    return year, week


def _month(moment: datetime) -> tuple[int, int]:
    return moment.year, moment.month
