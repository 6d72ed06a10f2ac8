"""The arithmetic of the risk score: counted facts in, integer points and a level out.

Everything here works on columns, one row an account. The recompute of everyone passes a
chunk of accounts, the calculation of one account passes columns of length one: there is no
second definition that could disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskops.scores.factors import FAMILIES, VERDICT, Factor
from riskops.scores.rules import LEVELS, Ruleset

Ints = NDArray[np.int64]

NEVER = int(np.iinfo(np.int64).min)
FOREVER = int(np.iinfo(np.int64).max)
SECOND = 1_000_000  # times are whole microseconds since 1970
DAY = 86_400 * SECOND

TOP = 100


@dataclass(frozen=True, slots=True)
class Points:
    """The points of every account (row) and factor (column), and what they add up to."""

    full: Ints  # before the family's cap
    given: Ints  # what counts; a row of these sums to raw
    raw: Ints
    score: Ints
    level: Ints  # position in LEVELS


def half_away(numerator: Ints, denominator: int) -> Ints:
    """Return integer quotient rounded half away from zero."""
    return np.sign(numerator) * ((2 * np.abs(numerator) + denominator) // (2 * denominator))


def factor_points(counts: Ints, ruleset: Ruleset) -> Ints:
    """Return points of each factor on its own, each rounded once."""
    points = np.zeros_like(counts)
    for column, factor in enumerate(ruleset.factors):
        if factor.enabled and factor.most:
            points[:, column] = points_of(factor, counts[:, column])
    return points


def points_of(factor: Factor, count: Ints) -> Ints:
    """Return points that a factor which is on gives for each count, before its family's cap."""
    value = _value(factor, count)
    if factor.cap is not None:
        value = np.clip(value, -factor.cap, factor.cap)
    return np.where(count > factor.over, value, 0)


def _value(factor: Factor, count: Ints) -> Ints:
    """Return points of one factor before its cap."""
    if factor.mode == "each":
        return half_away(factor.points * count, factor.per)
    if factor.mode == "steps":
        table = np.array([0, *(points for _count, points in factor.steps)], dtype=np.int64)
        return table[np.searchsorted([low for low, _points in factor.steps], count, side="right")]
    return np.full_like(count, factor.points)


def _families(ruleset: Ruleset) -> list[tuple[list[int], int]]:
    return [
        (
            [i for i, factor in enumerate(ruleset.factors) if factor.family == family],
            ruleset.family_caps[family],
        )
        for family in FAMILIES
    ]


def cap_families(full: Ints, ruleset: Ruleset) -> Ints:
    """Trims points so that no family exceeds its cap, later factors first."""
    given = full.copy()
    for columns, cap in _families(ruleset):
        running = np.clip(np.cumsum(full[:, columns], axis=1), -cap, cap)
        given[:, columns] = np.diff(running, axis=1, prepend=0)
    return given


def clamp(raw: Ints) -> Ints:
    """Return the score shown for a raw sum."""
    return np.clip(raw, 0, TOP)


def levels(scores: Ints, ruleset: Ruleset) -> Ints:
    """Return position of each score's level."""
    return np.searchsorted(np.array(ruleset.level_bounds), scores, side="left").astype(np.int64)


def level_of(score: int, ruleset: Ruleset) -> str:
    """Return the name of one score's level."""
    return LEVELS[int(levels(np.array([score]), ruleset)[0])]


def score(counts: Ints, ruleset: Ruleset) -> Points:
    """Scores accounts from what was counted: one row an account, one column a factor."""
    full = factor_points(counts, ruleset)
    given = cap_families(full, ruleset)
    raw = given.sum(axis=1)
    shown = clamp(raw)
    return Points(full=full, given=given, raw=raw, score=shown, level=levels(shown, ruleset))


def scores_without_each_factor(full: Ints, ruleset: Ruleset) -> Ints:
    """Return the score each account would have without each factor, caps applied anew."""
    capped = {
        column: (np.clip(full[:, columns].sum(axis=1), -cap, cap), full[:, columns].sum(axis=1))
        for columns, cap in _families(ruleset)
        for column in columns
    }
    caps = {column: cap for columns, cap in _families(ruleset) for column in columns}
    raw = cap_families(full, ruleset).sum(axis=1)
    result = np.empty_like(full)
    for column in range(full.shape[1]):
        now, total = capped[column]
        then = np.clip(total - full[:, column], -caps[column], caps[column])
        result[:, column] = clamp(raw - now + then)
    return result


def without_verdict(full: Ints, ruleset: Ruleset) -> Ints:
    """Return the score each account would have if nobody had found it to be fraud.

    What staff found is compared with this: a score that knows the answer proves nothing.
    """
    others = full.copy()
    others[:, ruleset.codes.index(VERDICT)] = 0
    return clamp(cap_families(others, ruleset).sum(axis=1))


def apply_cool_down(
    computed: Ints, standing: Ints, hold_until: Ints, *, at: int, cool_down: int
) -> tuple[Ints, Ints]:
    """Apply the cool-down: a score rises at once and falls only after it.

    `standing` is the score shown so far (-1 for none), `hold_until` the end of a running
    cool-down (NEVER for none). Returns both as they stand now.
    """
    falls = computed < standing
    running = hold_until != NEVER
    ends = np.where(running, hold_until, at + cool_down * SECOND)
    held = falls & (ends > at)
    return np.where(held, standing, computed), np.where(held, ends, NEVER)


def fingerprint(points: Points, counts: Ints, since: Ints, ageing: Sequence[int]) -> Ints:
    """Return a 64-bit digest of each account's breakdown, to see at once whether it changed.

    The counts of the `ageing` columns grow by themselves without meaning anything new, so they
    are left out.
    """
    full, given = points.full, points.given
    counted = np.where(full != 0, counts, 0)
    counted[:, list(ageing)] = 0
    started = np.where(full != 0, since, 0)
    digest = np.full(len(full), 0x9E3779B97F4A7C15, dtype=np.uint64)
    prime = np.uint64(0x100000001B3)
    for matrix in (full, given, counted, started):
        for column in range(matrix.shape[1]):
            digest = (digest ^ matrix[:, column].astype(np.uint64)) * prime
            digest ^= digest >> np.uint64(29)
    return digest.view(np.int64)
