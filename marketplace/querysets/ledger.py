"""Reads of the ledger: balances, claims, selections."""

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q, Sum


class LedgerEntryQuerySet(models.QuerySet):
    """Named filters over ledger entries."""

    def balances(self) -> list[dict[str, Any]]:
        """Return the sum of every account."""
        return list(
            self.values("account_id", "account__code", "account__seller_id", "currency")
            .annotate(balance=Sum("amount"))
            .order_by("account_id")
        )

    def unclaimed(self, seller_id: int, currency: str) -> Self:
        """Return what a payout would pay: entries payable to the seller that no payout holds."""
        return self.filter(
            account__code="seller_payable",
            account__seller_id=seller_id,
            account__currency=currency,
            payout_item__isnull=True,
        )

    def between(self, start: datetime | None, end: datetime | None) -> Self:
        """Return entries posted from `start` until before `end`."""
        queryset = self
        if start is not None:
            queryset = queryset.filter(transaction__posted_at__gte=start)
        if end is not None:
            queryset = queryset.filter(transaction__posted_at__lt=end)
        return queryset

    def of_transactions_with(self, seller_id: int) -> Self:
        """Return entries of whole transactions that concern a seller, so that they balance."""
        own = self.model._default_manager.filter(
            transaction_id=OuterRef("transaction_id"), account__seller_id=seller_id
        )
        return self.filter(
            Q(transaction__order__seller_id=seller_id)
            | Q(transaction__payout__seller_id=seller_id)
            | Q(Exists(own))
        )

    def for_staff(self) -> Self:
        """Return the rows with account and transaction."""
        return self.select_related("account", "transaction")
