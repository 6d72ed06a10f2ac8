"""The form in which staff write a factor: what is counted, and the points it gives."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from riskops.event_kinds import EventKind
from riskops.scores.factors import FAMILY_TITLES
from riskops.scores.measure_spec import (
    AGGREGATES,
    CONDITION_FIELDS,
    DISTINCT_FIELDS,
    MOST_LEAST_PAST,
    NUMBERS,
    OPERATORS,
    PAIRED,
    USUAL_LEAST_PAST,
    WITH_OWN_PAST,
)
from systemadmin.foundation.parsing import Unreadable, parse_whole_number

HOUR, DAY = 3600, 86_400
NONE = [("", "—")]
KINDS = [(kind.code, kind.label) for kind in EventKind]
CONDITIONS = 2


def _checkboxes(label: Any, *, required: bool) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label, choices=KINDS, required=required, widget=forms.CheckboxSelectMultiple
    )


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
        help_text=_("3 to 40 lower-case letters, digits and underscores. An existing one changes."),
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
    over = _number(_("When more than this is counted"), 0, 1_000_000, initial=0)
    per = _number(_("For every"), 1, 1_000_000, initial=1)
    cap = _number(_("At most"), 0, 200)
    steps = forms.CharField(
        label=_("Steps"),
        required=False,
        max_length=200,
        help_text=_("From a count on, so many points: 3=10, 8=25"),
    )
    note = forms.CharField(label=_("Note"), max_length=400, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, CONDITIONS + 1):
            self.fields |= condition_fields(f"_{number}", _("Only where"))
        self.fields |= condition_fields("_other", _("Second kind only where"))

    def clean_steps(self) -> list[list[int]]:
        """Return the steps as pairs of a count and its points."""
        steps = []
        for part in filter(
            None, (piece.strip() for piece in self.cleaned_data["steps"].split(","))
        ):
            count, _sign, points = part.partition("=")
            try:
                steps.append(
                    [parse_whole_number(text.strip(), -(10**9)) for text in (count, points)]
                )
            except Unreadable:
                raise forms.ValidationError(_("Write steps as 3=10, 8=25.")) from None
        return steps

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for suffix in (*(f"_{n}" for n in range(1, CONDITIONS + 1)), "_other"):
            given = [bool(data.get(f"{name}{suffix}")) for name in ("field", "op", "value")]
            if any(given) and not all(given):
                self.add_error(f"field{suffix}", _("Choose a field, an operator and a value."))
        return data


def condition_fields(suffix: str, label: Any) -> dict[str, forms.Field]:
    """Fields for one condition on an event."""
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
    """The row of a ruleset document that a valid form describes."""
    conditions = [typed_condition(data, f"_{number}") for number in range(1, CONDITIONS + 1)]
    measure: dict[str, Any] = {
        "aggregate": data["aggregate"],
        "kinds": data["kinds"],
        "where": [one for one in conditions if one],
        "field": data["distinct_field"],
        "past": (data["past_days"] or 0) * DAY,
    }
    if data["aggregate"] in WITH_OWN_PAST:
        measure["least_past"] = data["least_past"] or USUAL_LEAST_PAST
    if data["aggregate"] in PAIRED or data["other_kinds"]:
        other = typed_condition(data, "_other")
        measure["other"] = {"kinds": data["other_kinds"], "where": [other] if other else []}
    return {
        "code": data["code"],
        "title": data["title"],
        "family": data["family"],
        "mode": data["mode"],
        "points": data["points"] or 0,
        "over": data["over"] or 0,
        "per": data["per"] or 1,
        "cap": data["cap"],
        "steps": data["steps"],
        "window": data["window_hours"] * HOUR,
        "measure": measure,
    }


def typed_condition(data: dict[str, Any], suffix: str) -> dict[str, Any] | None:
    """Return the condition that was entered, its value as a number where the field is one."""
    field, op, value = (data[f"{name}{suffix}"] for name in ("field", "op", "value"))
    if not field:
        return None
    name = f"data.{data[f'name{suffix}']}" if field == "data" else field
    is_number = field in NUMBERS or op in ("at_least", "at_most")
    try:
        number = parse_whole_number(value.strip(), -(10**15)) if is_number else value
    except Unreadable:
        number = value  # refused with its field when the rules are read
    return {"field": name, "op": op, "value": number}
