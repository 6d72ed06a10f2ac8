"""Amounts and kept contents as people read them."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.utils.html import format_html_join

from marketplace.models import LedgerAccount, LedgerTransaction
from systemadmin.foundation.money import format_money


def money_column(model: type[Model], name: str, currency: str = "currency") -> Any:
    """Return a column that shows an amount in its currency; `currency` is a dotted path."""
    field: Any = model._meta.get_field(name)

    @admin.display(description=field.verbose_name)
    def column(row: Any) -> str:
        amount = getattr(row, name)
        if amount is None:
            return "-"
        return format_money(amount, reduce(getattr, currency.split("."), row))

    column.__name__ = f"money_{name}"
    return column


def named_lines(rows: Iterable[tuple[Any, Any]]) -> Any:
    """Return names with values as a list; "-" where there are none."""
    return format_html_join("", "<div>{}: {}</div>", rows) or "-"


def movements_shown(movements: Mapping[str, int], currency: str) -> Any:
    """Return changes of a balance by kind of transaction."""
    kinds = dict(LedgerTransaction.Kind.choices)
    return named_lines(
        (kinds.get(kind, kind), format_money(amount, currency))
        for kind, amount in movements.items()
    )


def turnover_shown(totals: Mapping[str, Mapping[str, int]]) -> Any:
    """Return what was booked on each kind of account, per currency."""
    names = dict(LedgerAccount.Code.choices)
    return named_lines(
        (names.get(code, code), format_money(amount, currency))
        for currency, accounts in totals.items()
        for code, amount in accounts.items()
    )
