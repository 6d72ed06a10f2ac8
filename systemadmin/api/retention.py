"""`/api/admin/retention`: what is kept, how long, how much it grows, what was pruned."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import StaffViewSet
from systemadmin.services.retention import retention_overview


class RetentionRuleSerializer(serializers.Serializer):
    """One rule of a table and its last run."""

    name = serializers.CharField()
    setting = serializers.CharField(help_text="Key of the setting; empty: always the same.")
    days = serializers.IntegerField(allow_null=True, help_text="0 keeps the rows for ever.")
    goes_before = serializers.DateTimeField(
        allow_null=True, help_text="What is older goes at the next run."
    )
    schedule = serializers.CharField()
    last_run_at = serializers.DateTimeField(allow_null=True)
    removed = serializers.IntegerField(help_text="Rows of the last run.")
    removed_total = serializers.IntegerField()
    is_complete = serializers.BooleanField(help_text="False: the last run did not come to its end.")
    error = serializers.CharField()


class RetentionTableSerializer(serializers.Serializer):
    """One table: what it holds, why, whose, how much, how long."""

    table = serializers.CharField()
    title = serializers.CharField()
    holds = serializers.CharField()
    purpose = serializers.CharField()
    owners = serializers.ListField(
        child=serializers.CharField(), help_text="Paths to the accounts; empty: nobody's data."
    )
    kept = serializers.CharField(help_text="Why rows stay that no rule deletes.")
    rows = serializers.IntegerField(help_text="Estimated on PostgreSQL.")
    size = serializers.IntegerField(allow_null=True, help_text="Bytes with indexes.")
    grown_7_days = serializers.IntegerField(allow_null=True)
    grown_30_days = serializers.IntegerField(allow_null=True)
    rules = RetentionRuleSerializer(many=True)


class RetentionSerializer(serializers.Serializer):
    """Every table, largest first."""

    results = RetentionTableSerializer(many=True)


class RetentionViewSet(StaffViewSet):
    """Every table with how long its rows are kept."""

    singular = {"list"}
    access = {"list": "systemadmin.view_retention"}
    serializer_class = RetentionSerializer
    pagination_class = None
    filter_backends = ()

    @extend_schema(responses=RetentionSerializer, summary="What is kept and how long")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return every table with size, growth, rules and their last run; nothing is counted."""
        return self.answer({"results": retention_overview()})
