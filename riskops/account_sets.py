"""Which accounts a bulk read is about: a range of ids or a list of them."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q

# Above this many ids the ORM filters by their range; the reader drops the ids in between.
SHORT_LIST = 500


@dataclass(frozen=True, slots=True)
class Accounts:
    """A range of account ids (`low` to `high`), or only the listed ones in it."""

    low: int
    high: int
    ids: tuple[int, ...] | None = None

    @classmethod
    def listed(cls, ids: Iterable[int]) -> Accounts:
        wanted = tuple(sorted(set(ids)))
        return cls(wanted[0] if wanted else 0, wanted[-1] if wanted else -1, wanted)

    def __contains__(self, account: int) -> bool:
        if self.ids is None:
            return self.low <= account <= self.high
        place = bisect_left(self.ids, account)
        return self.ids[place : place + 1] == (account,)

    def sql(self, column: str) -> tuple[str, list[Any]]:
        """Return a condition on a column, with its parameters."""
        if self.ids is None:
            return f"{column} BETWEEN %s AND %s", [self.low, self.high]
        if len(self.ids) == 1:
            return f"{column} = %s", [self.ids[0]]
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s::bigint[])", ["{" + ",".join(map(str, self.ids)) + "}"]
        chosen = "SELECT value FROM json_each(%s)"
        return f"{column} IN ({chosen})", [json.dumps(self.ids)]

    def q(self, field: str) -> Q:
        """Return the same as an ORM condition; it may let through ids between the listed ones."""
        if self.ids is not None and len(self.ids) <= SHORT_LIST:
            return Q(**{f"{field}__in": self.ids})
        return Q(**{f"{field}__gte": self.low, f"{field}__lte": self.high})
