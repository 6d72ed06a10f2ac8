"""The form of an anomaly rule: each number of its detector in a field, amounts in major units."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from riskops.admin.amount_fields import read_number
from riskops.amounts import entered_amount
from riskops.anomalies.rules import BY_CODE, DETECTORS, Parameter
from riskops.models import AnomalyRule

PREFIX = "parameter_"
NAMES = sorted({parameter.name for one in DETECTORS for parameter in one.parameters})
IN_EACH_CURRENCY = _(
    "Of each currency by itself. 10,000.00 means 1,000,000 in a currency without decimals."
)
PLAIN = ("code", "detector", "severity", "points", "action", "is_enabled")


def parameter_fields(rule: AnomalyRule | None) -> list[str]:
    """Return the names of the fields for the numbers of a rule's detector; a new rule has none."""
    detector = None if rule is None else BY_CODE.get(rule.detector)
    return [] if detector is None else [f"{PREFIX}{one.name}" for one in detector.parameters]


def parameter_rows(rule: AnomalyRule) -> list[tuple[Any, Any]]:
    """Return the numbers of a rule with their titles, amounts as people read them."""
    detector = BY_CODE.get(rule.detector)
    return [] if detector is None else list(detector.texts(rule.parameters).items())


class _Meta:
    model = AnomalyRule
    fields = PLAIN


# The admin lays out fields that the class declares, so those of all detectors are declared.
_Fields: Any = type(forms.ModelForm)(
    "AnomalyRuleFields",
    (forms.ModelForm,),
    {
        **{f"{PREFIX}{name}": forms.CharField(max_length=20, required=False) for name in NAMES},
        "Meta": _Meta,
        "__module__": __name__,
    },
)


class AnomalyRuleForm(_Fields):
    """A rule; a new one begins with the usual numbers of its detector."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Who may only look gets a form without fields.
        if "points" in self.fields:
            self.fields["points"].required = False
        self.parameters: tuple[Parameter, ...] = ()
        if self.instance.pk and self.instance.detector in BY_CODE:
            self.parameters = BY_CODE[self.instance.detector].parameters
        for name in NAMES:
            if name not in {one.name for one in self.parameters}:
                self.fields.pop(f"{PREFIX}{name}", None)
        for one in self.parameters:
            self._describe(one, self.instance.parameters.get(one.name, one.default))

    def _describe(self, one: Parameter, value: int) -> None:
        field = self.fields.get(f"{PREFIX}{one.name}")
        if field is not None:
            field.label = one.title
            field.help_text = IN_EACH_CURRENCY if one.is_amount else ""
            field.required = True
            self.initial[f"{PREFIX}{one.name}"] = (
                entered_amount(value, "") if one.is_amount else str(value)
            )

    @cached_property
    def changed_data(self) -> list[str]:
        """Names of what changed; any number of the detector stands for all of them."""
        changed = [name for name, bound in self._bound_items() if bound._has_changed()]
        plain = [name for name in changed if name in PLAIN]
        is_other = len(changed) > len(plain) or "detector" in plain
        return plain + (["parameters"] if is_other else [])

    def clean_points(self) -> int:
        """Keep the points where none are given."""
        points = self.cleaned_data["points"]
        return int(self.instance.points if points is None else points)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("detector") != self.instance.detector:
            # Another detector begins with its usual numbers.
            data["parameters"] = {}
        elif not self.errors:
            data["parameters"] = {
                one.name: read_number(
                    self,
                    f"{PREFIX}{one.name}",
                    data.get(f"{PREFIX}{one.name}"),
                    "" if one.is_amount else None,
                )
                for one in self.parameters
            }
            self._check(data)
        return data

    def _check(self, data: dict[str, Any]) -> None:
        """Note numbers out of their bounds at their fields."""
        if self.errors or not self.parameters:
            return
        bounds = {one.name: one for one in self.parameters}
        for name, text in BY_CODE[data["detector"]].faults(data["parameters"]).items():
            one = bounds[name]
            if one.is_amount:
                low, high = (entered_amount(edge, "") for edge in (one.low, one.high))
                text = _("Must be from %(low)s to %(high)s.") % {"low": low, "high": high}
            self.add_error(f"{PREFIX}{name}", text)
