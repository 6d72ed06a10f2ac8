"""Reads of the event log."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet


class AccountEventQuerySet(QuerySet):
    """Named filters over events."""

    def of_account(self, account_id: int) -> AccountEventQuerySet:
        """The timeline of one account, newest first."""
        return self.filter(account_id=account_id).order_by("-occurred_at", "-id")

    def with_identifiers(self) -> AccountEventQuerySet:
        """With the identifiers each event mentions."""
        related: Any = ("account", "ip", "device", "wallet", "counterparty_wallet")
        return self.select_related(*related)
