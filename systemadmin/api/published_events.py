"""`/api/admin/events`: the log of what happened, to catch up with what was missed."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.errors import EventsGone
from systemadmin.foundation.api import CursorList, ListAction, StaffViewSet, StrictFilterSet
from systemadmin.foundation.api.schema import problem_responses
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.parsing import Unreadable, parse_whole_number
from systemadmin.foundation.personal_data import sees_personal_data
from systemadmin.foundation.published_events import event_kinds
from systemadmin.models import PublishedEvent
from systemadmin.services.event_log import number_for_readers
from systemadmin.services.event_messages import rendered

LARGEST = 10**15


class EventMessageSerializer(serializers.Serializer):
    """A message, as webhooks send it; what `data` holds is under `webhooks` in the schema."""

    id = serializers.CharField()
    type = serializers.CharField()
    timestamp = serializers.DateTimeField()
    sequence = serializers.IntegerField()
    data = serializers.DictField()  # type: ignore[assignment]


class EventFilter(StrictFilterSet):
    """Beyond a number, from a moment on, of some kinds, about an account."""

    after = django_filters.NumberFilter("sequence", lookup_expr="gt")
    since = django_filters.IsoDateTimeFilter("occurred_at", lookup_expr="gte")
    type = django_filters.MultipleChoiceFilter(
        field_name="kind", choices=lambda: [(name, name) for name in event_kinds()]
    )

    class Meta:
        model = PublishedEvent
        fields: list[str] = []


class PublishedEventViewSet(ListAction, StaffViewSet):
    """The log, oldest first. `after` is the `sequence` of the last event that was handled."""

    access = {"list": "systemadmin.view_publishedevent"}
    serializer_class = EventMessageSerializer
    filterset_class = EventFilter
    pagination_class = CursorList
    ordering = ("sequence",)

    def get_queryset(self) -> QuerySet:
        """Return what has a number."""
        return PublishedEvent.objects.numbered()

    @extend_schema(
        responses={200: EventMessageSerializer(many=True), **problem_responses(410)},
        summary="What happened",
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return what happened, in the order of the log, without a gap."""
        number_for_readers()
        rows = self.filter_queryset(self.get_queryset())
        _check_kept(request.query_params.get("after"))
        page = self.paginate_queryset(rows)
        shown = rendered(page or [], is_masked=not sees_personal_data(request.user))
        return self.get_paginated_response(shown)


def _check_kept(after: str | None) -> None:
    if after is None:
        return
    try:
        number = parse_whole_number(after, 0, LARGEST)
    except Unreadable as error:
        raise InvalidInput("after", str(error)) from error
    oldest = PublishedEvent.objects.numbered().values_list("sequence", flat=True).first()
    if number and oldest is not None and oldest > number + 1:
        raise EventsGone(extra={"oldest": oldest})
