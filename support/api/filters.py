"""What lists can be narrowed by."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from support.models import (
    Category,
    Faq,
    InboundMessage,
    OutboundMessage,
    Priority,
    ReplyTemplate,
    Status,
    Ticket,
)
from support.services.readings import find_tickets
from systemadmin.foundation.api import ReferenceFilter, StrictFilterSet
from systemadmin.foundation.parsing import Unreadable, is_whole_number
from systemadmin.foundation.references import key_of, parse_reference


class AnyOf(django_filters.MultipleChoiceFilter):
    """One of several values of the row's own: no row comes twice, so no DISTINCT is needed."""

    def __init__(self, **extra: Any) -> None:
        super().__init__(distinct=False, **extra)


class TicketFilter(StrictFilterSet):
    """Filters of the staff's list of tickets."""

    status = AnyOf(choices=Status.choices)
    priority = AnyOf(choices=Priority.choices)
    assignee = django_filters.CharFilter(
        method="by_assignee", label="An account's id (or `ext:…`), `me`, or `none`."
    )
    user = ReferenceFilter(field_name="requester")
    category = django_filters.NumberFilter(
        field_name="category_id", min_value=0, max_value=2**63 - 1
    )
    tag = django_filters.CharFilter(field_name="tags__name")
    overdue = django_filters.BooleanFilter(method="by_overdue")
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")
    search = django_filters.CharFilter(method="by_search", label="Words; each begins a word.")

    class Meta:
        model = Ticket
        fields: list[str] = []

    def by_assignee(self, queryset: Any, name: str, value: str) -> QuerySet:
        if value == "none":
            return queryset.filter(assignee__isnull=True)
        if value == "me":
            return queryset.filter(assignee=self.request.user)
        try:
            return queryset.filter(assignee_id=key_of(parse_reference(value)))
        except Unreadable:
            return queryset.none()

    def by_overdue(self, queryset: Any, name: str, value: bool) -> QuerySet:
        return queryset.overdue() if value else queryset.on_time()

    def by_search(self, queryset: Any, name: str, value: str) -> QuerySet:
        return find_tickets(user=self.request.user, tickets=queryset, query=value)


class MemberTicketFilter(StrictFilterSet):
    """Filters of a member's own list of tickets."""

    status = AnyOf(choices=Status.choices)

    class Meta:
        model = Ticket
        fields: list[str] = []


class CategoryByCode(django_filters.CharFilter):
    """A category by its id or its code."""

    def filter(self, qs: QuerySet, value: str) -> QuerySet:
        if not value:
            return qs
        if is_whole_number(value):
            return qs.filter(category_id=int(value))
        return qs.filter(category__in=Category.objects.filter(code=value))


class FaqFilter(StrictFilterSet):
    """Filters of the public list of questions and answers."""

    category = CategoryByCode()
    search = django_filters.CharFilter(method="by_search")

    class Meta:
        model = Faq
        fields = ["language"]

    def by_search(self, queryset: Any, name: str, value: str) -> QuerySet:
        return queryset.found_by(value)


class StaffFaqFilter(FaqFilter):
    """Filters of the staff's list, which has unpublished questions too."""

    class Meta:
        model = Faq
        fields = ["language", "is_published"]


class TemplateFilter(StrictFilterSet):
    """Filters of the list of reply templates."""

    category = CategoryByCode()

    class Meta:
        model = ReplyTemplate
        fields = ["language", "is_active", "code"]


class InboundFilter(StrictFilterSet):
    """Filters of the list of incoming mail."""

    status = AnyOf(choices=InboundMessage.Status.choices)
    blocked_by = django_filters.NumberFilter(
        field_name="blocked_by_id", min_value=0, max_value=2**63 - 1
    )
    ticket = django_filters.NumberFilter(field_name="ticket_id", min_value=0, max_value=2**63 - 1)

    class Meta:
        model = InboundMessage
        fields: list[str] = []


class OutboundFilter(StrictFilterSet):
    """Filters of the list of outgoing mail."""

    status = AnyOf(choices=OutboundMessage.Status.choices)
    ticket = django_filters.NumberFilter(field_name="ticket_id", min_value=0, max_value=2**63 - 1)

    class Meta:
        model = OutboundMessage
        fields: list[str] = []
