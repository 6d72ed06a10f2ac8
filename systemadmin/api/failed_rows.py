"""`/api/admin/failed-rows`: rows that a batch could not handle, and another round of tries."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    RetrieveAction,
    StaffViewSet,
    StrictFilterSet,
)
from systemadmin.models import BatchFailure
from systemadmin.services.batch_failures import retry_batch_failure


class FailedRowSerializer(serializers.ModelSerializer):
    """One row that raised, until it goes through."""

    class Meta:
        model = BatchFailure
        fields = [
            "id",
            "batch",
            "key",
            "attempts",
            "error",
            "first_failed_at",
            "last_failed_at",
            "next_attempt_at",
            "given_up_at",
        ]
        read_only_fields = fields


class FailedRowFilter(StrictFilterSet):
    """By batch, and by whether it is still tried."""

    is_given_up = django_filters.BooleanFilter(
        field_name="given_up_at", lookup_expr="isnull", exclude=True
    )

    class Meta:
        model = BatchFailure
        fields = ["batch"]


class FailedRowViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Failed rows, newest first."""

    access = {
        "list": "systemadmin.view_batchfailure",
        "retrieve": "systemadmin.view_batchfailure",
        "retry": "systemadmin.change_batchfailure",
    }
    queryset = BatchFailure.objects.all()
    serializer_class = FailedRowSerializer
    filterset_class = FailedRowFilter
    pagination_class = CursorList

    @extend_schema(request=None, responses=FailedRowSerializer, summary="Try a row again")
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: Any = None) -> Response:
        """Another round of tries, from the next run of its batch on."""
        return self.answer(retry_batch_failure(actor=self.caller, failure=self.get_object()))
