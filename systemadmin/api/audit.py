"""`/api/admin/audit`: who did what, from where."""

import json
from collections.abc import Iterator
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request

from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    RetrieveAction,
    StaffViewSet,
    StrictFilterSet,
)
from systemadmin.foundation.api.masked import MaskedModelSerializer, mask_row
from systemadmin.foundation.csv_export import csv_lines
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.personal_data import sees_personal_data
from systemadmin.models import AuditEntry
from systemadmin.querysets import audit as reads

COLUMNS = [
    "id",
    "occurred_at",
    "action",
    "actor",
    "actor_name",
    "actor_role",
    "source",
    "target_type",
    "target_id",
    "target_name",
    "before",
    "after",
    "reason",
    "metadata",
    "ip",
    "request_id",
]
EXPORT_LIMIT = 100_000


class AuditEntrySerializer(MaskedModelSerializer):
    """An entry of the audit trail."""

    class Meta:
        model = AuditEntry
        fields = COLUMNS
        read_only_fields = COLUMNS


class AuditFilter(StrictFilterSet):
    """By actor, action, object, time, address."""

    action = django_filters.CharFilter(lookup_expr="istartswith")
    occurred_after = django_filters.IsoDateTimeFilter("occurred_at", lookup_expr="gte")
    occurred_before = django_filters.IsoDateTimeFilter("occurred_at", lookup_expr="lt")
    search = django_filters.CharFilter(method="search_text")

    class Meta:
        model = AuditEntry
        fields = ["actor", "actor_role", "source", "target_type", "target_id", "ip", "request_id"]

    def search_text(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        """Return rows that begin with the text."""
        return queryset & reads.matching(value)


class AuditViewSet(ListAction, RetrieveAction, StaffViewSet):
    """To read, search and export; never to change."""

    access = {
        "list": "systemadmin.view_auditentry",
        "retrieve": "systemadmin.view_auditentry",
        "export": "systemadmin.view_auditentry",
    }
    queryset = reads.entries()
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilter
    pagination_class = CursorList
    extra_parameters = ("file",)

    @extend_schema(
        parameters=[OpenApiParameter("file", str, enum=["csv", "jsonl"])],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/jsonl"): OpenApiTypes.STR,
        },
        summary="Export as CSV or JSON lines",
    )
    @action(detail=False, strict_parameters=True, pagination_class=None)
    def export(self, request: Request) -> Any:
        """Return the filtered rows as a file, newest first, up to 100,000."""
        kind = request.query_params.get("file", "csv")
        if kind not in ("csv", "jsonl"):
            raise InvalidInput("file", "csv, jsonl")
        rows = self.filter_queryset(self.get_queryset())[:EXPORT_LIMIT].values(*COLUMNS)
        write = _csv_lines if kind == "csv" else _json_lines
        mime = "text/csv" if kind == "csv" else "application/jsonl"
        shown = _shown_rows(rows, is_masked=not sees_personal_data(request.user))
        response = StreamingHttpResponse(write(shown), content_type=f"{mime}; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="audit.{kind}"'
        return response


def _shown_rows(rows: QuerySet, *, is_masked: bool) -> Iterator[dict[str, Any]]:
    for row in rows.iterator(chunk_size=2000):
        if is_masked:
            mask_row(AuditEntry, row)
        yield row


def _json_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, default=str) + "\n"


def _csv_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    return csv_lines(COLUMNS, ([_text(row[name]) for name in COLUMNS] for row in rows))


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    return "" if value is None else str(value)
