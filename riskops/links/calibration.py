"""What raw bits of a kind of evidence are worth, from pairs that staff judged: pure arithmetic."""

from __future__ import annotations

import numpy as np

from riskops.links.rules import Bools, Curve, Floats

# The curve in use counts like so many judged pairs, spread over their raw bits: a handful of
# verdicts moves it a little, hundreds decide.
PRIOR_PAIRS = 10


def probability_of(bits: Floats, prior_bits: float) -> Floats:
    """Return the probability that calibrated bits stand for, with the prior."""
    return np.asarray(1.0 / (1.0 + np.exp2(-np.clip(bits + prior_bits, -60, 60))))


def isotonic(values: Floats, weights: Floats) -> Floats:
    """Return the non-falling sequence nearest to the values (pool adjacent violators)."""
    blocks: list[list[float]] = []  # mean, weight, length
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, total, length = blocks.pop()
            last = blocks[-1]
            whole = last[1] + total
            blocks[-1] = [(last[0] * last[1] + mean * total) / whole, whole, last[2] + length]
    means = [block[0] for block in blocks]
    return np.repeat(means, [int(block[2]) for block in blocks])


def learnt_curve(raw: Floats, right: Bools, curve: Curve, prior_bits: float) -> Curve:
    """Return the curve that fits judged pairs of one kind of evidence, never falling.

    Each pair counts as one, the curve in use as `PRIOR_PAIRS` at the same raw bits.
    """
    order = np.argsort(raw, kind="stable")
    raw, right = raw[order], right[order]
    xs, ys = (np.array(column) for column in zip(*curve, strict=True))
    before = probability_of(np.interp(raw, xs, ys), prior_bits)
    share = PRIOR_PAIRS / (len(raw) + PRIOR_PAIRS)
    fitted = isotonic(before * share + right * (1 - share), np.ones(len(raw)))
    # One judgement more on either side, so that nothing is ever certain.
    fitted = np.clip(fitted, 1 / (len(raw) + 2), 1 - 1 / (len(raw) + 2))
    bits = np.maximum(np.log2(fitted / (1 - fitted)) - prior_bits, 0.0)
    points: list[tuple[float, float]] = [(0.0, 0.0)]
    starts = np.flatnonzero(np.diff(bits, prepend=-1.0) > 0)
    for start, end in zip(starts, np.append(starts[1:], len(raw)), strict=True):
        for x in (round(float(raw[start]), 4), round(float(raw[end - 1]), 4)):
            if x > points[-1][0]:
                points.append((x, round(float(bits[start]), 4)))
    return tuple(points)


def calibration_error(probability: Floats, right: Bools) -> float:
    """Return the expected calibration error over ten equal bins; 0 without pairs."""
    if not len(probability):
        return 0.0
    place = np.minimum((probability * 10).astype(np.int64), 9)
    number = np.bincount(place, minlength=10)
    gap = np.bincount(place, weights=probability - right, minlength=10)
    return float(np.abs(gap).sum() / number.sum())
