"""How scores and factors agree with what staff found, and what points that would suggest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

BIN = 10
# Below this many of either kind the figures would be noise dressed as advice.
ENOUGH = 100


@dataclass(frozen=True, slots=True)
class Judged:
    """An account that staff judged: its score then, its factors' points, fraud or not."""

    score: int
    points: dict[str, int]
    fraud: bool


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """Scores from `low` to `high`: how many were judged and how many were fraud."""

    low: int
    high: int
    judged: int
    fraud: int

    @property
    def share(self) -> float | None:
        return self.fraud / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class FactorFigures:
    """How often a factor was right, and the points its record suggests."""

    code: str
    fraud: int
    legitimate: int
    points: int
    suggested: int | None

    @property
    def precision(self) -> float | None:
        total = self.fraud + self.legitimate
        return self.fraud / total if total else None


def score_bins(judged: Iterable[Judged]) -> list[ScoreBin]:
    """Return the calibration table: how many accounts with a score from 80 to 89 were fraud."""
    counts = [[0, 0] for _ in range(100 // BIN)]
    for one in judged:
        cell = counts[min(one.score // BIN, len(counts) - 1)]
        cell[0] += 1
        cell[1] += one.fraud
    return [
        ScoreBin(i * BIN, 100 if i == len(counts) - 1 else i * BIN + BIN - 1, *cell)
        for i, cell in enumerate(counts)
    ]


def factor_figures(judged: Sequence[Judged], points: dict[str, int]) -> list[FactorFigures]:
    """Return each factor's record; suggested points are smoothed log-odds on today's scale."""
    fraud = [one for one in judged if one.fraud]
    good = [one for one in judged if not one.fraud]
    odds = {code: _log_odds(code, fraud, good) for code in points}
    enough = len(fraud) >= ENOUGH and len(good) >= ENOUGH
    scale = _scale(points, odds) if enough else None
    return [
        FactorFigures(
            code=code,
            fraud=sum(code in one.points for one in fraud),
            legitimate=sum(code in one.points for one in good),
            points=value,
            suggested=_suggested(code, scale, odds[code], judged),
        )
        for code, value in points.items()
    ]


def _suggested(code: str, scale: float | None, odds: float, judged: Sequence[Judged]) -> int | None:
    """Return points for a factor; None where nobody judged had it: no evidence suggests nothing."""
    if scale is None or not any(code in one.points for one in judged):
        return None
    return round(scale * odds)


def _log_odds(code: str, fraud: Sequence[Judged], good: Sequence[Judged]) -> float:
    """Return the weight of evidence of a factor; half a case is added to every count."""
    with_fraud = sum(code in one.points for one in fraud)
    with_good = sum(code in one.points for one in good)
    return log((with_fraud + 0.5) / (len(fraud) + 1)) - log((with_good + 0.5) / (len(good) + 1))


def _scale(points: dict[str, int], odds: dict[str, float]) -> float | None:
    """Return points a unit of log-odds, fitted so that the scale of scores stays what it is."""
    square = sum(value * value for value in odds.values())
    product = sum(points[code] * odds[code] for code in points)
    return product / square if square > 0 and product > 0 else None
