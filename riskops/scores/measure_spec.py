"""Measures that staff write: which events of an account are counted, and how.

A measure is data inside a ruleset. What cannot be computed within the bounds below is refused
when it is saved, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeGuard

from django.utils.translation import gettext_lazy as _

HOUR = 3600
DAY = 24 * HOUR

AGGREGATES = {
    "count": _("number of events"),
    "distinct": _("different values of a field"),
    "sum": _("sum of the amounts"),
    "max": _("largest amount"),
    "mean": _("mean amount"),
    "share": _("share of the events that also match the second condition, per thousand"),
    "since_last": _("hours since the latest event"),
    "since_first": _("hours since the earliest event"),
    "between": _("seconds from the first event to the first of the second kind after it"),
    "habit": _("largest amount in per cent of the account's own mean before"),
    "unusual": _("share of its own past events with another value, per thousand"),
    "counterparty": _("share of bad outcomes of the counterparty, per thousand"),
}
AMOUNTS = frozenset({"sum", "max", "mean", "habit"})
# What they come to is an amount of money.
OF_MONEY = AMOUNTS - {"habit"}
# They look at a past before the window, or before the delay of what becomes known.
WITH_PAST = frozenset({"habit", "unusual", "counterparty"})
WITH_FIELD = frozenset({"distinct", "unusual"})
# They compare with the account's own past, of which there has to be enough.
WITH_OWN_PAST = frozenset({"habit", "unusual"})
# They grow with time alone.
ELAPSED = frozenset({"since_last", "since_first"})
PAIRED = frozenset({"share", "between"})
DISTINCT_FIELDS = {
    "ip": _("IP address"),
    "device": _("device"),
    "wallet": _("wallet"),
    "counterparty_wallet": _("counterparty wallet"),
    "country": _("country"),
    "hour": _("hour of the day (UTC)"),
    "day": _("day (UTC)"),
}
AMOUNT, CURRENCY = "amount", "currency"
NUMBERS = (AMOUNT, "hour")
TEXTS = (CURRENCY, "country", "source")
CONDITION_FIELDS = (*NUMBERS, *TEXTS)
DATA_FIELD = re.compile(r"data\.[A-Za-z0-9_]{1,40}\Z")
OPERATORS = {
    "is": _("is"),
    "is_not": _("is not"),
    "at_least": _("is at least"),
    "at_most": _("is at most"),
}
CODE = re.compile(r"[a-z][a-z0-9_]{2,39}\Z")

# Every event of the window is read for every account, so frequent kinds have short windows.
LONGEST = 31 * DAY
LONGEST_RARE = 366 * DAY
# What became of a payment is known about a week later.
USUAL_DELAY = 7 * DAY
MOST_CONDITIONS = 4
MOST_MEASURES = 12
MAX_AMOUNT = 10**15
# Fewer past events are no habit, unless a measure says otherwise.
USUAL_LEAST_PAST, MOST_LEAST_PAST = 5, 1000


def is_whole_number(value: object) -> TypeGuard[int]:
    """Return whether a value of JSON is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Condition:
    """What an event must be like: `field` `op` `value`."""

    field: str
    op: str
    value: str | int


@dataclass(frozen=True, slots=True)
class Chosen:
    """Events of some kinds that meet every condition."""

    kinds: tuple[str, ...]
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """What is counted; the window is the factor's.

    `other` is the second choice of `share` and `between`; `past` is how many seconds before the
    window the habit is taken from. Of a counterparty the events of `past` seconds count, up to
    `delay` seconds ago: of later ones it is not known yet what became of them. An account with
    fewer than `least_past` events in that time has no habit: nothing is counted.
    """

    aggregate: str
    events: Chosen
    field: str = ""
    other: Chosen | None = None
    past: int = 0
    delay: int = 0
    least_past: int = USUAL_LEAST_PAST

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        document = {
            "aggregate": self.aggregate,
            **_chosen_to_dict(self.events),
            "field": self.field,
            "past": self.past,
        }
        if self.other is not None:
            document["other"] = _chosen_to_dict(self.other)
        if self.aggregate == "counterparty":
            document["delay"] = self.delay
        if self.aggregate in WITH_OWN_PAST:
            document["least_past"] = self.least_past
        return document

    @property
    def currency(self) -> str:
        """The one currency whose amounts count; empty when they may be of any."""
        return named_currency([asdict(one) for one in self.events.where])

    @property
    def is_always_zero(self) -> bool:
        """True for a share of kinds that are not among the events: an event has one kind."""
        if self.aggregate != "share" or self.other is None:
            return False
        return not set(self.events.kinds) & set(self.other.kinds)

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self.events.kinds + (self.other.kinds if self.other else ()))


def named_currency(conditions: Iterable[Mapping[str, Any]]) -> str:
    """Return the currency that one of several conditions asks for; empty when none does."""
    for one in conditions:
        if one["field"] == CURRENCY and one["op"] == "is":
            return str(one["value"])
    return ""


def _chosen_to_dict(chosen: Chosen) -> dict[str, Any]:
    return {"kinds": list(chosen.kinds), "where": [asdict(one) for one in chosen.where]}


