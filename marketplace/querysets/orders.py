"""Reads of orders."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q


class OrderQuerySet(models.QuerySet):
    """Orders."""

    def of_member(self, user: Any, role: str | None = None) -> "OrderQuerySet":
        """What the member bought, sold, or both."""
        if role == "buyer":
            return self.filter(buyer=user)
        if role == "seller":
            return self.filter(seller=user)
        return self.filter(Q(buyer=user) | Q(seller=user))

    def overdue(self, now: datetime) -> "OrderQuerySet":
        """Reservations whose time is over."""
        return self.filter(status="reserved", reserved_until__lte=now)

    def with_lines(self) -> "OrderQuerySet":
        """With lines and both parties: a fixed number of queries for any page."""
        return self.select_related("buyer", "seller").prefetch_related("lines", "disputes")
