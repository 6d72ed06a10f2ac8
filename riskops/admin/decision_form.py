"""The form in which staff write a decision rule: its conditions field by field."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from riskops.admin.amount_fields import CHOOSE_CURRENCY, NONE, currency_field, read_number
from riskops.admin.factor_form import DAY, KINDS, condition_fields, in_currency, typed_condition
from riskops.amounts import entered_amount
from riskops.decisions.conditions import (
    FIELDS,
    LEVEL,
    LIST,
    MEASURE,
    MEASURE_AGGREGATES,
    NEW,
    NUMBER_FIELDS,
)
from riskops.models import DecisionRule
from riskops.scores.measure_spec import (
    AGGREGATES,
    AMOUNT,
    AMOUNTS,
    DISTINCT_FIELDS,
    MOST_LEAST_PAST,
    OF_MONEY,
    OPERATORS,
    USUAL_LEAST_PAST,
    WITH_OWN_PAST,
    named_currency,
)
from systemadmin.foundation.parsing import Unreadable, parse_whole_number

CONDITIONS, MEASURES = 4, 2
MINUTE = 60
PLAIN = [(name, title) for name, title in FIELDS.items() if name != MEASURE]
COUNTS = [(name, title) for name, title in AGGREGATES.items() if name in MEASURE_AGGREGATES]


def _kinds(label: Any) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label, choices=KINDS, required=False, widget=forms.CheckboxSelectMultiple
    )


def _condition(number: int) -> dict[str, forms.Field]:
    return {
        f"field_{number}": forms.ChoiceField(
            label=_("Condition %(number)s") % {"number": number},
            choices=[*NONE, *PLAIN, ("data", "data.…")],
            required=False,
        ),
        f"name_{number}": forms.RegexField(
            label=_("Name within data"), regex=r"^[A-Za-z0-9_]{1,40}$", required=False
        ),
        f"op_{number}": forms.ChoiceField(
            label=_("Comparison"), choices=[*NONE, *OPERATORS.items()], required=False
        ),
        f"value_{number}": forms.CharField(
            label=_("Value"),
            max_length=128,
            required=False,
            help_text=_(
                "Of a list: allow, deny or watch. Of a level: low to critical. Of something new: "
                "ip, device, wallet, counterparty_wallet or country."
            ),
        ),
    }


def _measure(number: int) -> dict[str, forms.Field]:
    key = f"m{number}"
    return {
        f"{key}_aggregate": forms.ChoiceField(
            label=_("Measure %(number)s: count") % {"number": number},
            choices=[*NONE, *COUNTS],
            required=False,
        ),
        f"{key}_kinds": _kinds(_("Of these events")),
        f"{key}_distinct": forms.ChoiceField(
            label=_("Field"),
            choices=[*NONE, *DISTINCT_FIELDS.items()],
            required=False,
            help_text=_("For different values of a field."),
        ),
        f"{key}_minutes": forms.IntegerField(
            label=_("Within minutes"), min_value=1, max_value=31 * 24 * 60, required=False
        ),
        f"{key}_past": forms.IntegerField(
            label=_("Days before the window"),
            min_value=1,
            max_value=31,
            required=False,
            help_text=_("For the account's own mean before."),
        ),
        f"{key}_least_past": forms.IntegerField(
            label=_("Past events needed"),
            min_value=1,
            max_value=MOST_LEAST_PAST,
            required=False,
            initial=USUAL_LEAST_PAST,
        ),
        **condition_fields(f"_{key}", _("Only where")),
        f"{key}_op": forms.ChoiceField(
            label=_("Comparison"), choices=[*NONE, *OPERATORS.items()], required=False
        ),
        f"{key}_value": forms.CharField(label=_("Value"), max_length=20, required=False),
    }


class _Meta:
    model = DecisionRule
    fields = ("title", "code", "outcome", "priority", "is_shadow", "is_enabled", "kinds")


def _declared() -> dict[str, Any]:
    fields: dict[str, Any] = {"kinds": _kinds(_("Of these events")), "currency": currency_field()}
    fields["kinds"].help_text = _("None means all.")
    for number in range(1, CONDITIONS + 1):
        fields |= _condition(number)
    for number in range(1, MEASURES + 1):
        fields |= _measure(number)
    return fields


# The admin lays out fields that the class declares, so they are declared by number.
_Fields: Any = type(forms.ModelForm)(
    "DecisionRuleFields",
    (forms.ModelForm,),
    {**_declared(), "Meta": _Meta, "__module__": __name__},
)


class DecisionRuleForm(_Fields):
    """A rule with a few conditions; nobody types JSON."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial |= entered(self.instance.conditions)

    @property
    def shows_conditions(self) -> bool:
        """Whether the form has all of the rule's conditions; the API writes more than it can."""
        return fits(self.instance.conditions)

    @cached_property
    def changed_data(self) -> list[str]:
        """Names of what changed; any field of a condition stands for all conditions."""
        changed = [name for name, bound in self._bound_items() if bound._has_changed()]
        plain = [name for name in changed if name in _Meta.fields]
        return plain + (["conditions"] if len(changed) > len(plain) else [])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self._check_condition_rows(data)
        self._check_measure_rows(data)
        if not self.errors and self.shows_conditions:
            self._read_numbers(data)
        if not self.errors and self.shows_conditions:
            data["conditions"] = rule_conditions(data)
        return data

    def _read_numbers(self, data: dict[str, Any]) -> None:
        """Read amounts in the currency of the rule, and what measures are compared with."""
        amounts, counts = _number_fields(data)
        if amounts and not data["currency"]:
            self.add_error("currency", CHOOSE_CURRENCY)
            return
        for name in amounts:
            data[name] = read_number(self, name, data[name], data["currency"])
        for name in counts:
            data[name] = read_number(self, name, data[name], None)

    def _check_condition_rows(self, data: dict[str, Any]) -> None:
        """Report a row of a condition that is filled in only in part."""
        for number in range(1, CONDITIONS + 1):
            given = [bool(data.get(f"{name}_{number}")) for name in ("field", "op", "value")]
            if any(given) and not all(given):
                self.add_error(f"field_{number}", _("Choose a field, an operator and a value."))

    def _check_measure_rows(self, data: dict[str, Any]) -> None:
        """Report a row of a measure that is filled in only in part."""
        for number in range(1, MEASURES + 1):
            key = f"m{number}"
            names = (f"{key}_aggregate", f"{key}_kinds", f"{key}_minutes", f"{key}_op")
            given = [bool(data.get(name)) for name in names]
            if any(given) and (not all(given) or not data.get(f"{key}_value")):
                self.add_error(
                    f"{key}_aggregate", _("Choose events, minutes, an operator and a value.")
                )


