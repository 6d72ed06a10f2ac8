"""Filters of the risk desk's core lists."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet
from django.utils import timezone

from riskops.models.scores import LEVEL_BY_CODE
from riskops.querysets.shown_scores import not_own
from riskops.scores.rules import LEVELS
from systemadmin.foundation.api import StrictFilterSet
from systemadmin.models import User
from systemadmin.services.account_lookup import find_accounts


class AccountFilter(StrictFilterSet):
    """Which accounts staff look for."""

    search = django_filters.CharFilter(
        method="find",
        help_text=(
            "Beginning of user name, external id or name; of the e-mail address too for whoever "
            "sees addresses unmasked, else the whole address."
        ),
    )
    risk_level = django_filters.ChoiceFilter(
        choices=[(level, level) for level in LEVELS], method="at_level"
    )
    suspended = django_filters.BooleanFilter(method="is_suspended")
    verified = django_filters.BooleanFilter(
        field_name="verified_at", lookup_expr="isnull", exclude=True
    )
    joined_after = django_filters.IsoDateTimeFilter("date_joined", lookup_expr="gte")
    joined_before = django_filters.IsoDateTimeFilter("date_joined", lookup_expr="lt")

    class Meta:
        model = User
        fields = ("country", "is_staff", "is_demo", "is_active")

    def find(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        http = self.request._request
        return find_accounts(http=http, actor=self.request.user, accounts=queryset, text=value)

    def at_level(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        found = queryset.filter(risk_score__level=LEVEL_BY_CODE[value])
        return not_own(found, self.request.user, "pk")

    def is_suspended(self, queryset: QuerySet, name: str, value: bool) -> QuerySet:
        if value:
            return queryset.suspended()
        standing = queryset.filter(suspended_at__isnull=True)
        return standing | queryset.filter(suspended_until__lte=timezone.now())


class HistoryFilter(StrictFilterSet):
    """Which changes of a score."""

    after = django_filters.IsoDateTimeFilter("at", lookup_expr="gte")
    before = django_filters.IsoDateTimeFilter("at", lookup_expr="lt")


class RulesetFilter(StrictFilterSet):
    """Which versions of the rules."""

    published = django_filters.BooleanFilter("published_at", lookup_expr="isnull", exclude=True)
