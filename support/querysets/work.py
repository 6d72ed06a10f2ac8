"""Reads of agents' own lists of tickets."""

from typing import Any

from django.db.models import Q, QuerySet


class SavedViewQuerySet(QuerySet):
    """Named filters over saved views."""

    def of(self, user: Any) -> "SavedViewQuerySet":
        """Return an agent's own views and those that others share."""
        return self.filter(Q(owner=user) | Q(is_shared=True))
