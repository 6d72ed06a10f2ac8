"""Reads of anomalies, their rules and exemptions."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Case, Count, Q, QuerySet, When

WORST_FIRST = ("critical", "high", "medium", "low")


class AnomalyRuleQuerySet(QuerySet):
    """Named filters over rules."""

    def enabled(self) -> AnomalyRuleQuerySet:
        """Return rules that are on."""
        return self.filter(is_enabled=True)

    def with_precision(self) -> AnomalyRuleQuerySet:
        """Return how often each rule was right, over its resolved anomalies."""
        resolved = Q(anomalies__status="resolved")
        right = resolved & Q(anomalies__outcome__in=["confirmed", "valuable"])
        return self.annotate(
            open_count=Count("anomalies", filter=Q(anomalies__status="open")),
            resolved_count=Count("anomalies", filter=resolved),
            right_count=Count("anomalies", filter=right),
        )


class AnomalyQuerySet(QuerySet):
    """Named filters over anomalies."""

    def open(self) -> AnomalyQuerySet:
        """Return anomalies that are not resolved yet."""
        return self.filter(status="open")

    def worst_first(self) -> AnomalyQuerySet:
        """By severity, then by how long they wait."""
        rank = Case(*(When(severity=name, then=n) for n, name in enumerate(WORST_FIRST)))
        return self.order_by(rank, "detected_at", "id")

    def shown_with(self) -> AnomalyQuerySet:
        """Return the rows with rule, account and the one who resolved it."""
        return self.select_related("rule", "account", "resolved_by")


class AnomalyExemptionQuerySet(QuerySet):
    """Named filters over exemptions."""

    def in_force(self, now: datetime) -> AnomalyExemptionQuerySet:
        """Return exemptions that have not ended."""
        return self.filter(expires_at__gt=now)
