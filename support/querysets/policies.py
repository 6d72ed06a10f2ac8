"""Reads of service policies."""

from typing import Any

from django.db.models import Q, QuerySet


class SlaPolicyQuerySet(QuerySet):
    """Named filters over policies."""

    def matching(self, *, priority: str, category_id: int | None) -> "SlaPolicyQuerySet":
        """Return active policies that a ticket falls under, the one that counts first."""
        category: Any = Q(category__isnull=True)
        if category_id is not None:
            category |= Q(category_id=category_id)
        return (
            self.filter(category, Q(priority="") | Q(priority=priority), is_active=True)
            .select_related("current")
            .order_by("position", "id")
        )
