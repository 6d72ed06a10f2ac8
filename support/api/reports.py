"""The desk's figures."""

from dataclasses import asdict

from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from support.querysets.report_csv import MAX_DAYS, csv_of
from support.querysets.reports import Report, build_report
from support.report_period import report_period
from systemadmin.foundation.api import StaffViewSet, StrictSerializer
from systemadmin.foundation.errors import InvalidInput


class PeriodInput(StrictSerializer):
    """From one day up to and including another."""

    start = serializers.DateField()
    end = serializers.DateField()


PERIOD = [
    OpenApiParameter("start", OpenApiTypes.DATE, required=True),
    OpenApiParameter("end", OpenApiTypes.DATE, required=True),
]


class SpeedSerializer(serializers.Serializer):
    """Working seconds."""

    count = serializers.IntegerField()
    first_response_median = serializers.FloatField(allow_null=True)
    first_response_p90 = serializers.FloatField(allow_null=True)
    resolution_median = serializers.FloatField(allow_null=True)
    resolution_p90 = serializers.FloatField(allow_null=True)


class SupportReportRowSerializer(serializers.Serializer):
    """One agent or category."""

    name = serializers.CharField()
    speed = SpeedSerializer()
    breaches = serializers.IntegerField()
    rating = serializers.FloatField(allow_null=True)


class SupportReportSerializer(serializers.Serializer):
    """Volume, speed, promises broken, backlog, verdicts."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    opened = serializers.IntegerField()
    resolved = serializers.IntegerField()
    answers = serializers.IntegerField()
    backlog = serializers.IntegerField()
    overdue = serializers.IntegerField()
    speed = SpeedSerializer()
    breaches = serializers.DictField(child=serializers.IntegerField())
    rating_average = serializers.FloatField(allow_null=True)
    rating_count = serializers.IntegerField()
    opened_by_day = serializers.ListField(child=serializers.ListField())
    resolved_by_day = serializers.ListField(child=serializers.ListField())
    backlog_ages = serializers.ListField(child=serializers.ListField())
    agents = SupportReportRowSerializer(many=True)
    categories = SupportReportRowSerializer(many=True)


class ReportViewSet(StaffViewSet):
    """The desk's figures over a period."""

    filterset_class = None
    singular = {"list"}
    access = {"list": "support.view_reports", "csv": "support.view_reports"}

    def _report(self) -> Report:
        asked = PeriodInput(data=self.request.query_params.dict())
        asked.is_valid(raise_exception=True)
        first, last = asked.validated_data["start"], asked.validated_data["end"]
        if not 0 <= (last - first).days < MAX_DAYS:
            raise InvalidInput("end", _("Choose one to 366 days, the first day first."))
        return build_report(self.caller, *report_period(self.caller, first, last))

    @extend_schema(parameters=PERIOD, responses=SupportReportSerializer, filters=False)
    def list(self, request: Request) -> Response:
        """Return the report as JSON."""
        return Response(SupportReportSerializer(asdict(self._report())).data)

    @extend_schema(
        parameters=PERIOD, responses={(200, "text/csv"): OpenApiTypes.STR}, filters=False
    )
    @action(detail=False, methods=["get"])
    def csv(self, request: Request) -> HttpResponse:
        """Return the report as CSV for a spreadsheet."""
        return HttpResponse(csv_of(self._report()), content_type="text/csv; charset=utf-8")
