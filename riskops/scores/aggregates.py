"""The arithmetic of measures: events as columns in, one count an account out.

Pure and set-based: rows are accounts, events lie in parallel columns in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskops.scores.factors import Factor
from riskops.scores.measure_spec import ELAPSED, HOUR, Measure
from riskops.scores.scoring import FOREVER, NEVER, SECOND, Ints

Mask = NDArray[np.bool_]
HOURS = HOUR * SECOND
# No amount, ratio or sum is counted beyond this, so that no count overflows.
MOST = 10**15


@dataclass(frozen=True, slots=True)
class MeasuredEvents:
    """Events that one measure may look at."""

    row: Ints
    at: Ints
    value: Ints  # the amount, or the number of the distinct field
    chosen: Mask
    other: Mask


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """What a measure came to for each account."""

    count: Ints
    since: Ints
    changes_at: Ints


def aggregate(
    factor: Factor, measure: Measure, found: MeasuredEvents, size: int, at: int
) -> MeasureResult:
    """Return what a measure counts for `size` accounts at one moment."""
    window = (factor.window or 0) * SECOND
    start = at - window
    inside = (found.at > start) & (found.at <= at)
    chosen = found.chosen & inside
    first = _first(found, chosen, size)
    leaves = np.where(first == FOREVER, FOREVER, np.minimum(first, FOREVER - window) + window)
    how = measure.aggregate
    if how in ELAPSED:
        edge = first if how == "since_first" else _last(found, chosen, size)
        return _elapsed(factor, edge, leaves, first, at)
    if how == "between":
        count = _between(found, first, inside & found.other, size)
    elif how == "counterparty":
        count = _largest(found, chosen, size)
        # The share is that of the last full hour.
        leaves = np.where(leaves == FOREVER, FOREVER, np.minimum(leaves, at - at % HOURS + HOURS))
    elif how in ("habit", "unusual"):
        past = found.chosen & (found.at > start - measure.past * SECOND) & (found.at <= start)
        judge = _habit if how == "habit" else _unusual
        count = judge(found, chosen, past, size, measure.least_past)
        began = _first(found, past, size)
        whole = window + measure.past * SECOND
        moved = np.where(began == FOREVER, FOREVER, np.minimum(began, FOREVER - whole) + whole)
        leaves = np.minimum(leaves, moved)
    else:
        count = _plain(how, found, chosen, inside, size)
    since = np.where(count > 0, first, NEVER)
    return MeasureResult(np.minimum(count, MOST), since, leaves)


def _first(found: MeasuredEvents, mask: Mask, size: int) -> Ints:
    first = np.full(size, FOREVER, dtype=np.int64)
    np.minimum.at(first, found.row[mask], found.at[mask])
    return first


def _last(found: MeasuredEvents, mask: Mask, size: int) -> Ints:
    last = np.full(size, NEVER, dtype=np.int64)
    np.maximum.at(last, found.row[mask], found.at[mask])
    return last


def _number(found: MeasuredEvents, mask: Mask, size: int) -> Ints:
    return np.bincount(found.row[mask], minlength=size).astype(np.int64)


def _total(found: MeasuredEvents, mask: Mask, size: int) -> Ints:
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, found.row[mask], np.clip(found.value[mask], -MOST, MOST))
    return total


def _largest(found: MeasuredEvents, mask: Mask, size: int) -> Ints:
    largest = np.zeros(size, dtype=np.int64)
    np.maximum.at(largest, found.row[mask], found.value[mask])
    return largest


def _plain(how: str, found: MeasuredEvents, chosen: Mask, inside: Mask, size: int) -> Ints:
    number = _number(found, chosen, size)
    if how == "count":
        return number
    if how == "distinct":
        return _distinct(found, chosen, size)
    if how == "share":
        both = _number(found, chosen & found.other, size)
        return both * 1000 // np.maximum(number, 1)
    if how == "max":
        return _largest(found, chosen, size)
    total = np.maximum(_total(found, chosen, size), 0)
    return total // np.maximum(number, 1) if how == "mean" else total


def _distinct(found: MeasuredEvents, chosen: Mask, size: int) -> Ints:
    row, value = found.row[chosen], found.value[chosen]
    order = np.lexsort((value, row))
    row, value = row[order], value[order]
    fresh = np.ones(len(row), dtype=np.bool_)
    fresh[1:] = (row[1:] != row[:-1]) | (value[1:] != value[:-1])
    return np.bincount(row[fresh], minlength=size).astype(np.int64)


def _between(found: MeasuredEvents, first: Ints, others: Mask, size: int) -> Ints:
    """Whole seconds begun from the first event to the next of the second kind; 0 for none."""
    after = others & (found.at >= first[found.row])
    second = _first(found, after, size)
    known = second != FOREVER
    return np.where(
        known, (np.where(known, second, 0) - np.where(known, first, 0)) // SECOND + 1, 0
    )


def _habit(found: MeasuredEvents, chosen: Mask, past: Mask, size: int, least: int) -> Ints:
    """Return the largest amount now in per cent of the mean before; 0 with hardly a past."""
    number, total = _number(found, past, size), _total(found, past, size)
    largest = np.minimum(_largest(found, chosen, size), MOST)
    known = (number >= least) & (total > 0)
    return np.where(known, largest * 100 // np.maximum(total // np.maximum(number, 1), 1), 0)


def _unusual(found: MeasuredEvents, chosen: Mask, past: Mask, size: int, least: int) -> Ints:
    """Return the largest share of past events with another value than now; 0 with hardly a past."""
    total = _number(found, past, size)
    keys, place = np.unique(np.stack([found.row, found.value]), axis=1, return_inverse=True)
    place = place.reshape(-1)
    same = np.bincount(place[past], minlength=keys.shape[1])
    share = np.zeros(size, dtype=np.int64)
    row = found.row[chosen]
    others = (total[row] - same[place[chosen]]) * 1000 // np.maximum(total[row], 1)
    np.maximum.at(share, row, np.where(total[row] >= least, others, 0))
    return share


def _elapsed(factor: Factor, edge: Ints, leaves: Ints, first: Ints, at: int) -> MeasureResult:
    """Return hours begun since an event, and when they will next be worth other points."""
    known = (edge != FOREVER) & (edge != NEVER)
    edge = np.where(known, edge, 0)
    count = np.where(known, (at - edge) // HOURS + 1, 0)
    step = _next_count(factor, count)
    grows = np.where(step == FOREVER, FOREVER, edge + (np.minimum(step, MOST // HOURS) - 1) * HOURS)
    changes = np.where(known, np.minimum(grows, leaves), FOREVER)
    return MeasureResult(count, np.where(known, first, NEVER), changes)


def _next_count(factor: Factor, count: Ints) -> Ints:
    """Return the next count that may give other points than this one; FOREVER when none does."""
    over = np.where(count <= factor.over, factor.over + 1, FOREVER)
    if factor.mode == "steps":
        starts = np.array([low for low, _points in factor.steps], dtype=np.int64)
        place = np.searchsorted(starts, np.maximum(count, factor.over), side="right")
        return np.minimum(over, np.append(starts, FOREVER)[place])
    if factor.mode == "each" and factor.points:
        return np.minimum(over, count + 1)
    return over
