"""Points learned from outcomes: a monotone logistic fit whose result is again rows with steps.

Every factor is cut into few steps. One logistic regression weighs them all together, so that
factors that say the same do not count twice; within a factor the weights are made monotone. The
points are the weights times a scale on which accounts with even odds stand at the alert threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskops.scores.factors import Factor, Step
from riskops.scores.scoring import Ints

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_STEPS = 5
CANDIDATES = 40
# Chi square that among so many candidates hardly a pair of steps reaches by chance.
CHANCE = 15.0
# A step is worth points only if so many judged accounts stand on it.
LEAST_ON_STEP = 10
RIDGE = 1.0
ROUNDS = 50
MAX_POINTS = 150
LEAST_SCALE, MOST_SCALE = 5.0, 30.0


@dataclass(frozen=True, slots=True)
class LearnedFactor:
    """The steps of one factor, and how many judged accounts had it."""

    code: str
    steps: tuple[Step, ...]
    accounts: int
    fraud: int


@dataclass(frozen=True, slots=True)
class LearnedPoints:
    """Learned steps, and how a sum of points becomes a probability."""

    factors: tuple[LearnedFactor, ...]
    scale: float
    intercept: float

    def probability(self, points: Ints) -> Floats:
        """Return the probability of fraud that sums of points stand for."""
        odds: Floats = points / self.scale + self.intercept
        return 1 / (1 + np.exp(-np.clip(odds, -50, 50)))


def cut_points(counts: Ints, fraud: Mask, factor: Factor) -> list[int]:
    """Return the counts at which steps begin.

    Candidates are the factor's own thresholds and quantiles; neighbours that differ least in
    their share of fraud are merged until few steps with enough accounts are left.
    """
    having = counts > 0
    positive, bad = counts[having], fraud[having]
    if len(positive) < LEAST_ON_STEP:
        return []
    quantiles = np.quantile(positive, np.linspace(0, 1, CANDIDATES), method="higher")
    own = [factor.over + 1, *(count for count, _points in factor.steps)]
    starts = sorted({1, *own, *quantiles.astype(np.int64).tolist()})
    place = np.searchsorted(starts, positive, side="right") - 1
    number = np.bincount(place, minlength=len(starts)).astype(np.float64)
    frauds = np.bincount(place[bad], minlength=len(starts)).astype(np.float64)
    while len(starts) > 1:
        differences = [
            _difference(number[i : i + 2], frauds[i : i + 2]) for i in range(len(starts) - 1)
        ]
        least = int(np.argmin(differences))
        if len(starts) <= MOST_STEPS and differences[least] >= CHANCE:
            break
        starts.pop(least + 1)
        number[least] += number[least + 1]
        frauds[least] += frauds[least + 1]
        number, frauds = np.delete(number, least + 1), np.delete(frauds, least + 1)
    return starts


def _difference(number: Floats, fraud: Floats) -> float:
    """Return chi square of the shares of fraud on two steps; 0 when one has too few accounts."""
    if number.min() < LEAST_ON_STEP:
        return 0.0
    expected = number * fraud.sum() / number.sum()
    good = number - expected
    if expected.min() <= 0 or good.min() <= 0:
        return 0.0
    return float(((fraud - expected) ** 2 * (1 / expected + 1 / good)).sum())


def learn(
    counts: Ints,
    fraud: Mask,
    factors: Sequence[Factor],
    columns: Sequence[int],
    threshold: int,
    *,
    good_weight: float = 1.0,
) -> LearnedPoints:
    """Fit the given columns of a matrix of counts (one row an account) to outcomes.

    Of the legitimate rows only one in `good_weight` may be there.
    """
    cuts = {column: cut_points(counts[:, column], fraud, factors[column]) for column in columns}
    parts = [
        (column, step, np.searchsorted(starts, counts[:, column], side="right") == step + 1)
        for column, starts in cuts.items()
        for step in range(len(starts))
    ]
    weights, intercept = _fit_with_signs(parts, fraud, factors)
    intercept -= float(np.log(good_weight))
    scale = float(np.clip(threshold / max(-intercept, 0.1), LEAST_SCALE, MOST_SCALE))
    learned = []
    for column, starts in cuts.items():
        if not starts:
            continue
        raw = np.array([weights.get((column, step), 0.0) for step in range(len(starts))])
        on_step = np.array([float(part[2].sum()) for part in parts if part[0] == column])
        points = np.rint(monotone(raw, on_step) * scale)
        steps = list(zip(starts, np.clip(points, -MAX_POINTS, MAX_POINTS).astype(int), strict=True))
        having = counts[:, column] > 0
        learned.append(
            LearnedFactor(
                factors[column].code,
                _merged([(count, int(given)) for count, given in steps]),
                int(having.sum()),
                int((having & fraud).sum()),
            )
        )
    return LearnedPoints(tuple(learned), scale, intercept)


def _fit_with_signs(
    parts: Sequence[tuple[int, int, Mask]], fraud: Mask, factors: Sequence[Factor]
) -> tuple[dict[tuple[int, int], float], float]:
    """Weights of steps: trust only takes points off, everything else only gives them.

    A step whose weight has the wrong sign is left out, and the others are fitted again.
    """
    left = list(parts)
    while True:
        columns = [part for _column, _step, part in left]
        design = np.column_stack(columns) if columns else np.zeros((len(fraud), 0))
        weights, intercept = fit_logistic(design.astype(np.float64), fraud)
        signs = [-1 if factors[column].family == "trust" else 1 for column, _step, _part in left]
        right = [weight * sign > 0 for weight, sign in zip(weights.tolist(), signs, strict=True)]
        if all(right):
            found = {(part[0], part[1]): w for part, w in zip(left, weights.tolist(), strict=True)}
            return found, intercept
        left = [part for part, good in zip(left, right, strict=True) if good]


def _merged(steps: list[Step]) -> tuple[Step, ...]:
    """Merge steps of equal points into one."""
    return tuple(step for i, step in enumerate(steps) if i == 0 or step[1] != steps[i - 1][1])


def fit_logistic(design: Floats, fraud: Mask) -> tuple[Floats, float]:
    """Return logistic regression by Newton's method with a ridge; returns weights and intercept."""
    rows, number = design.shape
    full = np.column_stack([np.ones(rows), design])
    penalty = np.full(number + 1, RIDGE)
    penalty[0] = 1e-6
    weights = np.zeros(number + 1)
    target = fraud.astype(np.float64)
    for _round in range(ROUNDS):
        expected = 1 / (1 + np.exp(-np.clip(full @ weights, -30, 30)))
        gradient = full.T @ (target - expected) - penalty * weights
        curve = (full * (expected * (1 - expected))[:, None]).T @ full + np.diag(penalty)
        step = np.linalg.solve(curve, gradient)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return weights[1:], float(weights[0])


