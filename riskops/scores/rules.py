"""What a risk ruleset is: factors with points, caps and windows, level bounds and actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext_lazy as _

from riskops.event_kinds import KIND_BY_CODE, RARE_KINDS
from riskops.scores.factors import (
    CODES,
    CODES_OF_FORMAT,
    DAY,
    DEFAULT_FACTORS,
    DEFAULT_FAMILY_CAPS,
    FAMILIES,
    FREQUENT_EVENT_FACTORS,
    HOUR,
    WINDOWED,
    Factor,
    Step,
)
from riskops.scores.measure_spec import CODE, MOST_MEASURES, MeasureReader, longest_window

LEVELS = ("low", "moderate", "elevated", "high", "critical")
LEVEL_TITLES = {
    "low": _("Low"),
    "moderate": _("Moderate"),
    "elevated": _("Elevated"),
    "high": _("High"),
    "critical": _("Critical"),
}
ACTION_TITLES = {"alert": _("Alert"), "review": _("Review"), "suspend": _("Suspend")}
ACTIONS = tuple(ACTION_TITLES)

MAX_POINTS = 200
MAX_STEPS = 12
# Documents of an older form know fewer factors; before the fourth one past event was a habit.
FORMAT = 4
FIRST_FORMAT_WITH_LEAST_PAST = 4
MAX_WINDOW = 366 * DAY
# Window scans read every event of the window, so the short ones stay short.
MAX_BUSY_WINDOW = 31 * DAY


class InvalidRuleset(ValueError):
    """A ruleset that cannot be used, with one sentence for every field at fault."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in errors.items()))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Automation:
    """When a sequence of actions is taken for a machine's."""

    # Standard deviation of the gaps in percent of their mean: people are far above 50.
    max_spread_percent: int = 15
    # More actions than this within any minute are beyond a person's hands.
    max_per_minute: int = 40


def _default_actions() -> dict[str, tuple[str, ...]]:
    return {
        "low": (),
        "moderate": (),
        "elevated": (),
        "high": ("alert",),
        "critical": ("alert",),
    }


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Everything that turns counted facts into points, a score and a level."""

    factors: tuple[Factor, ...] = DEFAULT_FACTORS
    family_caps: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_FAMILY_CAPS))
    # The highest score of each level but the last.
    level_bounds: tuple[int, int, int, int] = (20, 40, 60, 80)
    alert_threshold: int = 60
    cool_down: int = 24 * HOUR
    actions: Mapping[str, tuple[str, ...]] = field(default_factory=_default_actions)
    high_risk_countries: tuple[str, ...] = ()
    automation: Automation = field(default_factory=Automation)

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(factor.code for factor in self.factors)

    def factor(self, code: str) -> Factor:
        return self.factors[self.codes.index(code)]

    def with_factor(self, code: str, **changes: Any) -> Ruleset:
        """Return the same ruleset with one factor changed."""
        factors = tuple(replace(f, **changes) if f.code == code else f for f in self.factors)
        return replace(self, factors=factors)

    def window(self, code: str) -> int:
        return self.factor(code).window or 0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that is stored and shown."""
        document = asdict(self) | {"format": FORMAT}
        document["factors"] = [factor.to_dict() for factor in self.factors]
        document["level_bounds"] = list(self.level_bounds)
        document["actions"] = {level: list(names) for level, names in self.actions.items()}
        document["high_risk_countries"] = list(self.high_risk_countries)
        document["family_caps"] = dict(self.family_caps)
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Ruleset:
        """Read the JSON form; what it does not mention keeps its default."""
        return _Reader(document).read()

    @classmethod
    def from_stored(cls, document: Mapping[str, Any]) -> Ruleset:
        """Read a stored ruleset as it was published.

        Factors that came later than it give no points, and a habit needs what it needed then.
        """
        rules = cls.from_dict(document)
        form = document.get("format", 1)
        if form < FIRST_FORMAT_WITH_LEAST_PAST:
            rules = replace(rules, factors=tuple(map(_with_any_past, rules.factors)))
        known = CODES_OF_FORMAT.get(form, frozenset(CODES))
        if known.issuperset(CODES):
            return rules
        factors = tuple(
            factor if factor.code in known else replace(factor, enabled=False)
            for factor in rules.factors
        )
        return replace(rules, factors=factors)


def _with_any_past(factor: Factor) -> Factor:
    """Return the factor with one past event enough for a habit."""
    if factor.measure is None or factor.measure.aggregate != "habit":
        return factor
    return replace(factor, measure=replace(factor.measure, least_past=1))


