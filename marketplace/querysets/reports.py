"""Reports out of the ledger, so that they agree with the books to the last minor unit.

Commissions are read from the revenue and tax accounts, sales from payments and refunds.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import (
    Coalesce,
    TruncDay,
    TruncMonth,
    TruncQuarter,
    TruncWeek,
    TruncYear,
)

from marketplace.models import LedgerEntry
from marketplace.querysets.ledger import LedgerEntryQuerySet

TRUNC = {
    "day": TruncDay,
    "week": TruncWeek,
    "month": TruncMonth,
    "quarter": TruncQuarter,
    "year": TruncYear,
}
GROUPS = ("period", "seller", "category", "currency")
SALES_GROUPS = ("period", "seller", "currency")


def commissions(
    *,
    start: datetime,
    end: datetime,
    group_by: Sequence[str],
    granularity: str = "month",
    tz: tzinfo | None = None,
    seller: int | None = None,
    category_ids: Sequence[int] | None = None,
    currency: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield what the platform earned and gave back, per group and always per currency."""
    entries = LedgerEntry.objects.between(start, end).filter(account__code__in=["revenue", "tax"])
    # What was paid to the tax authority is no less tax on commissions.
    entries = _with_party(entries.exclude(transaction__journal_entry__kind="tax_remitted"))
    if seller is not None:
        entries = entries.filter(party=seller)
    if category_ids is not None:
        entries = entries.filter(line__category_id__in=category_ids)
    if currency:
        entries = entries.filter(currency=currency)
    names = {
        "seller": ("party", "party_name"),
        "category": ("line__category_id", "line__category__name"),
    }
    rows, columns = _grouped(entries, group_by, granularity, tz, "transaction__posted_at", names)
    revenue = Q(account__code="revenue")
    summed = rows.annotate(
        credited=Sum("amount", filter=revenue & Q(amount__lt=0), default=0),
        reversed=Sum("amount", filter=revenue & Q(amount__gt=0), default=0),
        taxed=Sum("amount", filter=Q(account__code="tax"), default=0),
    ).order_by(*columns)
    for row in summed.iterator(chunk_size=2000):
        yield _named(row, names) | {
            "commission": -row["credited"],
            "reversed": row["reversed"],
            "net": -row["credited"] - row["reversed"],
            "tax": -row["taxed"],
        }


def _with_party(entries: LedgerEntryQuerySet) -> LedgerEntryQuerySet:
    """Add the seller of each entry: of its order, of its journal entry or of its payout."""
    return entries.annotate(
        party=Coalesce(
            "line__order__seller_id",
            "transaction__journal_entry__seller_id",
            "transaction__payout__seller_id",
        ),
        party_name=Coalesce(
            "line__order__seller__username",
            "transaction__journal_entry__seller__username",
            "transaction__payout__seller__username",
        ),
    )


def sales(
    *,
    start: datetime,
    end: datetime,
    group_by: Sequence[str],
    granularity: str = "month",
    tz: tzinfo | None = None,
    seller: int | None = None,
    currency: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield what was sold and given back, per group and always per currency.

    Payments count on the day they were booked and refunds on theirs, so that a month that is over
    no longer changes.
    """
    entries = LedgerEntry.objects.between(start, end).filter(
        account__code="cash", transaction__kind__in=["payment", "refund"]
    )
    if seller is not None:
        entries = entries.filter(transaction__order__seller_id=seller)
    if currency:
        entries = entries.filter(currency=currency)
    names = {"seller": ("transaction__order__seller_id", "transaction__order__seller__username")}
    rows, columns = _grouped(entries, group_by, granularity, tz, "transaction__posted_at", names)
    paid, given_back = Q(transaction__kind="payment"), Q(transaction__kind="refund")
    summed = rows.annotate(
        orders=Count("pk", filter=paid),
        gross=Sum("amount", filter=paid, default=0),
        given_back=-Sum("amount", filter=given_back, default=0),
    ).order_by(*columns)
    for row in summed.iterator(chunk_size=2000):
        yield _named(row, names) | {
            "orders": row["orders"],
            "gross": row["gross"],
            "refunded": row["given_back"],
            "net": row["gross"] - row["given_back"],
        }


def _grouped(
    queryset: QuerySet,
    group_by: Sequence[str],
    granularity: str,
    tz: tzinfo | None,
    moment: str,
    names: dict[str, tuple[str, str]],
) -> tuple[QuerySet, list[str]]:
    columns = []
    if "period" in group_by:
        queryset = queryset.annotate(period=TRUNC[granularity](moment, tzinfo=tz))
        columns.append("period")
    for group in ("seller", "category"):
        if group in group_by:
            columns += names[group]
    columns.append("currency")
    return queryset.order_by().values(*columns), columns


def _named(row: dict[str, Any], names: dict[str, tuple[str, str]]) -> dict[str, Any]:
    shown = {"currency": row["currency"]}
    if "period" in row:
        shown["period"] = row["period"]
    for group, (key, name) in names.items():
        if key in row:
            shown[group], shown[f"{group}_name"] = row[key], row[name]
    return shown
