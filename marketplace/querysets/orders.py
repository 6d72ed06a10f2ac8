"""Reads of orders."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Count, F, Q, Sum

# What sellers are credited for before fees, less refunds: `Order.sold` in the database.
SOLD = (
    F("total")
    - F("buyer_fee")
    + F("platform_discount")
    - F("refunded")
    + F("refunded_buyer_fee")
    - F("refunded_platform_discount")
)


class OrderQuerySet(models.QuerySet):
    """Named filters over orders."""

    def of_member(self, user: Any, role: str | None = None) -> "OrderQuerySet":
        """Return what the member bought, sold, or both."""
        if role == "buyer":
            return self.filter(buyer=user)
        if role == "seller":
            return self.filter(seller=user)
        return self.filter(Q(buyer=user) | Q(seller=user))

    def overdue(self, now: datetime) -> "OrderQuerySet":
        """Reservations whose time is over."""
        return self.filter(status="reserved", reserved_until__lte=now)

    def with_lines(self) -> "OrderQuerySet":
        """Return the rows with lines and both parties: a fixed number of queries for any page."""
        return self.select_related("buyer", "seller").prefetch_related("lines", "disputes")

    def volume(
        self,
        *,
        seller_id: int,
        buyer_id: int | None,
        is_pair: bool,
        measure: str,
        currency: str,
        start: datetime | None,
        end: datetime,
    ) -> int:
        """Return what a seller sold before `end`, in minor units or as a number of orders.

        Paid orders count from their payment, less what was refunded; one that was refunded whole
        does not count as an order. With `is_pair` only those of the buyer do: none without one.
        """
        rows = self.filter(seller_id=seller_id, currency=currency, paid_at__lt=end)
        if is_pair:
            rows = rows.filter(buyer_id=buyer_id)
        if start is not None:
            rows = rows.filter(paid_at__gte=start)
        if measure == "orders":
            return rows.exclude(status="refunded").aggregate(found=Count("pk"))["found"]
        return rows.aggregate(found=Sum(SOLD))["found"] or 0
