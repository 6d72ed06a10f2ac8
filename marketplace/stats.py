"""Figures of the marketplace for the overview and the transactions page."""

from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Count, Sum
from django.utils.translation import gettext_lazy as _

from marketplace.models import Dispute, LedgerEntry, Order, Product, Refund
from systemadmin.foundation.plugins import Stat
from systemadmin.foundation.series import between, per_bucket

Series = list[tuple[datetime, Any]]


def _paid(start: datetime, end: datetime) -> Any:
    return between(Order.objects.all(), "paid_at", start, end)


def _by_currency(queryset: Any, field: str) -> dict[str, int]:
    rows = queryset.order_by().values("currency").annotate(sum=Sum(field))
    return {row["currency"]: row["sum"] for row in rows.order_by("currency")}


def orders_paid(start: datetime, end: datetime) -> int:
    """Return the number of orders paid from `start` to before `end`."""
    return _paid(start, end).count()


def orders_paid_series(start: datetime, end: datetime, granularity: str, tz: tzinfo) -> Series:
    """Return orders paid, per bucket."""
    return per_bucket(Order.objects.all(), "paid_at", start, end, granularity, tz)


def turnover(start: datetime, end: datetime) -> dict[str, int]:
    """Return what buyers paid, per currency."""
    return _by_currency(_paid(start, end), "total")


def commission(start: datetime, end: datetime) -> dict[str, int]:
    """Return what the platform earned, per currency, as the books say."""
    earned = LedgerEntry.objects.between(start, end).filter(account__code="revenue")
    return {code: -value for code, value in _by_currency(earned, "amount").items()}


def refunds(start: datetime, end: datetime) -> int:
    """Return the number of refunds made from `start` to before `end`."""
    return Refund.objects.filter(created_at__gte=start, created_at__lt=end).count()


def refunded(start: datetime, end: datetime) -> dict[str, int]:
    """Return what went back to buyers, per currency."""
    rows = between(Refund.objects.all(), "created_at", start, end).order_by()
    sums = rows.values_list("order__currency").annotate(sum=Sum("amount"))
    return dict(sums.order_by("order__currency"))


def orders_by_status(start: datetime, end: datetime) -> dict[str, int]:
    """Return orders paid in the time, by what has become of them."""
    rows = _paid(start, end).order_by().values_list("status").annotate(count=Count("pk"))
    return dict(rows.order_by("status"))


def disputes(start: datetime, end: datetime) -> int:
    """Return the number of disputes opened from `start` to before `end`."""
    return Dispute.objects.filter(created_at__gte=start, created_at__lt=end).count()


def products_listed(start: datetime, end: datetime) -> int:
    """Return products that went on sale."""
    return Product.objects.filter(
        status__in=["approved", "paused"], listed_at__gte=start, listed_at__lt=end
    ).count()


def buyers(start: datetime, end: datetime) -> int:
    """Return the number of members who paid an order from `start` to before `end`."""
    return _paid(start, end).aggregate(count=Count("buyer", distinct=True))["count"]


STATS = [
    Stat(
        code="orders_paid",
        title=_("Orders paid"),
        section="transactions",
        compute=orders_paid,
        series=orders_paid_series,
    ),
    Stat(
        code="turnover",
        title=_("Turnover"),
        section="transactions",
        compute=turnover,
        unit="money",
    ),
    Stat(
        code="commission",
        title=_("Commissions earned"),
        section="transactions",
        compute=commission,
        unit="money",
    ),
    Stat(code="refunds", title=_("Refunds"), section="transactions", compute=refunds),
    Stat(
        code="refunded",
        title=_("Refunded"),
        section="transactions",
        compute=refunded,
        unit="money",
    ),
    Stat(
        code="orders_by_status",
        title=_("Orders by status"),
        section="transactions",
        compute=orders_by_status,
        unit="breakdown",
    ),
    Stat(code="disputes", title=_("Disputes opened"), section="transactions", compute=disputes),
    Stat(
        code="products_listed",
        title=_("Products that went on sale"),
        section="overview",
        compute=products_listed,
    ),
    Stat(code="buyers", title=_("Members who bought"), section="users", compute=buyers),
]