class MeasureReader:
    """Reads the JSON form of a measure and gathers every fault under its path."""

    KEYS = frozenset(
        {"aggregate", "kinds", "where", "field", "other", "past", "delay", "least_past"}
    )

    def __init__(self, path: str, errors: dict[str, str], kinds: frozenset[str]) -> None:
        self.path = path
        self.errors = errors
        self.known_kinds = kinds

    def read(self, document: object) -> Measure | None:
        """Return the measure, or None with the faults noted."""
        before = len(self.errors)
        if not isinstance(document, Mapping):
            self._fault("", _("Must be an object."))
            return None
        for key in set(document) - self.KEYS:
            self._fault(f".{key}", _("Unknown field."))
        aggregate = document.get("aggregate")
        if not isinstance(aggregate, str) or aggregate not in AGGREGATES:
            self._fault(".aggregate", _("Names no known way of counting."))
            return None
        events = self._chosen("", document)
        other = None
        if aggregate in PAIRED:
            other = self._chosen(".other", document.get("other"))
        elif document.get("other"):
            self._fault(".other", _("Is for “share” and “between” only."))
        measure = Measure(
            aggregate,
            events,
            field=self._field(aggregate, document.get("field", "")),
            other=other,
            past=self._past(aggregate, document.get("past", 0)),
            delay=self._delay(aggregate, document.get("delay")),
            least_past=self._least_past(aggregate, document.get("least_past")),
        )
        return measure if len(self.errors) == before else None

    def _fault(self, place: str, text: Any) -> None:
        self.errors[f"{self.path}{place}"] = str(text)

    def _chosen(self, place: str, document: object) -> Chosen:
        if not isinstance(document, Mapping):
            self._fault(place, _("Must be an object."))
            return Chosen(())
        kinds = self._kinds(f"{place}.kinds", document.get("kinds"))
        where = document.get("where", [])
        if not isinstance(where, list) or len(where) > MOST_CONDITIONS:
            text = _("Must be a list of at most %(most)s conditions.")
            self._fault(f"{place}.where", str(text) % {"most": MOST_CONDITIONS})
            where = []
        read = [self._condition(f"{place}.where.{i}", one) for i, one in enumerate(where)]
        return Chosen(kinds, tuple(one for one in read if one is not None))

    def _kinds(self, place: str, kinds: object) -> tuple[str, ...]:
        """Return codes of kinds of events, sorted, each once; at least one has to be given."""
        if (
            not isinstance(kinds, list)
            or not kinds
            or not all(isinstance(kind, str) and kind in self.known_kinds for kind in kinds)
        ):
            self._fault(place, _("Must name at least one known kind of event."))
            return ()
        return tuple(sorted(set(kinds)))

    def _condition(self, place: str, document: object) -> Condition | None:
        if not isinstance(document, Mapping) or set(document) != {"field", "op", "value"}:
            self._fault(place, _("Must have a field, an operator and a value."))
            return None
        field, op, value = document["field"], document["op"], document["value"]
        is_data = isinstance(field, str) and DATA_FIELD.match(field) is not None
        if not is_data and field not in CONDITION_FIELDS:
            self._fault(f"{place}.field", _("Is no field of an event; other ones are “data.name”."))
            return None
        if op not in OPERATORS:
            self._fault(f"{place}.op", _("Names no known operator."))
            return None
        self._check_value(place, field, op, value)
        return Condition(field, op, value)

    def _check_value(self, place: str, field: str, op: str, value: object) -> None:
        if field in NUMBERS or op in ("at_least", "at_most"):
            if field in TEXTS:
                self._fault(f"{place}.op", _("Compares numbers only."))
            elif not is_whole_number(value) or abs(value) > MAX_AMOUNT:
                self._fault(f"{place}.value", _("Must be a whole number."))
        elif not is_whole_number(value) and not (isinstance(value, str) and 0 < len(value) <= 128):
            self._fault(f"{place}.value", _("Must be a text or a whole number."))

    def _field(self, aggregate: str, field: object) -> str:
        if aggregate in WITH_FIELD:
            if not isinstance(field, str) or field not in DISTINCT_FIELDS:
                self._fault(".field", _("Names no field whose values can be counted."))
                return ""
            return field
        if field:
            self._fault(".field", _("Is for “distinct” and “unusual” only."))
        return ""

    def _past(self, aggregate: str, past: object) -> int:
        if aggregate not in WITH_PAST:
            if past:
                text = _("Is for “habit”, “unusual” and “counterparty” only.")
                self._fault(".past", text)
            return 0
        if not isinstance(past, int) or isinstance(past, bool) or not DAY <= past <= LONGEST:
            self._fault(".past", str(_("Must be from 1 to %(days)s days.")) % {"days": 31})
            return 0
        return past

    def _delay(self, aggregate: str, delay: object) -> int:
        if aggregate != "counterparty":
            if delay:
                self._fault(".delay", _("Is for “counterparty” only."))
            return 0
        if delay is None:
            return USUAL_DELAY
        if not isinstance(delay, int) or isinstance(delay, bool) or not 0 <= delay <= LONGEST:
            self._fault(".delay", str(_("Must be from 0 to %(days)s days.")) % {"days": 31})
            return 0
        return delay

    def _least_past(self, aggregate: str, least: object) -> int:
        if least is None:
            return USUAL_LEAST_PAST
        if aggregate not in WITH_OWN_PAST:
            self._fault(".least_past", _("Is for “habit” and “unusual” only."))
        elif not is_whole_number(least) or not 1 <= least <= MOST_LEAST_PAST:
            text = str(_("Must be a whole number from %(low)s to %(high)s."))
            self._fault(".least_past", text % {"low": 1, "high": MOST_LEAST_PAST})
        else:
            return least
        return USUAL_LEAST_PAST


def own_past(measure: Measure) -> int:
    """Return how many seconds of the account's own events before the window are read."""
    return 0 if measure.aggregate == "counterparty" else measure.past


def longest_window(measure: Measure, rare: frozenset[str]) -> int:
    """Return the longest window in seconds that the events of a measure can be read over."""
    return LONGEST_RARE if measure.kinds <= rare else LONGEST