def _is_int(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_title(text: object) -> bool:
    return isinstance(text, str) and text.isprintable() and 0 < len(text.strip()) <= 80


def _are_steps(given: object) -> bool:
    """Return whether a list has pairs of a count and points, counts rising."""
    if not isinstance(given, list | tuple) or len(given) > MAX_STEPS:
        return False
    if not all(isinstance(step, list | tuple) and len(step) == 2 for step in given):
        return False
    return all(
        _is_int(count, 1, 10**9) and _is_int(points, -MAX_POINTS, MAX_POINTS)
        for count, points in given
    ) and all(low[0] < high[0] for low, high in pairwise(given))


class _Reader:
    """Reads a ruleset document and gathers every fault before refusing."""

    KEYS = frozenset(Ruleset.__dataclass_fields__) | {"format"}
    OWN_KEYS = frozenset({"title", "family", "measure"})
    FACTOR_KEYS = frozenset(Factor.__dataclass_fields__) - {"family", "given_title", "measure"}
    RARE_KINDS = frozenset(kind.code for kind in RARE_KINDS)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.errors: dict[str, str] = {}

    def read(self) -> Ruleset:
        if not isinstance(self.document, Mapping):
            raise InvalidRuleset({"definition": str(_("Must be an object."))})
        for key in set(self.document) - self.KEYS:
            self.errors[str(key)] = str(_("Unknown field."))
        default = Ruleset()
        ruleset = Ruleset(
            factors=self._factors(),
            family_caps=self._caps(),
            level_bounds=self._bounds(default.level_bounds),
            alert_threshold=self._int("alert_threshold", default.alert_threshold, 0, 101),
            cool_down=self._int("cool_down", default.cool_down, 0, 365 * DAY),
            actions=self._actions(),
            high_risk_countries=self._countries(),
            automation=self._automation(),
        )
        if self.errors:
            raise InvalidRuleset(self.errors)
        return ruleset

    def _int(self, key: str, default: int, low: int, high: int) -> int:
        value = self.document.get(key, default)
        if not _is_int(value, low, high):
            self._between(key, low, high)
            return default
        return int(value)

    def _between(self, key: str, low: int, high: int) -> None:
        text = _("Must be a whole number from %(low)s to %(high)s.")
        self.errors[key] = str(text) % {"low": low, "high": high}

    def _factors(self) -> tuple[Factor, ...]:
        given = self.document.get("factors", [])
        if not isinstance(given, list):
            self.errors["factors"] = str(_("Must be a list."))
            return DEFAULT_FACTORS
        changed = self._changed_factors(given)
        own = tuple(factor for code, factor in changed.items() if code not in CODES)
        if sum(factor.enabled for factor in own) > MOST_MEASURES:
            text = _("At most %(most)s factors of your own can be on.")
            self.errors["factors"] = str(text) % {"most": MOST_MEASURES}
        return tuple(changed.get(factor.code, factor) for factor in DEFAULT_FACTORS) + own

    def _changed_factors(self, given: list[Any]) -> dict[str, Factor]:
        """Return the factors that are given, by their codes."""
        changed: dict[str, Factor] = {}
        for position, row in enumerate(given):
            name = f"factors.{position}"
            code = row.get("code") if isinstance(row, Mapping) else None
            if not isinstance(code, str) or (code not in CODES and "measure" not in row):
                self.errors[name] = str(_("Names no known factor."))
            elif code in changed:
                self.errors[name] = str(_("The factor is given twice."))
            elif code in CODES:
                changed[code] = self._factor(name, DEFAULT_FACTORS[CODES.index(code)], row)
            else:
                changed[code] = self._own_factor(name, row)
        return changed

    def _own_factor(self, name: str, row: Mapping[str, Any]) -> Factor:
        """Return a factor that staff wrote."""
        if not CODE.match(row["code"]):
            self.errors[f"{name}.code"] = str(
                _("Must be 3 to 40 lower-case letters, digits and underscores, a letter first.")
            )
        title, family = row.get("title"), row.get("family")
        if not _is_title(title):
            self.errors[f"{name}.title"] = str(_("Must be a text of at most 80 characters."))
        if family not in FAMILIES:
            self.errors[f"{name}.family"] = str(_("Names no known family."))
        reader = MeasureReader(f"{name}.measure", self.errors, frozenset(KIND_BY_CODE))
        measure = reader.read(row["measure"])
        if measure is None or not isinstance(title, str) or not isinstance(family, str):
            return DEFAULT_FACTORS[0]
        blank = Factor(row["code"], family, 0, window=DAY, given_title=title, measure=measure)
        return self._factor(name, replace(blank, given_title=title.strip()), row)

    def _longest(self, factor: Factor) -> int:
        if factor.measure is not None:
            return longest_window(factor.measure, self.RARE_KINDS)
        return MAX_BUSY_WINDOW if factor.code in FREQUENT_EVENT_FACTORS else MAX_WINDOW

    def _factor(self, name: str, default: Factor, row: Mapping[str, Any]) -> Factor:
        known = self.FACTOR_KEYS | (self.OWN_KEYS if default.given_title else frozenset())
        for key in set(row) - known:
            self.errors[f"{name}.{key}"] = str(_("Unknown field."))
        if row.get("mode", default.mode) not in ("flat", "each", "steps"):
            self.errors[f"{name}.mode"] = str(_("Must be flat, each or steps."))
        steps = self._steps(f"{name}.steps", row.get("steps", list(default.steps)))
        if not isinstance(row.get("enabled", True), bool):
            self.errors[f"{name}.enabled"] = str(_("Must be true or false."))
        self._check_numbers(name, default, row)
        if any(key.startswith(f"{name}.") for key in self.errors):
            return default
        values = {key: row[key] for key in row if key in self.FACTOR_KEYS}
        return replace(default, **{**values, "steps": steps})

    def _check_numbers(self, name: str, default: Factor, row: Mapping[str, Any]) -> None:
        """Report each number of a factor that is out of its bounds or missing."""
        limits = {
            "points": (-MAX_POINTS, MAX_POINTS),
            "per": (1, 1_000_000),
            "over": (0, 1_000_000),
            "cap": (0, MAX_POINTS),
            "window": (60, self._longest(default)),
        }
        for key, (low, high) in limits.items():
            value = row.get(key, getattr(default, key))
            optional = key == "cap" or (
                key == "window" and not default.given_title and default.code not in WINDOWED
            )
            if not _is_int(value, low, high) and not (value is None and optional):
                self._between(f"{name}.{key}", low, high)

    def _steps(self, name: str, given: object) -> tuple[Step, ...]:
        """Return pairs of a count and its points, counts rising."""
        if isinstance(given, list | tuple) and _are_steps(given):
            return tuple((step[0], step[1]) for step in given)
        text = _("Must be at most %(most)s pairs of a count and points, counts rising.")
        self.errors[name] = str(text) % {"most": MAX_STEPS}
        return ()

    def _caps(self) -> dict[str, int]:
        given = self.document.get("family_caps", {})
        if not isinstance(given, Mapping):
            self.errors["family_caps"] = str(_("Must be an object."))
            return dict(DEFAULT_FAMILY_CAPS)
        for family, cap in given.items():
            if family not in FAMILIES:
                self.errors[f"family_caps.{family}"] = str(_("Names no known family."))
            elif not _is_int(cap, 0, 1000):
                self._between(f"family_caps.{family}", 0, 1000)
        return {**DEFAULT_FAMILY_CAPS, **given}

    def _bounds(self, default: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        value = self.document.get("level_bounds", list(default))
        if (
            not isinstance(value, list)
            or len(value) != 4
            or not all(_is_int(bound, 0, 99) for bound in value)
            or sorted(set(value)) != value
        ):
            self.errors["level_bounds"] = str(_("Must be four rising whole numbers below 100."))
            return default
        return (value[0], value[1], value[2], value[3])

    def _actions(self) -> dict[str, tuple[str, ...]]:
        given = self.document.get("actions", {})
        actions = _default_actions()
        if not isinstance(given, Mapping):
            self.errors["actions"] = str(_("Must be an object."))
            return actions
        for level, names in given.items():
            if level not in LEVELS:
                self.errors[f"actions.{level}"] = str(_("Names no known level."))
            elif not isinstance(names, list) or not all(name in ACTIONS for name in names):
                self.errors[f"actions.{level}"] = str(
                    _("Must be a list out of alert, review and suspend.")
                )
            else:
                actions[level] = tuple(name for name in ACTIONS if name in names)
        return actions

    def _countries(self) -> tuple[str, ...]:
        value = self.document.get("high_risk_countries", [])
        if not isinstance(value, list) or not all(
            isinstance(code, str) and len(code) == 2 and code.isascii() and code.isupper()
            for code in value
        ):
            self.errors["high_risk_countries"] = str(_("Must be a list of ISO country codes."))
            return ()
        return tuple(sorted(set(value)))

    def _automation(self) -> Automation:
        value = self.document.get("automation", {})
        if not isinstance(value, Mapping) or set(value) - set(Automation.__dataclass_fields__):
            self.errors["automation"] = str(_("Has an unknown field."))
            return Automation()
        limits = {"max_spread_percent": (0, 1000), "max_per_minute": (1, 100_000)}
        for key, (low, high) in limits.items():
            if key in value and not _is_int(value[key], low, high):
                self._between(f"automation.{key}", low, high)
                return Automation()
        return replace(Automation(), **dict(value))
