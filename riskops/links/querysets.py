"""Reads of related accounts, clusters and lists of addresses."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Q, QuerySet

from riskops.links.rules import KIND_CODES


class RelatedAccountQuerySet(QuerySet):
    """Named filters over pairs."""

    def of_account(self, account_id: int) -> RelatedAccountQuerySet:
        """Return the pairs an account is in."""
        return self.filter(Q(low_id=account_id) | Q(high_id=account_id))

    def suspected(self) -> RelatedAccountQuerySet:
        """Return pairs that nobody has judged."""
        return self.filter(status="suspected")

    def with_kind(self, kind: str) -> RelatedAccountQuerySet:
        """Return pairs that share some identifier of a kind."""
        bit = 1 << KIND_CODES[kind]
        return self.annotate(_kind=F("kinds").bitand(bit)).filter(_kind=bit)

    def shown_with(self) -> RelatedAccountQuerySet:
        """Return the rows with the accounts and the author of the verdict."""
        return self.select_related("low", "high", "decided_by")

    def ended(self, now: datetime) -> RelatedAccountQuerySet:
        """Return verdicts whose time is over."""
        return self.exclude(status="suspected").filter(expires_at__lte=now)


class AccountClusterQuerySet(QuerySet):
    """Named filters over clusters."""

    def suspected(self) -> AccountClusterQuerySet:
        """Return groups that nobody has judged."""
        return self.filter(status="suspected")

    def of_account(self, account_id: int) -> AccountClusterQuerySet:
        """Return the cluster an account is in."""
        return self.filter(members__account_id=account_id)


class IpRangeQuerySet(QuerySet):
    """Named filters over listed addresses."""

    def in_force(self, now: datetime) -> IpRangeQuerySet:
        """Return entries that have not expired."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
