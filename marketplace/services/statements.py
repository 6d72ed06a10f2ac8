"""Statements and invoices of a closed month, for every seller, resumable."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import F

from marketplace.errors import MonthNotClosed
from marketplace.models import (
    ClosedMonth,
    CommissionInvoice,
    FeeTaxRate,
    InvoiceSeries,
    SellerProfile,
    SellerStatement,
)
from marketplace.querysets import statements as reads
from marketplace.querysets.statements import Key
from marketplace.services import clock
from marketplace.services.books import closed_months
from systemadmin import audit
from systemadmin.foundation.configuration import setting
from systemadmin.models import User

CHUNK = 1000


def make_statements(*, actor: User | None, month: date) -> dict[str, int]:
    """Make the statements and invoices of a closed month that do not exist yet.

    Sellers without a balance or a movement get none. Run again it makes what is missing; two runs
    at once make each one once.
    """
    month = month.replace(day=1)
    closed = closed_months().filter(month=month).first()
    if closed is None:
        raise MonthNotClosed
    made = {"statements": _make_statements(closed), "invoices": _make_invoices(closed)}
    if any(made.values()):
        audit.record("marketplace.statements.made", actor=actor, target=closed, after=made)
    return made


def _make_statements(closed: ClosedMonth) -> int:
    before = reads.balances_before(closed.start_at)
    moved = reads.movements(closed.start_at, closed.end_at)
    known = _known(SellerStatement, closed.month)
    keys = sorted(key for key in {*before, *moved} - known if before.get(key) or moved.get(key))
    done = 0
    for chunk in _chunks(keys):
        rows = []
        for seller, currency in chunk:
            opening = before.get((seller, currency), 0)
            changes = moved.get((seller, currency), {})
            rows.append(
                SellerStatement(
                    seller_id=seller,
                    month=closed.month,
                    currency=currency,
                    opening=opening,
                    closing=opening + sum(changes.values()),
                    movements=changes,
                )
            )
        SellerStatement.objects.bulk_create(rows, ignore_conflicts=True)
        done += len(rows)
    return done


def _make_invoices(closed: ClosedMonth) -> int:
    amounts = reads.commission_of(closed.start_at, closed.end_at)
    due = {key for key, parts in amounts.items() if any(parts.values())}
    keys = sorted(due - _known(CommissionInvoice, closed.month))
    return sum(_issue(closed, chunk, amounts) for chunk in _chunks(keys))


@transaction.atomic
def _issue(closed: ClosedMonth, keys: list[Key], amounts: dict[Key, dict[str, int]]) -> int:
    """Write numbered invoices in one transaction: a failure gives its numbers back."""
    name = f"{setting('marketplace.invoice_series')}{clock.today():%Y}"
    InvoiceSeries.objects.get_or_create(name=name)
    # Until the end of the transaction nobody else gives a number of the series.
    series = InvoiceSeries.objects.select_for_update().get(name=name)
    known = _known(CommissionInvoice, closed.month)
    keys = [key for key in keys if key not in known]
    sellers = User.objects.in_bulk({seller for seller, _currency in keys})
    profiles = {
        profile.user_id: profile
        for profile in SellerProfile.objects.filter(user__in=sellers).select_related("user")
    }
    rates = list(FeeTaxRate.objects.all())
    rows = []
    for number, key in enumerate(keys, start=series.last_number + 1):
        seller = sellers[key[0]]
        profile = profiles.get(seller.pk) or SellerProfile(user=seller)
        rows.append(_invoice(series, number, closed.month, key[1], profile, amounts[key], rates))
    CommissionInvoice.objects.bulk_create(rows)
    InvoiceSeries.objects.filter(pk=series.pk).update(last_number=F("last_number") + len(rows))
    return len(rows)


def _invoice(
    series: InvoiceSeries,
    number: int,
    month: date,
    currency: str,
    profile: SellerProfile,
    parts: dict[str, int],
    rates: Iterable[FeeTaxRate],
) -> CommissionInvoice:
    lines = {name: parts.get(name, 0) for name in ("charged", "returned", "payouts", "credited")}
    net, tax = sum(lines.values()), parts.get("tax", 0)
    return CommissionInvoice(
        series=series,
        number=number,
        seller=profile.user,
        month=month,
        currency=currency,
        net=net,
        tax=tax,
        total=net + tax,
        is_reverse_charge=tax == 0 and _is_reverse_charge(profile, rates),
        content={
            "series": series.name,
            "issuer": {
                name: setting(f"marketplace.platform_{name}")
                for name in ("legal_name", "tax_id", "address")
            },
            "recipient": {
                "name": profile.legal_name or profile.user.username,
                "tax_id": profile.tax_id,
                "address": profile.address,
                "city": f"{profile.postal_code} {profile.city}".strip(),
                "country": profile.user.country,
            },
            "lines": lines,
            "language": profile.user.language,
        },
        issued_on=clock.today(),
    )


def _is_reverse_charge(profile: SellerProfile, rates: Iterable[FeeTaxRate]) -> bool:
    """Return whether the row that says the most about the seller is a reverse charge."""
    country, status = profile.user.country, profile.tax_status
    fitting = [
        rate for rate in rates if rate.country in ("", country) and rate.tax_status in ("", status)
    ]
    best = max(fitting, key=lambda rate: (bool(rate.country), bool(rate.tax_status)), default=None)
    return bool(best and best.is_reverse_charge)


def _known(model: Any, month: date) -> set[Key]:
    return set(model.objects.filter(month=month).values_list("seller_id", "currency"))


def _chunks(keys: list[Key]) -> Iterable[list[Key]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]