def monotone(values: Floats, weights: Floats) -> Floats:
    """Return the nearest rising or falling sequence (weighted squares), whichever is nearer."""
    rising = _pooled(values, weights)
    falling = -_pooled(-values, weights)

    def far(other: Floats) -> float:
        return float((weights * (values - other) ** 2).sum())

    return rising if far(rising) <= far(falling) else falling


def _pooled(values: Floats, weights: Floats) -> Floats:
    """Pool adjacent violators."""
    blocks: list[list[float]] = []  # mean, weight, length
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append([value, max(weight, 1e-9), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, heavy, length = blocks.pop()
            last = blocks[-1]
            total = last[1] + heavy
            blocks[-1] = [(last[0] * last[1] + mean * heavy) / total, total, last[2] + length]
    return np.concatenate([np.full(int(length), mean) for mean, _weight, length in blocks])


def ranking_quality(scores: Ints, fraud: Mask, weight: Floats | None = None) -> tuple[float, float]:
    """AUC and average precision; equal scores share their rank, a row counts by its weight."""
    each = np.ones(len(scores)) if weight is None else weight
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    found = np.cumsum((each * fraud)[order])[last]
    wrong = np.cumsum((each * ~fraud)[order])[last]
    recall, alarms = found / max(found[-1], 1), wrong / max(wrong[-1], 1)
    area = np.trapezoid(np.append(0, recall), np.append(0, alarms))
    precise = (np.diff(recall, prepend=0.0) * found / (found + wrong)).sum()
    return float(area), float(precise)
