"""Reads of the event log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q


class PublishedEventQuerySet(models.QuerySet[Any]):
    """Events by their place in the log."""

    def unnumbered(self) -> "PublishedEventQuerySet":
        """Return what was committed and has no place in the log yet, oldest first."""
        return self.filter(sequence__isnull=True, is_test=False).order_by("id")

    def numbered(self) -> "PublishedEventQuerySet":
        """Return the log, oldest first."""
        return self.filter(sequence__isnull=False).order_by("sequence")

    def after(self, sequence: int | None, since: datetime | None) -> "PublishedEventQuerySet":
        """Return the log beyond a number, from a moment on, or both."""
        rows = self.numbered()
        if sequence is not None:
            rows = rows.filter(sequence__gt=sequence)
        return rows.filter(occurred_at__gte=since) if since is not None else rows

    def of_kinds(self, kinds: Sequence[str]) -> "PublishedEventQuerySet":
        """Return events of these kinds; of all when none is named."""
        return self.filter(kind__in=kinds) if kinds else self

    def about(self, account: Any) -> "PublishedEventQuerySet":
        """Return events that name an account."""
        return self.filter(Q(user=account) | Q(other_user=account))