def _number_fields(data: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the names of the fields that hold an amount, and of those that hold a count."""
    keys = [f"m{number}" for number in range(1, MEASURES + 1)]
    suffixes = [*(f"_{number}" for number in range(1, CONDITIONS + 1)), *(f"_{k}" for k in keys)]
    amounts = [f"value{suffix}" for suffix in suffixes if data[f"field{suffix}"] == AMOUNT]
    used = [key for key in keys if data[f"{key}_aggregate"]]
    money = [f"{key}_value" for key in used if data[f"{key}_aggregate"] in OF_MONEY]
    return amounts + money, [name for key in used if (name := f"{key}_value") not in money]


def rule_conditions(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the conditions that a valid form describes."""
    found = in_currency(data["currency"])
    found += [
        _plain(data, number) for number in range(1, CONDITIONS + 1) if data.get(f"field_{number}")
    ]
    found += [
        _counted(data, f"m{number}")
        for number in range(1, MEASURES + 1)
        if data.get(f"m{number}_aggregate")
    ]
    return found


def _plain(data: dict[str, Any], number: int) -> dict[str, Any]:
    field, op, value = (data[f"{name}_{number}"] for name in ("field", "op", "value"))
    if field == AMOUNT:
        return {"field": field, "op": op, "value": value}
    name = f"data.{data[f'name_{number}']}" if field == "data" else field
    is_word = field in (LEVEL, LIST, NEW)
    is_number = field in NUMBER_FIELDS or (op in ("at_least", "at_most") and not is_word)
    try:
        found = parse_whole_number(value.strip(), -(10**15)) if is_number else value.strip()
    except Unreadable:
        found = value  # refused with its place by the service
    return {"field": name, "op": op, "value": found}


def _counted(data: dict[str, Any], key: str) -> dict[str, Any]:
    where = typed_condition(data, f"_{key}")
    aggregate = data[f"{key}_aggregate"]
    is_about_amounts = aggregate in AMOUNTS or data[f"field_{key}"] == AMOUNT
    currency = in_currency(data["currency"] if is_about_amounts else "")
    measure: dict[str, Any] = {
        "aggregate": aggregate,
        "kinds": data[f"{key}_kinds"],
        "where": [*currency, *([where] if where else [])],
        "field": data[f"{key}_distinct"],
        "past": (data[f"{key}_past"] or 0) * DAY,
    }
    if aggregate in WITH_OWN_PAST:
        measure["least_past"] = data[f"{key}_least_past"] or USUAL_LEAST_PAST
    return {
        "field": MEASURE,
        "op": data[f"{key}_op"],
        "value": data[f"{key}_value"],
        "measure": measure,
        "window": data[f"{key}_minutes"] * MINUTE,
    }


def entered(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the form shows for stored conditions."""
    currency = named_currency(conditions)
    found: dict[str, Any] = {"currency": currency}
    plain = _without_currency([one for one in conditions if one["field"] != MEASURE], currency)
    for number, one in enumerate(plain[:CONDITIONS], 1):
        found |= _entered(one, f"_{number}", currency)
    counted = [one for one in conditions if one["field"] == MEASURE]
    for number, one in enumerate(counted[:MEASURES], 1):
        key, measure = f"m{number}", one["measure"]
        found |= {
            f"{key}_aggregate": measure["aggregate"],
            f"{key}_kinds": measure["kinds"],
            f"{key}_distinct": measure["field"],
            f"{key}_minutes": one["window"] // MINUTE,
            f"{key}_past": measure["past"] // DAY or None,
            f"{key}_least_past": measure.get("least_past", USUAL_LEAST_PAST),
            f"{key}_op": one["op"],
            f"{key}_value": _value(one["value"], currency, measure["aggregate"] in OF_MONEY),
        }
        for where in _without_currency(measure["where"], _currency_of(measure))[:1]:
            found |= _entered(where, f"_{key}", currency)
    return found


def _entered(one: dict[str, Any], suffix: str, currency: str) -> dict[str, Any]:
    field, _dot, name = one["field"].partition(".")
    return {
        f"field{suffix}": field,
        f"name{suffix}": name,
        f"op{suffix}": one["op"],
        f"value{suffix}": _value(one["value"], currency, field == AMOUNT),
    }


def _value(value: Any, currency: str, is_amount: bool) -> str:
    """Return a value as it is typed: an amount in major units."""
    return entered_amount(value, currency) if is_amount else str(value)


def _without_currency(conditions: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """Return conditions without the one that the field for the currency stands for."""
    return [one for one in conditions if not currency or one not in in_currency(currency)]


def _currency_of(measure: dict[str, Any]) -> str:
    """Return the currency of the amounts that a measure is about; empty when it is about none."""
    fields = {one["field"] for one in measure["where"]}
    if measure["aggregate"] in AMOUNTS or AMOUNT in fields:
        return named_currency(measure["where"])
    return ""


def fits(conditions: list[dict[str, Any]]) -> bool:
    """Return whether the form can show all of these conditions."""
    currency = named_currency(conditions)
    counted = [one for one in conditions if one["field"] == MEASURE]
    plain = _without_currency([one for one in conditions if one["field"] != MEASURE], currency)
    return (
        len(plain) <= CONDITIONS
        and len(counted) <= MEASURES
        and (bool(currency) or all(one["field"] != AMOUNT for one in plain))
        and all(_measure_fits(one, currency) for one in counted)
    )


def _measure_fits(one: dict[str, Any], currency: str) -> bool:
    """Return whether the form can show a measure: its amounts are in the currency of the rule."""
    measure = one["measure"]
    where = measure["where"]
    has_amounts = measure["aggregate"] in OF_MONEY or any(c["field"] == AMOUNT for c in where)
    is_about_amounts = has_amounts or measure["aggregate"] in AMOUNTS
    return (
        (bool(currency) or not has_amounts)
        and (_currency_of(measure) == currency or not is_about_amounts)
        and len(_without_currency(where, _currency_of(measure))) <= 1
        and "other" not in measure
        and one["window"] % MINUTE == 0
    )
