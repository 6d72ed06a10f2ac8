"""Fields of forms in which staff write rules about amounts: the currency, and what is typed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from riskops.amounts import typed_amount
from systemadmin.foundation.forms import read_local_number
from systemadmin.foundation.money import CURRENCIES
from systemadmin.foundation.parsing import Unreadable, parse_whole_number

NONE = [("", "—")]
WRITE_AMOUNT = _("Write an amount of this currency, such as 12.50.")
WRITE_WHOLE = _("Write a whole number.")
CHOOSE_CURRENCY = _("Choose the currency of the amounts.")


def currency_field() -> forms.ChoiceField:
    """Return the currency in which amounts of a rule are typed."""
    return forms.ChoiceField(
        label=_("Currency"),
        choices=[*NONE, *((code, code) for code in sorted(CURRENCIES))],
        required=False,
        help_text=_("Amounts are typed in it, such as 12.50, and only events in it count."),
    )


def read_number(form: Any, name: str, text: Any, currency: str | None) -> int | None:
    """Return a typed whole number, or an amount of a currency in minor units.

    What cannot be read is noted at the field.
    """
    text = str(text or "").strip()
    found: int | None
    try:
        if currency is None:
            return parse_whole_number(text, -(10**15))
        found = typed_amount(read_local_number(text), currency)
    except Unreadable:
        found = None
    if found is None:
        form.add_error(name, WRITE_WHOLE if currency is None else WRITE_AMOUNT)
    return found
