"""What the report pages of the marketplace share: the asked period, and tables of money."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from marketplace.admin.forms import PeriodForm
from marketplace.services import clock
from systemadmin.foundation.money import format_money


@dataclass(slots=True)
class Table:
    """Amounts of one currency with their sum, as people write them; `left_out` says what is not."""

    title: str
    first: str
    heads: list[Any]
    rows: list[tuple[Any, list[str]]] = field(default_factory=list)
    total: list[str] = field(default_factory=list)
    left_out: int = 0


def period_form(request: HttpRequest, permission: str) -> PeriodForm:
    """Return the form of a report's page; raises `PermissionDenied`."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
    return PeriodForm.for_query(request.GET)


def bounds_of(form: PeriodForm) -> dict[str, Any]:
    """Return the first moment of the first day and the first one behind the last day."""
    data = form.cleaned_data
    return {
        "start": clock.day_start(data["start"]),
        "end": clock.day_start(data["end"] + timedelta(days=1)),
    }


def money_row(row: Mapping[str, int], columns: Iterable[str], currency: str) -> list[str]:
    """Return the amounts of a row in their currency."""
    return [format_money(row[column], currency) for column in columns]


def sums_of(rows: Iterable[Mapping[str, int]], columns: Iterable[str]) -> dict[str, int]:
    """Return the sum of each column."""
    found = list(rows)
    return {column: sum(row[column] for row in found) for column in columns}
