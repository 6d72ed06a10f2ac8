"""`/api/admin/stats` and `/api/admin/system`: figures and state."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import StaffViewSet
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.parsing import Unreadable, parse_moment_or_day
from systemadmin.foundation.plugins import collect
from systemadmin.foundation.series import GRANULARITIES, buckets
from systemadmin.services.alert_rules import read_metrics
from systemadmin.services.statistics import Span, statistics
from systemadmin.services.system_status import system_status

MOST_BUCKETS = 400
PARAMETERS = [
    OpenApiParameter("from", OpenApiTypes.DATETIME, description="Default: 30 days ago."),
    OpenApiParameter("to", OpenApiTypes.DATETIME, description="Default: now. Not included."),
    OpenApiParameter("granularity", str, enum=list(GRANULARITIES)),
    OpenApiParameter("timezone", str, description="IANA name; default UTC."),
]


class FigureSerializer(serializers.Serializer):
    """One figure, its value before, and its series."""

    code = serializers.CharField()
    title = serializers.CharField()
    unit = serializers.CharField()
    value = serializers.JSONField(required=False)
    previous = serializers.JSONField(required=False)
    change_percent = serializers.FloatField(required=False, allow_null=True)
    series = serializers.ListField(child=serializers.DictField(), required=False)
    error = serializers.CharField(required=False)


class StatisticsSerializer(serializers.Serializer):
    """A section of figures."""

    section = serializers.CharField()
    to = serializers.DateTimeField()
    granularity = serializers.CharField()
    measured_at = serializers.DateTimeField()
    age_seconds = serializers.FloatField()
    figures = FigureSerializer(many=True)


def span_of(request: Request) -> Span:
    """Return the span that the parameters ask for; raises `InvalidInput`."""
    asked = request.query_params
    unknown = sorted(set(asked) - {"from", "to", "granularity", "timezone"})
    if unknown:
        raise InvalidInput({name: _("Unknown parameter.") for name in unknown})
    granularity = asked.get("granularity", "day")
    if granularity not in GRANULARITIES:
        raise InvalidInput("granularity", ", ".join(GRANULARITIES))
    name = asked.get("timezone", "UTC")
    if name not in available_timezones():
        raise InvalidInput("timezone", _("Unknown time zone."))
    zone = ZoneInfo(name)
    end = _moment("to", asked.get("to"), zone) or timezone.now()
    start = _moment("from", asked.get("from"), zone) or end - timedelta(days=30)
    if start >= end:
        raise InvalidInput("from", _("The start must come before the end."))
    span = Span(start, end, granularity, zone)
    _check_length(span)
    return span


def _check_length(span: Span) -> None:
    """Refuse a span of more buckets than one answer holds."""
    if span.end - span.start > timedelta(days=31 * MOST_BUCKETS):
        raise InvalidInput("from", _("The span is too long for this granularity."))
    parts = buckets(span.start, span.end, span.granularity, span.tz)
    for count, _bucket in enumerate(parts):
        if count > MOST_BUCKETS:
            raise InvalidInput("from", _("The span is too long for this granularity."))


def _moment(field: str, raw: str | None, zone: ZoneInfo) -> datetime | None:
    if raw is None:
        return None
    try:
        moment = parse_moment_or_day(raw, zone)
    except Unreadable as error:
        raise InvalidInput(field, str(error)) from error
    if not 2000 <= moment.year <= 2200:
        raise InvalidInput(field, _("A moment in the years 2000 to 2200."))
    return moment


class StatsViewSet(StaffViewSet):
    """Statistics of all desks, calculated from their tables."""

    access = {"default": "systemadmin.view_statistics"}
    serializer_class = StatisticsSerializer
    pagination_class = None
    filter_backends = ()

    @extend_schema(parameters=PARAMETERS, summary="Overview")
    @action(detail=False)
    def overview(self, request: Request) -> Response:
        """Return what every desk holds most telling."""
        return Response(statistics("overview", span_of(request)))

    @extend_schema(parameters=PARAMETERS, summary="Accounts")
    @action(detail=False)
    def users(self, request: Request) -> Response:
        """Return the figures about members and staff."""
        return Response(statistics("users", span_of(request)))

    @extend_schema(parameters=PARAMETERS, summary="Transactions")
    @action(detail=False)
    def transactions(self, request: Request) -> Response:
        """Return orders, commissions, refunds, disputes."""
        return Response(statistics("transactions", span_of(request)))


class SystemViewSet(StaffViewSet):
    """State of the machine and its parts."""

    access = {"default": "systemadmin.view_systemstatus"}
    serializer_class = None
    pagination_class = None
    filter_backends = ()

    @extend_schema(responses={200: {"$ref": "#/components/schemas/SystemStatus"}}, summary="Status")
    @action(detail=False)
    def status(self, request: Request) -> Response:
        """CPU, memory, disk, traffic, database, cache, queue, checks; measured every 10 s."""
        return Response(system_status())

    @extend_schema(
        responses={(200, "text/plain"): OpenApiTypes.STR}, summary="Metrics for Prometheus"
    )
    @action(detail=False)
    def metrics(self, request: Request) -> Any:
        """Return the metrics in Prometheus' text format; scrape with a bearer token."""
        declared = {metric.name: metric for metric in collect("status", "METRICS")}
        lines = []
        for name, value in sorted(read_metrics(set(declared)).items()):
            lines += [
                f"# HELP atalaya_{name} {declared[name].help}",
                f"# TYPE atalaya_{name} gauge",
                f"atalaya_{name} {value:g}",
            ]
        return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")
