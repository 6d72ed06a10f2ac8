"""Reads of the ledger: balances, claims, imbalance."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Sum


class LedgerEntryQuerySet(models.QuerySet):
    """Entries."""

    def balances(self) -> list[dict[str, Any]]:
        """The sum of every account."""
        return list(
            self.values("account_id", "account__code", "account__seller_id", "currency")
            .annotate(balance=Sum("amount"))
            .order_by("account_id")
        )

    def unclaimed(self, seller_id: int, currency: str) -> "LedgerEntryQuerySet":
        """What a payout would pay: entries payable to the seller that no payout holds."""
        return self.filter(
            account__code="seller_payable",
            account__seller_id=seller_id,
            account__currency=currency,
            payout_item__isnull=True,
        )

    def between(self, start: datetime | None, end: datetime | None) -> "LedgerEntryQuerySet":
        """Entries posted from `start` until before `end`."""
        queryset = self
        if start is not None:
            queryset = queryset.filter(transaction__posted_at__gte=start)
        if end is not None:
            queryset = queryset.filter(transaction__posted_at__lt=end)
        return queryset

    def for_staff(self) -> "LedgerEntryQuerySet":
        """With account and transaction."""
        return self.select_related("account", "transaction")
