"""Filters of lists of links, clusters and anomalies."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet

from riskops.links.rules import KINDS
from riskops.models import (
    AccountCluster,
    Anomaly,
    AnomalyRule,
    AnomalyStatus,
    IpRange,
    LinkStatus,
    RelatedAccount,
    Severity,
)
from systemadmin.foundation.api import ReferenceFilter, StrictFilterSet


class RelatedFilter(StrictFilterSet):
    """Filters of the list of related accounts."""

    min_strength = django_filters.NumberFilter(
        "strength", lookup_expr="gte", min_value=0, max_value=100
    )
    status = django_filters.ChoiceFilter(choices=LinkStatus.choices)
    kind = django_filters.ChoiceFilter(choices=[(kind, kind) for kind in KINDS], method="with_kind")

    class Meta:
        model = RelatedAccount
        fields = ()

    def with_kind(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.with_kind(value)


class ClusterFilter(StrictFilterSet):
    """Filters of the list of clusters."""

    status = django_filters.ChoiceFilter(choices=LinkStatus.choices)
    min_size = django_filters.NumberFilter(
        "size", lookup_expr="gte", min_value=0, max_value=1_000_000
    )

    class Meta:
        model = AccountCluster
        fields = ()


class AnomalyFilter(StrictFilterSet):
    """Filters of the list of anomalies."""

    rule = django_filters.CharFilter("rule__code", help_text="Code of the rule.")
    severity = django_filters.ChoiceFilter(choices=Severity.choices)
    status = django_filters.ChoiceFilter(choices=AnomalyStatus.choices)
    user = ReferenceFilter("account")
    detected_after = django_filters.IsoDateTimeFilter("detected_at", lookup_expr="gte")
    detected_before = django_filters.IsoDateTimeFilter("detected_at", lookup_expr="lt")

    class Meta:
        model = Anomaly
        fields = ()


class AnomalyRuleFilter(StrictFilterSet):
    """Filters of the list of anomaly rules."""

    class Meta:
        model = AnomalyRule
        fields = ("is_enabled", "detector", "severity")


class RangeFilter(StrictFilterSet):
    """Filters of the list of listed address ranges."""

    class Meta:
        model = IpRange
        fields = ("category", "source")
