"""Reads of decisions, their rules and lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count, Q, QuerySet


class DecisionRuleQuerySet(QuerySet):
    """Named filters over rules."""

    def in_order(self) -> DecisionRuleQuerySet:
        """As they are asked: the first that matches decides."""
        return self.order_by("priority", "id")

    def enabled(self) -> DecisionRuleQuerySet:
        """Return rules that are on, those in shadow mode included."""
        return self.filter(is_enabled=True)

    def blocking(self) -> DecisionRuleQuerySet:
        """Return rules that block in earnest now."""
        return self.enabled().filter(outcome="block", is_shadow=False)


class ListEntryQuerySet(QuerySet):
    """Named filters over entries of the lists."""

    def in_force(self, now: datetime) -> ListEntryQuerySet:
        """Return entries that have not expired."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))

    def matching(self, keys: Iterable[tuple[str, str]]) -> ListEntryQuerySet:
        """Return entries of any of these kinds and values."""
        found = Q(pk__in=[])
        by_kind: dict[str, list[str]] = {}
        for kind, value in keys:
            by_kind.setdefault(kind, []).append(value)
        for kind, values in by_kind.items():
            found |= Q(kind=kind, value__in=values)
        return self.filter(found)


class DecisionQuerySet(QuerySet):
    """Named filters over decisions."""

    def shown_with(self) -> DecisionQuerySet:
        """Return the rows with what a decision is shown with."""
        return self.select_related("account", "rule", "ruleset", "feedback_by")

    def by_rule(self, start: datetime) -> dict[int, int]:
        """Return how many decisions each rule made since a moment."""
        rows = self.filter(decided_at__gte=start, rule__isnull=False).order_by()
        return dict(rows.values_list("rule").annotate(Count("pk")))
