"""Which backups may go: a pure rule over days, weeks and months, with a floor and pins."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Rule:
    """Keep everything of `days`, then the newest of each of `weeks` weeks and `months` months."""

    days: int = 7
    weeks: int = 0
    months: int = 0
    floor: int = 1

    def __post_init__(self) -> None:
        if min(self.days, self.weeks, self.months) < 0 or self.floor < 1:
            raise ValueError("A retention rule keeps at least one backup and no negative spans.")


@dataclass(frozen=True)
class Candidate:
    """What the rule needs to know of a backup."""

    key: int
    taken_at: datetime
    is_good: bool
    is_verified: bool = False
    is_pinned: bool = False


@dataclass(frozen=True)
class Decision:
    """One backup and why it stays or goes."""

    key: int
    keep: bool
    reason: str


def decide(candidates: Iterable[Candidate], rule: Rule, now: datetime) -> list[Decision]:
    """Newest first: every candidate with its fate. Nothing good goes below the floor."""
    ordered = sorted(candidates, key=lambda item: (item.taken_at, item.key), reverse=True)
    good = [item for item in ordered if item.is_good]
    kept: dict[int, str] = {}
    for item in ordered:
        if item.is_pinned:
            kept.setdefault(item.key, "pinned")
        if now - item.taken_at < timedelta(days=rule.days):
            kept.setdefault(item.key, "daily")
    for item in good[: rule.floor]:
        kept.setdefault(item.key, "floor")
    # The newest verified one is the only backup known to restore: it outlives any rule.
    for item in [item for item in good if item.is_verified][:1]:
        kept.setdefault(item.key, "last verified")
    _keep_buckets(good, kept, rule.weeks, _week, "weekly")
    _keep_buckets(good, kept, rule.months, _month, "monthly")
    return [Decision(item.key, item.key in kept, kept.get(item.key, "expired")) for item in ordered]


def _keep_buckets(
    good: list[Candidate],
    kept: dict[int, str],
    number: int,
    bucket: Callable[[datetime], Hashable],
    reason: str,
) -> None:
    """The newest good one of each of the last `number` buckets that hold any."""
    seen: set[Hashable] = set()
    for item in good:
        name = bucket(item.taken_at)
        if name in seen:
            continue
        if len(seen) == number:
            return
        seen.add(name)
        kept.setdefault(item.key, reason)


def _week(moment: datetime) -> tuple[int, int]:
    year, week, _ = moment.isocalendar()
    return year, week


def _month(moment: datetime) -> tuple[int, int]:
    return moment.year, moment.month
