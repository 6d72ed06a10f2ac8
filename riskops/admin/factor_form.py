"""The form in which staff write a factor: what is counted, and the points it gives."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from riskops.admin.amount_fields import CHOOSE_CURRENCY, NONE, currency_field, read_number
from riskops.event_kinds import EventKind
from riskops.scores.factors import FAMILY_TITLES
from riskops.scores.measure_spec import (
    AGGREGATES,
    AMOUNT,
    CONDITION_FIELDS,
    CURRENCY,
    DISTINCT_FIELDS,
    MOST_LEAST_PAST,
    NUMBERS,
    OF_MONEY,
    OPERATORS,
    PAIRED,
    USUAL_LEAST_PAST,
    WITH_OWN_PAST,
)
from systemadmin.foundation.parsing import Unreadable, parse_whole_number

HOUR, DAY = 3600, 86_400
KINDS = [(kind.code, kind.label) for kind in EventKind]
CONDITIONS = 2
LONGEST_CODE = 36  # behind its prefix
SUFFIXES = (*(f"_{number}" for number in range(1, CONDITIONS + 1)), "_other")


def _checkboxes(label: Any, *, required: bool) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label, choices=KINDS, required=required, widget=forms.CheckboxSelectMultiple
    )


def _typed(label: Any, initial: str) -> forms.CharField:
    """Return a whole number, or an amount where amounts are counted."""
    return forms.CharField(label=label, max_length=20, required=False, initial=initial)


def _number(
    label: Any, low: int, high: int, *, initial: int | None = None, help_text: Any = ""
) -> Any:
    return forms.IntegerField(
        label=label,
        min_value=low,
        max_value=high,
        required=False,
        initial=initial,
        help_text=help_text,
    )


class FactorForm(forms.Form):
    """A factor, field by field."""

    title = forms.CharField(label=_("Title"), max_length=80)
    code = forms.RegexField(
        label=_("Code"),
        regex=r"^[a-z][a-z0-9_]{2,39}$",
        required=False,
        help_text=_("Made of the title if empty. The code of an existing factor changes that one."),
        error_messages={
            "invalid": _("Use 3 to 40 lower-case letters, digits and underscores, a letter first.")
        },
    )
    family = forms.ChoiceField(
        label=_("Family"),
        choices=list(FAMILY_TITLES.items()),
        help_text=_("The points of a family together have a cap."),
    )
    aggregate = forms.ChoiceField(label=_("Count"), choices=list(AGGREGATES.items()))
    kinds = _checkboxes(_("Of these events"), required=True)
    distinct_field = forms.ChoiceField(
        label=_("Field"),
        choices=[*NONE, *DISTINCT_FIELDS.items()],
        required=False,
        help_text=_("For different values of a field."),
    )
    currency = currency_field()
    window_hours = forms.IntegerField(
        label=_("Window, hours"), min_value=1, max_value=10_000, initial=24
    )
    past_days = _number(
        _("Days before the window"), 1, 31, help_text=_("For the account's own mean before.")
    )
    least_past = _number(
        _("Past events needed"),
        1,
        MOST_LEAST_PAST,
        initial=USUAL_LEAST_PAST,
        help_text=_("With fewer in the days before the window nothing is counted."),
    )
    other_kinds = _checkboxes(_("Second kind of event"), required=False)
    mode = forms.ChoiceField(
        label=_("Points are given"),
        choices=[
            ("flat", _("once")),
            ("each", _("for every so many counted")),
            ("steps", _("by steps")),
        ],
    )
    points = _number(_("Points"), -200, 200, initial=10)
    over = _typed(_("When more than this is counted"), "0")
    per = _typed(_("For every"), "1")
    cap = _number(_("At most"), 0, 200)
    steps = forms.CharField(
        label=_("Steps"),
        required=False,
        max_length=200,
        help_text=_("From a count or amount on, so many points: 3=10; 8=25"),
    )
    note = forms.CharField(label=_("Note"), max_length=400, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, CONDITIONS + 1):
            self.fields |= condition_fields(f"_{number}", _("Only where"))
        self.fields |= condition_fields("_other", _("Second kind only where"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors.get("code"):
            data["code"] = data.get("code") or code_of(data.get("title", ""))
        self._check_conditions(data)
        is_money = data.get("aggregate") in OF_MONEY
        amounts = [suffix for suffix in SUFFIXES if data.get(f"field{suffix}") == AMOUNT]
        if (is_money or amounts) and not data.get("currency"):
            self.add_error("currency", CHOOSE_CURRENCY)
            return data
        for suffix in amounts:
            name = f"value{suffix}"
            data[name] = read_number(self, name, data.get(name), data["currency"])
        self._read_counts(data, data["currency"] if is_money else None)
        return data

    def _check_conditions(self, data: dict[str, Any]) -> None:
        """Report a condition that is filled in only in part."""
        for suffix in SUFFIXES:
            given = [bool(data.get(f"{name}{suffix}")) for name in ("field", "op", "value")]
            if any(given) and not all(given):
                self.add_error(f"field{suffix}", _("Choose a field, an operator and a value."))

    def _read_counts(self, data: dict[str, Any], currency: str | None) -> None:
        """Read what is counted, in the currency when that is money."""
        for name, usual in (("over", "0"), ("per", "1")):
            data[name] = read_number(self, name, data.get(name) or usual, currency)
        steps = []
        # An amount may have a comma of its own.
        between = r";|,\s+" if currency else r"[;,]"
        for part in filter(None, map(str.strip, re.split(between, data.get("steps") or ""))):
            count, _sign, points = part.partition("=")
            given = read_number(self, "steps", count, currency)
            steps.append([given, read_number(self, "steps", points, None)])
        data["steps"] = steps


def code_of(title: str) -> str:
    """Return the code of a new factor; no shipped factor has one of these."""
    words = slugify(title).replace("-", "_")
    if not words or len(words) > LONGEST_CODE:
        words = f"{words[:20]}_{sha256(title.encode()).hexdigest()[:8]}".lstrip("_")
    return f"own_{words}"


def condition_fields(suffix: str, label: Any) -> dict[str, forms.Field]:
    """Return fields for one condition on an event."""
    names = [*NONE, *((name, name) for name in CONDITION_FIELDS), ("data", "data.…")]
    return {
        f"field{suffix}": forms.ChoiceField(label=label, choices=names, required=False),
        f"name{suffix}": forms.RegexField(
            label=_("Name within data"), regex=r"^[A-Za-z0-9_]{1,40}$", required=False
        ),
        f"op{suffix}": forms.ChoiceField(
            label=_("Comparison"), choices=[*NONE, *OPERATORS.items()], required=False
        ),
        f"value{suffix}": forms.CharField(label=_("Value"), max_length=128, required=False),
    }


def factor_row(data: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a ruleset document that a valid form describes."""
    return {
        "code": data["code"],
        "title": data["title"],
        "family": data["family"],
        "mode": data["mode"],
        "points": data["points"] or 0,
        "over": data["over"],
        "per": data["per"],
        "cap": data["cap"],
        "steps": data["steps"],
        "window": data["window_hours"] * HOUR,
        "measure": _measure(data),
    }


