"""Named filters over events, identifiers and sightings."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from systemadmin.foundation import configuration


class AccountEventQuerySet(QuerySet):
    """Named filters over events."""

    def of_account(self, account_id: int) -> AccountEventQuerySet:
        """Return the timeline of one account, newest first."""
        return self.filter(account_id=account_id).order_by("-occurred_at", "-id")

    def with_identifiers(self) -> AccountEventQuerySet:
        """Return the rows with the identifiers each event mentions."""
        related: Any = ("account", "ip", "device", "wallet", "counterparty_wallet")
        return self.select_related(*related)


class IdentifierQuerySet(QuerySet):
    """Named filters over identifiers."""

    def of_account(self, account_id: int) -> IdentifierQuerySet:
        """Return the identifiers that an account was seen with."""
        return self.filter(sightings__account_id=account_id)

    def beginning_with(self, text: str) -> IdentifierQuerySet:
        """Return identifiers whose value begins so; devices and addresses are in lower case."""
        return self.filter(Q(value__startswith=text) | Q(value__startswith=text.lower()))

    def as_evidence(self) -> IdentifierQuerySet:
        """Return the rows with what is shown of an identifier that two accounts share."""
        return self.only(
            "kind", "value", "subnet", "accounts", "is_shared", "shared_reason", "listing"
        )

    def loud(self) -> IdentifierQuerySet:
        """Return identifiers that link nobody: crowded, marked as shared, or on a list."""
        cap = int(configuration.setting("riskops.links_crowd_cap"))
        return self.filter(Q(accounts__gt=cap) | Q(is_shared=True) | ~Q(listing=""))


class SightingQuerySet(QuerySet):
    """Named filters over sightings."""

    def of_account(self, account_id: int) -> SightingQuerySet:
        """Return what an account was seen with, latest first."""
        return (
            self.filter(account_id=account_id)
            .select_related("identifier")
            .order_by("-last_seen", "-id")
        )
