"""A score as a waterfall: each factor's bar begins where the sum stood before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from riskops.scores.explanation import Reason

WIDTH = 110


@dataclass(frozen=True, slots=True)
class Step:
    """One factor: where its bar stands on a scale of `WIDTH`, and whether it adds or lowers."""

    reason: Reason
    x: float
    width: float
    kind: str

    @property
    def signed(self) -> str:
        """The points with their sign, as people write it."""
        return _signed(self.reason.points)

    @property
    def full(self) -> str:
        """The points before the cap of the family, with their sign."""
        return _signed(self.reason.full)


def _signed(points: int) -> str:
    return f"{'+' if points >= 0 else '−'}{abs(points)}"


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Every step, the raw sum, and the bar of the score that the sum becomes within 0 and 100."""

    steps: list[Step]
    raw: int
    score: int
    zero: float
    sum_width: float
    idle: list[Reason]


def waterfall(reasons: Sequence[Reason], score: int) -> Waterfall:
    """Return the bars of a breakdown on one scale; what adds comes before what lowers.

    Factors that give nothing, because their family gave all it may, have no bar: they are `idle`.
    """
    counting = [reason for reason in reasons if reason.points]
    ordered = sorted(counting, key=lambda reason: (reason.points < 0, -abs(reason.points)))
    edges = [0]
    for reason in ordered:
        edges.append(edges[-1] + reason.points)
    low, high = min(*edges, 0), max(*edges, 100)
    scale = WIDTH / (high - low)
    steps = [
        Step(
            reason=reason,
            x=round((min(before, after) - low) * scale, 1),
            width=round(max(abs(after - before) * scale, 0.6), 1),
            kind="up" if reason.points >= 0 else "down",
        )
        for reason, before, after in zip(ordered, edges, edges[1:], strict=False)
    ]
    zero = round(-low * scale, 1)
    idle = [reason for reason in reasons if not reason.points]
    return Waterfall(steps, edges[-1], score, zero, round(score * scale, 1), idle)


# The dial is an arc of 220 degrees around a centre, in the units of its picture.
CENTRE, RADIUS, START, SWEEP = (95.0, 92.0), 76.0, 160.0, 220.0
TICK = (67.0, 84.0)
LABEL = 93.0


@dataclass(frozen=True, slots=True)
class Tick:
    """Where a level begins: a line across the arc and its number beside it."""

    value: int
    inner: tuple[float, float]
    outer: tuple[float, float]
    label: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Dial:
    """The paths of the whole arc and of the score's part, and the bounds of the levels."""

    track: str
    arc: str
    ticks: list[Tick]


def dial(score: int, bounds: Sequence[int]) -> Dial:
    """Return the picture of a score between 0 and 100 with its levels' bounds."""
    ticks = [
        Tick(value, _point(value, TICK[0]), _point(value, TICK[1]), _point(value, LABEL))
        for value in bounds
        if 0 < value < 100
    ]
    return Dial(_arc(100), _arc(score) if score > 0 else "", ticks)


def _point(value: float, radius: float) -> tuple[float, float]:
    angle = math.radians(START + SWEEP * value / 100)
    x, y = CENTRE
    return round(x + radius * math.cos(angle), 1), round(y + radius * math.sin(angle), 1)


def _arc(value: float) -> str:
    (x, y), (to_x, to_y) = _point(0, RADIUS), _point(value, RADIUS)
    is_large = int(SWEEP * value / 100 > 180)
    return f"M{x} {y}A{RADIUS} {RADIUS} 0 {is_large} 1 {to_x} {to_y}"
