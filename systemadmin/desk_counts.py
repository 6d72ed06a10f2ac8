"""How much waits at every desk for a person: counted once for all who look within some seconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache

from systemadmin.foundation.plugins import Worklist, modules
from systemadmin.foundation.waiting import LIMIT, shown_count

# The rail asks every 15 seconds; two people who ask within this time cost one count.
FRESH_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queue with what waits in it now."""

    worklist: Worklist
    desk: str
    count: int
    oldest: datetime | None

    @property
    def shown(self) -> str:
        """The count as a badge says it."""
        return shown_count(self.count)


@dataclass(frozen=True, slots=True)
class DeskCount:
    """What the rail says of one desk."""

    count: int
    is_urgent: bool

    @property
    def shown(self) -> str:
        """The count as a badge says it."""
        return shown_count(self.count)


def waiting_for(user: Any, *, fresh: bool = False) -> list[Waiting]:
    """Return every queue this person works on, in order; `fresh` counts anew."""
    lists = [
        (found.DESKS[0].code, worklist)
        for found in modules("worklists")
        for worklist in found.WORKLISTS
        if user.has_perm(worklist.permission)
    ]
    keys = {worklist.code: _key(worklist, user) for _desk, worklist in lists}
    known = {} if fresh else cache.get_many(keys.values())
    counted = {}
    for _desk, worklist in lists:
        key = keys[worklist.code]
        if key not in known:
            known[key] = counted[key] = _count(worklist, user)
    if counted:
        cache.set_many(counted, FRESH_SECONDS)
    return [
        Waiting(worklist, desk, *known[keys[worklist.code]])
        for desk, worklist in sorted(lists, key=lambda pair: pair[1].order)
    ]


def by_desk(waiting: Iterable[Waiting]) -> dict[str, DeskCount]:
    """Return the count of each desk that has anything waiting."""
    sums: dict[str, DeskCount] = {}
    for one in waiting:
        before = sums.get(one.desk, DeskCount(0, False))
        added = one.count if one.worklist.is_on_rail else 0
        sums[one.desk] = DeskCount(
            min(before.count + added, LIMIT),
            before.is_urgent or (one.worklist.is_urgent and one.count > 0),
        )
    return {desk: found for desk, found in sums.items() if found.count}


def _count(worklist: Worklist, user: Any) -> tuple[int, datetime | None]:
    count = worklist.count(user)
    if not count:
        return 0, None
    since = worklist.rows(user).order_by(worklist.added).values_list(worklist.added, flat=True)
    return count, since.first()


def _key(worklist: Worklist, user: Any) -> str:
    return f"waiting:{worklist.code}:{user.pk if worklist.is_personal else 'all'}"
