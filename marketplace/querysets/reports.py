"""Reports: commissions out of the ledger, sales out of the orders.

Commissions are read from the entries of the revenue and tax accounts, so a report always agrees
with the books to the last minor unit.
"""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDay, TruncMonth, TruncWeek

from marketplace.models import LedgerEntry, Order

TRUNC = {"day": TruncDay, "week": TruncWeek, "month": TruncMonth}
GROUPS = ("period", "seller", "category", "currency")
SALES_GROUPS = ("period", "seller", "currency")
MAX_ROWS = 5_000


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
) -> list[dict[str, Any]]:
    """Return what the platform earned and gave back, per group and always per currency."""
    entries = LedgerEntry.objects.between(start, end).filter(
        account__code__in=["revenue", "tax"], line__isnull=False
    )
    if seller is not None:
        entries = entries.filter(line__order__seller_id=seller)
    if category_ids is not None:
        entries = entries.filter(line__category_id__in=category_ids)
    if currency:
        entries = entries.filter(currency=currency)
    names = {
        "seller": ("line__order__seller_id", "line__order__seller__username"),
        "category": ("line__category_id", "line__category__name"),
    }
    rows, columns = _grouped(entries, group_by, granularity, tz, "transaction__posted_at", names)
    revenue = Q(account__code="revenue")
    summed = rows.annotate(
        credited=Sum("amount", filter=revenue & Q(amount__lt=0), default=0),
        reversed=Sum("amount", filter=revenue & Q(amount__gt=0), default=0),
        taxed=Sum("amount", filter=Q(account__code="tax"), default=0),
    ).order_by(*columns)
    return [
        _named(row, names)
        | {
            "commission": -row["credited"],
            "reversed": row["reversed"],
            "net": -row["credited"] - row["reversed"],
            "tax": -row["taxed"],
        }
        for row in summed[:MAX_ROWS]
    ]


def sales(
    *,
    start: datetime,
    end: datetime,
    group_by: Sequence[str],
    granularity: str = "month",
    tz: tzinfo | None = None,
    seller: int | None = None,
    currency: str | None = None,
) -> list[dict[str, Any]]:
    """Return what was sold, per group and always per currency, by day of payment."""
    orders = Order.objects.filter(paid_at__gte=start, paid_at__lt=end)
    if seller is not None:
        orders = orders.filter(seller_id=seller)
    if currency:
        orders = orders.filter(currency=currency)
    names = {"seller": ("seller_id", "seller__username")}
    rows, columns = _grouped(orders, group_by, granularity, tz, "paid_at", names)
    summed = rows.annotate(
        orders=Count("pk"), gross=Sum("total"), given_back=Sum("refunded")
    ).order_by(*columns)
    return [
        _named(row, names)
        | {
            "orders": row["orders"],
            "gross": row["gross"],
            "refunded": row["given_back"],
            "net": row["gross"] - row["given_back"],
        }
        for row in summed[:MAX_ROWS]
    ]


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
