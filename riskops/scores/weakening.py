"""Whether risk rules protect less than those in force: lower scores, later levels, fewer acts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskops.scores.factors import FAMILIES, Factor
from riskops.scores.rules import LEVELS, Ruleset
from riskops.scores.scoring import Ints, points_of


@dataclass(frozen=True, slots=True)
class Weaker:
    """One part of the rules that would protect less."""

    name: str
    before: str
    after: str


def weaker_parts(before: Ruleset, after: Ruleset) -> list[Weaker]:
    """Return every part of the rules that protects less after a change, by name."""
    found = [*_weaker_factors(before, after), *_weaker_caps(before, after)]
    numbers = {
        "alert_threshold": (before.alert_threshold, after.alert_threshold),
        "automation.max_per_minute": (
            before.automation.max_per_minute,
            after.automation.max_per_minute,
        ),
        **{
            f"level_bounds.{place}": (old, new)
            for place, (old, new) in enumerate(
                zip(before.level_bounds, after.level_bounds, strict=True)
            )
        },
        # Of these less is weaker.
        "cool_down": (-before.cool_down, -after.cool_down),
        "automation.max_spread_percent": (
            -before.automation.max_spread_percent,
            -after.automation.max_spread_percent,
        ),
    }
    found += [
        Weaker(name, str(abs(old)), str(abs(new)))
        for name, (old, new) in numbers.items()
        if new > old
    ]
    return [*found, *_weaker_lists(before, after)]


def _weaker_factors(before: Ruleset, after: Ruleset) -> list[Weaker]:
    now = {factor.code: factor for factor in before.factors}
    then = {factor.code: factor for factor in after.factors}
    return [
        Weaker(code, _words(now.get(code)), _words(then.get(code)))
        for code in dict.fromkeys([*now, *then])
        if _is_weaker(now.get(code), then.get(code))
    ]


def _is_on(factor: Factor | None) -> bool:
    return factor is not None and factor.enabled and factor.most != 0


def _is_weaker(before: Factor | None, after: Factor | None) -> bool:
    """Return whether some account would have a lower score by this factor."""
    if not _is_on(before) and not _is_on(after):
        return False
    counts = _counts(before, after)
    if bool((_points(after, counts) < _points(before, counts)).any()):
        return True
    if before is None or after is None or not (_is_on(before) and _is_on(after)):
        return False
    if before.measure != after.measure:
        return True
    return _looks_less_far_back(before, after)


def _looks_less_far_back(before: Factor, after: Factor) -> bool:
    """Return whether the window changed so that a score falls; by factor, whichever way it does."""
    old, new = before.window or 0, after.window or 0
    if before.measure is not None and before.most < 0:
        return old != new
    return new < old


def _points(factor: Factor | None, counts: Ints) -> Ints:
    if factor is None or not _is_on(factor):
        return np.zeros_like(counts)
    return points_of(factor, counts)


def _counts(*factors: Factor | None) -> Ints:
    """Return counts at which the points of these factors change, and some between."""
    places = {*range(65), *(10**power for power in range(2, 10))}
    for factor in factors:
        if factor is None:
            continue
        edges = [factor.over, factor.per, *(low for low, _points in factor.steps)]
        places |= {edge + step for edge in edges for step in (-1, 0, 1, factor.per)}
        if factor.cap is not None and factor.points:
            reached = factor.cap * factor.per // abs(factor.points)
            places |= {reached, reached + 1, reached + factor.per}
    return np.array(sorted(place for place in places if place >= 0), dtype=np.int64)


def _words(factor: Factor | None) -> str:
    if factor is None or not factor.enabled:
        return "–"
    parts = {
        "points": factor.points,
        "over": factor.over,
        "per": factor.per,
        "cap": factor.cap,
        "window": factor.window,
        "steps": factor.steps or None,
    }
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None)


def _weaker_caps(before: Ruleset, after: Ruleset) -> list[Weaker]:
    """Return the weaker caps; a family's cap bounds what it adds and what it takes off."""
    takes_off = {factor.family for factor in after.factors if _is_on(factor) and factor.most < 0}
    adds = {factor.family for factor in before.factors if _is_on(factor) and factor.most > 0}
    found = []
    for family in FAMILIES:
        old, new = before.family_caps[family], after.family_caps[family]
        if (new < old and family in adds) or (new > old and family in takes_off):
            found.append(Weaker(f"family_caps.{family}", str(old), str(new)))
    return found


def _weaker_lists(before: Ruleset, after: Ruleset) -> list[Weaker]:
    lists = {
        f"actions.{level}": (before.actions.get(level, ()), after.actions.get(level, ()))
        for level in LEVELS
    }
    lists["high_risk_countries"] = (before.high_risk_countries, after.high_risk_countries)
    return [
        Weaker(name, ", ".join(old), ", ".join(new))
        for name, (old, new) in lists.items()
        if not set(old) <= set(new)
    ]
