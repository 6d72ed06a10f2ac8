"""Vectorised lookup, unique and factorize for large integer arrays.

Database ids lie close together, and then a table indexed by the number itself takes one pass,
where sorting or hashing takes many. Sparse ones are sorted.
"""

from __future__ import annotations

import numpy as np

from riskops.scores.scoring import Ints

# A table may be so many times as long as what is looked up in it.
SPARSE = 16


def _fits(highest: int, size: int) -> bool:
    return highest < SPARSE * size + 1024


def distinct(values: Ints) -> Ints:
    """Return the different ones of some numbers, none negative, ascending."""
    if len(values) and _fits(int(values.max()), len(values)):
        there = np.zeros(int(values.max()) + 1, dtype=np.bool_)
        there[values] = True
        return np.flatnonzero(there)
    return np.unique(values)


def places(sorted_ids: Ints, wanted: Ints) -> Ints:
    """For each wanted number its place among ascending different ones, -1 where it is not there."""
    if not len(sorted_ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    highest = int(sorted_ids[-1])
    if sorted_ids[0] >= 0 and _fits(highest, len(sorted_ids)):
        table = np.full(highest + 2, -1, dtype=np.int64)
        table[sorted_ids] = np.arange(len(sorted_ids))
        # What lies outside is looked up at the end, where nothing is.
        inside = (wanted >= 0) & (wanted <= highest)
        return table[np.where(inside, wanted, highest + 1)]
    place = np.minimum(np.searchsorted(sorted_ids, wanted), len(sorted_ids) - 1)
    return np.where(sorted_ids[place] == wanted, place, -1)


def numbered(values: Ints) -> tuple[Ints, Ints, Ints]:
    """Return distinct numbers ascending, where each is first, and each value's place among them."""
    found = distinct(values)
    place = places(found, values)
    first = np.empty(len(found), dtype=np.int64)
    # Written from the last to the first, so that the first stays.
    first[place[::-1]] = np.arange(len(values))[::-1]
    return found, first, place
