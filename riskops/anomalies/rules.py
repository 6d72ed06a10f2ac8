"""The detectors of anomalies: what each looks for, its parameters and their bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.utils.translation import gettext_lazy as _

from riskops.amounts import amount_text

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


# By severity.
POINTS = {"low": 5, "medium": 10, "high": 20, "critical": 30}


class Finds(Enum):
    """Which values of a parameter find more: another direction makes a rule weaker."""

    LOWER = "lower"
    HIGHER = "higher"
    # Whatever it is changed to, something may no longer be found.
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number a detector is set with; bounds are inclusive."""

    name: str
    default: int
    low: int
    high: int
    title: Any
    finds_more: Finds = Finds.LOWER
    # In minor units, of each currency by itself.
    is_amount: bool = False

    def is_weaker(self, before: int, after: int) -> bool:
        """Return whether something may be found no longer with the value after."""
        if self.finds_more is Finds.UNCLEAR:
            return before != after
        return after > before if self.finds_more is Finds.LOWER else after < before


@dataclass(frozen=True, slots=True)
class Detector:
    """One way to find an anomaly."""

    code: str
    title: Any
    severity: str
    parameters: tuple[Parameter, ...]
    # What an anomaly of it adds to the score, unless staff say otherwise.
    points: int | None = None
    # Whether it is about money: such anomalies count as suspicious transactions in the score.
    is_transaction: bool = False

    @staticmethod
    def choices() -> list[tuple[str, Any]]:
        """For the field that names a detector."""
        return [(detector.code, detector.title) for detector in DETECTORS]

    @property
    def shipped_points(self) -> int:
        return POINTS[self.severity] if self.points is None else self.points

    def defaults(self) -> dict[str, int]:
        """Return every parameter at its default."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def read(self, given: Mapping[str, Any]) -> dict[str, int]:
        """Return all parameters, those not given at their default."""
        return {**self.defaults(), **{name: int(value) for name, value in given.items()}}

    def texts(self, given: Mapping[str, Any]) -> dict[Any, str]:
        """Return every parameter as people read it, by its title."""
        values = self.read(given)
        return {
            one.title: amount_text(values[one.name], "") if one.is_amount else str(values[one.name])
            for one in self.parameters
        }

    def faults(self, given: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with these parameters, by name."""
        known = {parameter.name: parameter for parameter in self.parameters}
        found = {str(name): str(_("Unknown parameter.")) for name in given if name not in known}
        for name, parameter in known.items():
            value = given.get(name, parameter.default)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not parameter.low <= value <= parameter.high:
                text = str(_("Must be a whole number from %(low)s to %(high)s."))
                found[name] = text % {"low": parameter.low, "high": parameter.high}
        return found


def _count(default: int) -> Parameter:
    return Parameter("count", default, 2, 100_000, _("At least so many"))


def _minutes(default: int) -> Parameter:
    title = _("Within so many minutes")
    return Parameter("minutes", default, 1, 7 * 24 * 60, title, Finds.HIGHER)


AMOUNT_LIMIT = 10**15


def _amount(
    name: str, default: int, low: int, title: Any, finds_more: Finds = Finds.LOWER
) -> Parameter:
    return Parameter(name, default, low, AMOUNT_LIMIT, title, finds_more, is_amount=True)


DETECTORS = (
    Detector(
        "transaction_velocity",
        _("Many transactions in a short time"),
        "high",
        (_count(10), _minutes(10)),
        is_transaction=True,
    ),
    Detector(
        "transaction_total",
        _("Total over a threshold in a period"),
        "high",
        (
            _amount("amount", 1_000_000, 1, _("From this total on")),
            _minutes(24 * 60),
        ),
        is_transaction=True,
    ),
    Detector(
        "structuring",
        _("Many transfers just under a threshold"),
        "high",
        (
            _amount("threshold", 1_000_000, 1, _("Threshold"), Finds.UNCLEAR),
            Parameter("percent", 90, 50, 99, _("Just under it means from so many percent")),
            _count(4),
            _minutes(3 * 24 * 60),
        ),
        is_transaction=True,
    ),
    Detector(
        "unusual_hour",
        _("Login at an hour unusual for this account"),
        "low",
        (
            Parameter("logins", 20, 5, 10_000, _("Only with so many logins before")),
            Parameter(
                "permille", 10, 0, 500, _("Share of the hour before, in thousandths"), Finds.HIGHER
            ),
            Parameter("days", 90, 7, 366, _("Looking back so many days"), Finds.UNCLEAR),
        ),
    ),
    Detector(
        "new_country",
        _("Login from a new country"),
        "medium",
        (Parameter("days", 7, 0, 366, _("Only for accounts known for so many days")),),
    ),
    Detector(
        "many_devices",
        _("Several devices in a short time"),
        "medium",
        (_count(4), _minutes(24 * 60)),
    ),
    Detector(
        "far_sessions",
        _("Sessions from far places at the same time"),
        "high",
        (
            Parameter("km", 500, 50, 20_000, _("At least so many kilometres apart")),
            _minutes(30),
        ),
    ),
    Detector(
        "impossible_travel",
        _("Impossible travel"),
        "high",
        (
            Parameter("km", 500, 50, 20_000, _("At least so many kilometres apart")),
            Parameter("kmh", 900, 100, 20_000, _("Faster than so many km/h")),
        ),
    ),
    Detector(
        "posting_burst",
        _("Burst of posts"),
        "medium",
        (_count(20), _minutes(10)),
    ),
    Detector(
        "repeated_content",
        _("The same content again and again"),
        "medium",
        (_count(5), _minutes(24 * 60)),
    ),
    Detector(
        "follow_burst",
        _("Burst of follows"),
        "low",
        (_count(50), _minutes(10)),
    ),
    Detector(
        "failed_login_burst",
        _("Burst of failed logins"),
        "medium",
        (_count(10), _minutes(10)),
        points=0,  # somebody else's guessing is not the account's doing
    ),
    Detector(
        "volume_outlier",
        _("Volume far from the account's own history"),
        "medium",
        (
            Parameter("tenths", 35, 10, 1000, _("Robust z-score, in tenths")),
            _amount("amount", 50_000, 0, _("Only from this total a day up")),
            Parameter("days", 90, 14, 366, _("Looking back so many days"), Finds.UNCLEAR),
        ),
        is_transaction=True,
    ),
    Detector(
        "unusual_login",
        _("Login unlike this account's history"),
        "medium",
        (
            Parameter("bits", 12, 1, 60, _("From so many bits of surprise")),
            Parameter("logins", 10, 1, 10_000, _("Only with so many logins before")),
        ),
    ),
)
BY_CODE = {detector.code: detector for detector in DETECTORS}
TRANSACTION_CODES = tuple(detector.code for detector in DETECTORS if detector.is_transaction)
