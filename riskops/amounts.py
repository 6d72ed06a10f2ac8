"""Amounts as people read and type them: in major units, with the currency where one is known.

Rules may be about amounts in any currency. These are written with two decimals; in a currency
without decimals 50.00 then stands for 5,000.
"""

from __future__ import annotations

from decimal import Decimal

from django.utils import formats
from django.utils.translation import gettext as _

from systemadmin.foundation.money import (
    TooFine,
    exponent,
    format_money,
    is_currency,
    to_major,
    to_minor,
)

# Two decimals.
LIKE_MOST = "EUR"


def amount_text(amount: int, currency: str) -> str:
    """Return an amount in minor units as people read it."""
    if is_currency(currency):
        return format_money(amount, currency)
    number, _name = format_money(amount, LIKE_MOST).rsplit(" ", 1)
    return _("%(amount)s in any currency") % {"amount": number}


def typed_amount(amount: Decimal, currency: str) -> int | None:
    """Return an amount as typed in minor units; None when it is finer than the currency."""
    try:
        return to_minor(amount, currency if is_currency(currency) else LIKE_MOST)
    except TooFine:
        return None


def entered_amount(amount: int, currency: str) -> str:
    """Return an amount in minor units as it would be typed in the active language."""
    known = currency if is_currency(currency) else LIKE_MOST
    number = to_major(amount, known)
    return formats.number_format(number, exponent(known), use_l10n=True, force_grouping=False)
