"""What a decision rule asks: typed conditions on an event, its account, measures and lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from riskops.event_kinds import KIND_BY_CODE
from riskops.scores.measure_spec import (
    DATA_FIELD,
    DAY,
    HOUR,
    LONGEST,
    MAX_AMOUNT,
    OPERATORS,
    Measure,
    MeasureReader,
    is_whole_number,
)
from riskops.scores.rules import LEVELS

# Numbers and texts of an event or its account.
NUMBER_FIELDS = {
    "amount": _("amount"),
    "hour": _("hour of the day (UTC)"),
    "score": _("score of the account"),
    "account_age": _("age of the account in hours"),
}
TEXT_FIELDS = {
    "currency": _("currency"),
    "country": _("country"),
    "source": _("source"),
}
LEVEL, LIST, NEW, MEASURE = "level", "list", "new", "measure"
OTHER_FIELDS = {
    LEVEL: _("level of the account"),
    LIST: _("list"),
    NEW: _("new for the account"),
    MEASURE: _("measure"),
}
FIELDS = {**NUMBER_FIELDS, **TEXT_FIELDS, **OTHER_FIELDS}
LISTS = ("allow", "deny", "watch")
NEW_FIELDS = {
    "ip": _("IP address"),
    "device": _("device"),
    "wallet": _("wallet"),
    "counterparty_wallet": _("counterparty wallet"),
    "country": _("country"),
}
ORDERED = ("at_least", "at_most")
EQUAL = ("is", "is_not")
# Measures that a moment can ask: one look at the account's events of a window.
MEASURE_AGGREGATES = ("count", "distinct", "sum", "max", "mean", "share", "habit")
MOST_CONDITIONS = 8
MOST_MEASURES = 3
LONGEST_WINDOW = LONGEST
SHORTEST_WINDOW = 60
# How far back something is looked for that would not be new.
NEW_WITHIN = 90 * DAY


@dataclass(frozen=True, slots=True)
class RuleCondition:
    """One condition: `field` `op` `value`; of a measure also what is counted, over which window."""

    field: str
    op: str
    value: str | int
    measure: Measure | None = None
    window: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        document: dict[str, Any] = {"field": self.field, "op": self.op, "value": self.value}
        if self.measure is not None:
            document |= {"measure": self.measure.to_dict(), "window": self.window}
        return document


class ConditionReader:
    """Reads the JSON form of conditions and gathers every fault under its path."""

    KINDS = frozenset(KIND_BY_CODE)

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}

    def read(self, document: object) -> tuple[RuleCondition, ...]:
        """Return the conditions; faults are in `errors`."""
        if not isinstance(document, Sequence) or isinstance(document, str | bytes):
            self._fault("conditions", _("Must be a list."))
            return ()
        if len(document) > MOST_CONDITIONS:
            text = _("Must be a list of at most %(most)s conditions.")
            self._fault("conditions", str(text) % {"most": MOST_CONDITIONS})
            return ()
        found = [self._one(f"conditions.{i}", one) for i, one in enumerate(document)]
        asked = tuple(one for one in found if one is not None)
        if sum(one.measure is not None for one in asked) > MOST_MEASURES:
            text = _("At most %(most)s measures in one rule.")
            self._fault("conditions", str(text) % {"most": MOST_MEASURES})
        return asked

    def kinds(self, document: object) -> tuple[str, ...]:
        """Return the codes of kinds of events; none means all."""
        if (
            not isinstance(document, Sequence)
            or isinstance(document, str | bytes)
            or not all(isinstance(kind, str) and kind in self.KINDS for kind in document)
        ):
            self._fault("kinds", _("Names no known kind of event."))
            return ()
        return tuple(sorted(set(document)))

    def _fault(self, place: str, text: Any) -> None:
        self.errors[place] = str(text)

    def _one(self, place: str, document: object) -> RuleCondition | None:
        if not isinstance(document, Mapping) or not {"field", "op", "value"} <= set(document):
            self._fault(place, _("Must have a field, an operator and a value."))
            return None
        field, op, value = document["field"], document["op"], document["value"]
        if not self._check_names(place, document):
            return None
        if not self._check_value(place, str(field), op, value):
            return None
        if field == MEASURE:
            return self._measure(place, document)
        return RuleCondition(str(field), op, value)

    def _check_names(self, place: str, document: Mapping[str, Any]) -> bool:
        """Return whether the field and the operator are known and nothing else is given."""
        field, op = document["field"], document["op"]
        is_data = isinstance(field, str) and DATA_FIELD.match(field) is not None
        if not is_data and field not in FIELDS:
            self._fault(f"{place}.field", _("Is nothing that a rule can ask."))
            return False
        more = set(document) - {"field", "op", "value"}
        if more - ({"measure", "window"} if field == MEASURE else set()):
            self._fault(f"{place}.{sorted(more)[0]}", _("Unknown field."))
            return False
        if not isinstance(op, str) or op not in OPERATORS:
            self._fault(f"{place}.op", _("Names no known operator."))
            return False
        return True

    def _check_value(self, place: str, field: str, op: str, value: object) -> bool:
        choices = {LEVEL: LEVELS, LIST: LISTS, NEW: tuple(NEW_FIELDS)}.get(field)
        if choices is not None:
            return self._check_choice(place, field, op, value, choices)
        if field in NUMBER_FIELDS or field == MEASURE or op in ORDERED:
            return self._check_number(place, field, value)
        if is_whole_number(value) or (
            isinstance(value, str) and 0 < len(value) <= 128 and value.isprintable()
        ):
            return True
        self._fault(f"{place}.value", _("Must be a text or a whole number."))
        return False

    def _check_choice(
        self, place: str, field: str, op: str, value: object, choices: Sequence[str]
    ) -> bool:
        if not isinstance(value, str) or value not in choices:
            text = _("Must be one of %(choices)s.")
            self._fault(f"{place}.value", str(text) % {"choices": ", ".join(choices)})
            return False
        if op in ORDERED and field != LEVEL:
            self._fault(f"{place}.op", _("Must be “is” or “is not”."))
            return False
        return True

    def _check_number(self, place: str, field: str, value: object) -> bool:
        if field in TEXT_FIELDS:
            self._fault(f"{place}.op", _("Compares numbers only."))
            return False
        if not is_whole_number(value) or abs(value) > MAX_AMOUNT:
            self._fault(f"{place}.value", _("Must be a whole number."))
            return False
        return True

    def _measure(self, place: str, document: Mapping[str, Any]) -> RuleCondition | None:
        reader = MeasureReader(f"{place}.measure", self.errors, self.KINDS)
        measure = reader.read(document.get("measure"))
        window = document.get("window")
        if measure is not None and measure.aggregate not in MEASURE_AGGREGATES:
            self._fault(f"{place}.measure.aggregate", _("Cannot be counted in the moment."))
            return None
        if (
            not isinstance(window, int)
            or isinstance(window, bool)
            or not SHORTEST_WINDOW <= window <= LONGEST_WINDOW
        ):
            text = _("Must be a whole number from %(low)s to %(high)s.")
            limits = {"low": SHORTEST_WINDOW, "high": LONGEST_WINDOW}
            self._fault(f"{place}.window", str(text) % limits)
            return None
        if measure is None:
            return None
        return RuleCondition(MEASURE, document["op"], document["value"], measure, window)


__all__ = ["DAY", "HOUR", "ConditionReader", "RuleCondition"]