def _measure(data: dict[str, Any]) -> dict[str, Any]:
    """Return the measure that a valid form describes."""
    conditions = [typed_condition(data, f"_{number}") for number in range(1, CONDITIONS + 1)]
    measure: dict[str, Any] = {
        "aggregate": data["aggregate"],
        "kinds": data["kinds"],
        "where": [*in_currency(data["currency"]), *(one for one in conditions if one)],
        "field": data["distinct_field"],
        "past": (data["past_days"] or 0) * DAY,
    }
    if data["aggregate"] in WITH_OWN_PAST:
        measure["least_past"] = data["least_past"] or USUAL_LEAST_PAST
    if data["aggregate"] in PAIRED or data["other_kinds"]:
        other = typed_condition(data, "_other")
        currency = data["currency"] if data["field_other"] == AMOUNT else ""
        where = [*in_currency(currency), *([other] if other else [])]
        measure["other"] = {"kinds": data["other_kinds"], "where": where}
    return measure


def in_currency(currency: str) -> list[dict[str, Any]]:
    """Return the condition that only events in a currency count, where one is chosen."""
    return [{"field": CURRENCY, "op": "is", "value": currency}] if currency else []


def typed_condition(data: dict[str, Any], suffix: str) -> dict[str, Any] | None:
    """Return the condition that was entered, its value as a number where the field is one."""
    field, op, value = (data[f"{name}{suffix}"] for name in ("field", "op", "value"))
    if not field:
        return None
    if field == AMOUNT:  # read by the form already
        return {"field": field, "op": op, "value": value}
    name = f"data.{data[f'name{suffix}']}" if field == "data" else field
    is_number = field in NUMBERS or op in ("at_least", "at_most")
    try:
        number = parse_whole_number(value.strip(), -(10**15)) if is_number else value
    except Unreadable:
        number = value  # refused with its field when the rules are read
    return {"field": name, "op": op, "value": number}
