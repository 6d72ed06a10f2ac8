"""Geometry of the pictures on the score page: bars of points, the score as a line in time.

Numbers only; the templates draw them as SVG with attributes and classes, for the content
policy allows neither inline styles nor scripts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from riskops.models.scores import Level
from riskops.scores.explanation import Reason

WIDTH = 640
LABELS = 230  # the names of the factors, left of their bars
BAR = 22
GAP = 6
HEIGHT = 140
MARGIN = 28


@dataclass(frozen=True, slots=True)
class Bar:
    """One factor's points as a bar left or right of the zero line."""

    reason: Reason
    x: float
    y: float
    width: float
    middle: float
    kind: str
    label_x: float


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars of a score's breakdown."""

    bars: list[Bar]
    zero: float
    width: int
    height: int
    labels: int = LABELS


def breakdown_bars(reasons: Sequence[Reason]) -> Bars:
    """Bars on one scale, so that their lengths compare."""
    worst = max([reason.points for reason in reasons] + [0])
    best = -min([reason.points for reason in reasons] + [0])
    scale = (WIDTH - LABELS - 2 * MARGIN) / max(worst + best, 1)
    zero = LABELS + MARGIN + best * scale
    bars = []
    for row, reason in enumerate(reasons):
        width = abs(reason.points) * scale
        x = zero if reason.points >= 0 else zero - width
        y = row * (BAR + GAP)
        bars.append(
            Bar(
                reason=reason,
                x=round(x, 1),
                y=y,
                width=round(max(width, 1), 1),
                middle=y + BAR / 2 + 4,
                kind="adds" if reason.points >= 0 else "lowers",
                label_x=round(x + width + 4 if reason.points >= 0 else x - 24, 1),
            )
        )
    height = max(len(reasons) * (BAR + GAP), BAR)
    return Bars(bars=bars, zero=round(zero, 1), width=WIDTH, height=height)


@dataclass(frozen=True, slots=True)
class Point:
    """A change of the score."""

    x: float
    y: float
    score: int
    level: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """The score over time: it stays until it changes, so the line goes in steps."""

    points: list[Point]
    path: str
    bounds: list[float]
    width: int
    height: int


def history_line(rows: Sequence[Any], bounds: Sequence[int], now: datetime) -> Line:
    """Return the line of history rows given oldest first."""
    if not rows:
        return Line([], "", [], WIDTH, HEIGHT)
    start = rows[0].at
    span = max((now - start).total_seconds(), 1)
    points = [
        Point(
            x=round(MARGIN + (row.at - start).total_seconds() / span * (WIDTH - 2 * MARGIN), 1),
            y=_height_of(row.score),
            score=row.score,
            level=Level(row.level).code,
            at=row.at,
        )
        for row in rows
    ]
    steps = [f"M{points[0].x} {points[0].y}"]
    steps += [f"H{point.x}V{point.y}" for point in points[1:]]
    steps.append(f"H{WIDTH - MARGIN}")
    return Line(points, "".join(steps), [_height_of(b) for b in bounds], WIDTH, HEIGHT)


def _height_of(score: int) -> float:
    return round(HEIGHT - 8 - score / 100 * (HEIGHT - 16), 1)
