"""Why a decision was made, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from riskops.amounts import amount_text
from riskops.decisions.conditions import FIELDS, LEVEL, LIST, MEASURE, NEW, NEW_FIELDS
from riskops.event_kinds import KIND_BY_CODE
from riskops.models import ListKind
from riskops.scores.explanation import duration, past_needed
from riskops.scores.measure_spec import (
    AGGREGATES,
    AMOUNT,
    OF_MONEY,
    OPERATORS,
    USUAL_LEAST_PAST,
    named_currency,
)
from riskops.scores.rules import LEVEL_TITLES

Document = Mapping[str, Any]


def conditions_texts(conditions: Sequence[Document]) -> list[str]:
    """Return stored conditions as sentences; amounts are in the currency that one of them names."""
    currency = named_currency(conditions)
    return [condition_text(one, currency) for one in conditions]


def condition_text(one: Document, currency: str = "") -> str:
    """Return a stored condition as a sentence, with what was seen where it was counted.

    `currency` is that of an amount of the event.
    """
    field, op, value = one["field"], str(OPERATORS[one["op"]]), one["value"]
    if field == LIST:
        text = _on_list(str(value), is_on=one["op"] == "is")
        return text + _entries(one.get("entries") or [])
    if field == NEW:
        text = (
            _("%(what)s is new for the account")
            if one["op"] == "is"
            else _("%(what)s is known of the account")
        )
        return text % {"what": NEW_FIELDS[value]}
    if field == MEASURE:
        return _measured(one, op)
    if field == LEVEL:
        value = str(LEVEL_TITLES[value])
    if field == AMOUNT:
        value = amount_text(value, currency)
    name = FIELDS.get(field, field)
    return f"{name} {op} {value}"


def _on_list(name: str, *, is_on: bool) -> str:
    on = {
        "allow": _("on the allow list"),
        "deny": _("on the deny list"),
        "watch": _("on the watch list"),
    }
    off = {
        "allow": _("not on the allow list"),
        "deny": _("not on the deny list"),
        "watch": _("not on the watch list"),
    }
    return (on if is_on else off)[name]


def _entries(entries: Sequence[Document]) -> str:
    """Say which entries of the list they are, without their values; else nothing."""
    if not entries:
        return ""
    names = ", ".join(f"{ListKind(one['kind']).label} #{one['id']}" for one in entries)
    return f" ({names})"


def _measured(one: Document, op: str) -> str:
    measure = one["measure"]
    is_money = measure["aggregate"] in OF_MONEY
    currency = named_currency(measure.get("where") or [])
    values = {
        "how": AGGREGATES[measure["aggregate"]],
        "kinds": ", ".join(str(KIND_BY_CODE[code].label) for code in measure["kinds"]),
        "window": duration(one["window"]),
        "op": op,
        "value": amount_text(one["value"], currency) if is_money else one["value"],
    }
    needed = past_needed(measure["aggregate"], measure.get("least_past", USUAL_LEAST_PAST))
    if "seen" in one:
        text = _("%(how)s (%(kinds)s, in %(window)s) %(op)s %(value)s: %(seen)s")
        seen = amount_text(one["seen"], currency) if is_money else one["seen"]
        return text % {**values, "seen": seen} + needed
    return _("%(how)s (%(kinds)s, in %(window)s) %(op)s %(value)s") % values + needed


def rule_text(matched: Document) -> str:
    """Return a rule that matched as a sentence: its title and what held."""
    held = "; ".join(conditions_texts(matched["conditions"]))
    return f"{matched['title']}: {held}" if held else str(matched["title"])


def kinds_text(kinds: Sequence[str]) -> str:
    """Return kinds of events by name."""
    return ", ".join(str(KIND_BY_CODE[code].label) for code in kinds) or _("all events")
