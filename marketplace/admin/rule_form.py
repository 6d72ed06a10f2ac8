"""The form of a commission rule: rates in percent, amounts in major units, tiers line by line."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils import formats
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.models import CommissionRule, SellerProfile
from marketplace.models.fields import Kind
from marketplace.services.commission import MANY, SIMPLE
from systemadmin.foundation.forms import AmountField, PercentField, clean_amount, read_local_number
from systemadmin.foundation.money import TooFine, is_currency, to_major, to_minor
from systemadmin.foundation.parsing import Unreadable

AMOUNTS = (
    "value_from",
    "value_below",
    "line_from",
    "line_below",
    "unit_from",
    "unit_below",
    "volume_from",
    "volume_below",
    "fixed",
    "minimum",
    "maximum",
    "refund_fee_maximum",
)
VOLUMES = ("volume_from", "volume_below")


class WordsField(forms.CharField):
    """Words separated by commas or spaces, kept as a list."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return str(value or "").replace(",", " ").split()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != self.to_python(data)


class TiersField(forms.CharField):
    """Tiers as lines of "from: percent", kept as text until the form knows the currency."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 30})


class CommissionRuleForm(forms.ModelForm):
    """What people type is turned into minor units and parts per million here, and only here."""

    kinds = forms.MultipleChoiceField(
        choices=Kind.choices,
        required=False,
        label=_("kinds"),
        widget=forms.CheckboxSelectMultiple,
    )
    tax_statuses = forms.MultipleChoiceField(
        choices=SellerProfile.TaxStatus.choices,
        required=False,
        label=_("seller's tax statuses"),
        widget=forms.CheckboxSelectMultiple,
    )
    countries = WordsField(
        required=False, label=_("seller's countries"), help_text=_("Two letters each: ES, PT.")
    )
    buyer_countries = WordsField(
        required=False, label=_("buyer's countries"), help_text=_("Two letters each: ES, PT.")
    )
    levels = WordsField(required=False, label=_("seller's levels"))
    ppm = PercentField(required=False, label=_("rate (%)"))
    tax_ppm = PercentField(required=False, label=_("tax on the fee (%)"))
    refund_fee_ppm = PercentField(required=False, label=_("kept on refund (% of the fee)"))
    tiers = TiersField(
        required=False,
        label=_("tiers"),
        help_text=_("One line each: where it begins, a colon, the rate in percent. Begin with 0."),
    )
    value_from = AmountField(required=False, label=_("order value from"))
    value_below = AmountField(required=False, label=_("order value below"))
    line_from = AmountField(required=False, label=_("line amount from"))
    line_below = AmountField(required=False, label=_("line amount below"))
    unit_from = AmountField(required=False, label=_("unit price from"))
    unit_below = AmountField(required=False, label=_("unit price below"))
    volume_from = AmountField(required=False, label=_("volume from"))
    volume_below = AmountField(required=False, label=_("volume below"))
    fixed = AmountField(required=False, label=_("fixed amount"))
    minimum = AmountField(required=False, label=_("minimum"))
    maximum = AmountField(required=False, label=_("maximum"))
    refund_fee_maximum = AmountField(required=False, label=_("kept on refund, at most"))

    class Meta:
        model = CommissionRule
        fields = ["fee", *MANY, *SIMPLE]
        # The model calls both "fixed amount".
        labels = {"fixed_per": _("fixed amount is charged")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = self.instance
        for field in self.fields.values():
            # Django does so for the fields that it makes itself.
            field.label = capfirst(field.label)
        for name in AMOUNTS:
            self.initial[name] = _shown(rule, name, self.initial.get(name))
        self.initial["tiers"] = _tier_lines(rule)

    def clean(self) -> dict[str, Any]:
        """Turn the amounts into minor units of the rule's currency."""
        data = super().clean() or {}
        currency = data.get("currency") or ""
        if currency and not is_currency(currency):
            return data
        self._clean_amounts(data, currency)
        data["fixed"] = data.get("fixed") or 0
        for name in ("ppm", "tax_ppm", "refund_fee_ppm"):
            data[name] = data.get(name) or 0
        data["tiers"] = self._tiers(data.get("tiers") or "", currency, data)
        return data

    def _clean_amounts(self, data: dict[str, Any], currency: str) -> None:
        counts_orders = data.get("volume_measure") == CommissionRule.VolumeMeasure.ORDERS
        for name in AMOUNTS:
            amount = data.get(name)
            if amount is not None:
                in_orders = counts_orders and name in VOLUMES
                data[name] = self._minor(name, amount, "" if in_orders else currency, in_orders)

    def _minor(self, name: str, amount: Decimal, currency: str, is_plain: bool) -> int | None:
        if is_plain:
            return int(amount)
        if not currency:
            # The service's own sentence says that an amount needs a currency.
            return int(amount) if amount else 0
        try:
            return clean_amount(name, amount, currency)
        except forms.ValidationError as error:
            self.add_error(None, error)
            return None

    def _tiers(self, text: str, currency: str, data: dict[str, Any]) -> list[list[int]]:
        by_orders = (
            data.get("tiers_by") == CommissionRule.TiersBy.VOLUME
            and data.get("volume_measure") == CommissionRule.VolumeMeasure.ORDERS
        )
        tiers = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                tiers.append(_tier(line, "" if by_orders else currency))
            except (Unreadable, TooFine, ValueError):
                message = gettext("Line %(number)d is not “from: percent”, as in 25.00: 3.5.")
                self.add_error("tiers", message % {"number": number})
        return tiers


def _tier(line: str, currency: str) -> list[int]:
    lower, colon, rate = line.partition(":")
    if not colon:
        raise Unreadable(line)
    start = read_local_number(lower)
    percent = read_local_number(rate.strip().removesuffix("%")) * 10_000
    if percent != int(percent) or not 0 <= percent <= 1_000_000:
        raise Unreadable(rate)
    return [to_minor(start, currency) if currency else int(start), int(percent)]


def _shown(rule: CommissionRule, name: str, value: Any) -> Any:
    """Return a stored amount as people write it."""
    counts_orders = rule.volume_measure == CommissionRule.VolumeMeasure.ORDERS
    if not isinstance(value, int) or not rule.currency or (counts_orders and name in VOLUMES):
        return value or None
    return to_major(value, rule.currency)


def _tier_lines(rule: CommissionRule) -> str:
    counts_orders = rule.volume_measure == CommissionRule.VolumeMeasure.ORDERS
    by_orders = rule.tiers_by == CommissionRule.TiersBy.VOLUME and counts_orders
    lines = []
    for lower, ppm in rule.tiers:
        start = lower if by_orders or not rule.currency else to_major(lower, rule.currency)
        percent = formats.number_format((Decimal(ppm) / 10_000).normalize(), use_l10n=True)
        lines.append(f"{formats.number_format(start, use_l10n=True)}: {percent}")
    return "\n".join(lines)
