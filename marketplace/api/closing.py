"""Closed months for staff."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.serializers.shared import MonthField
from marketplace.models import ClosedMonth
from systemadmin.foundation.api import (
    ListAction,
    PagedList,
    RetrieveAction,
    StaffViewSet,
    StrictSerializer,
    expected_version,
)
from systemadmin.foundation.caller import caller


class ClosedMonthSerializer(serializers.ModelSerializer):
    """A closed month; `reopened_at` is set on one that is open again."""

    month = MonthField(read_only=True)
    closed_by = serializers.CharField(
        source="closed_by.username", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = ClosedMonth
        fields = [
            "id",
            "month",
            "start_at",
            "end_at",
            "totals",
            "note",
            "closed_by",
            "created_at",
            "reopened_at",
            "reopen_reason",
            "version",
        ]
        read_only_fields = fields


class CloseMonthInput(StrictSerializer):
    """Input of closing a month."""

    month = MonthField(help_text="As in 2026-10.")
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class ReopenInput(StrictSerializer):
    """Input of reopening a closed month: the reason."""

    reason = serializers.CharField(max_length=500)


class ClosedMonthViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/closed-months`: the months in which nothing is booked any more."""

    access = {
        "list": "marketplace.view_closedmonth",
        "retrieve": "marketplace.view_closedmonth",
        "create": "marketplace.add_closedmonth",
        "reopen": "marketplace.reopen_closedmonth",
    }
    serializer_class = ClosedMonthSerializer
    pagination_class = PagedList
    versioned = True
    checks_version = {"reopen"}

    def get_queryset(self) -> QuerySet:
        """Return the latest first."""
        return ClosedMonth.objects.select_related("closed_by").order_by("-month", "-id")

    @extend_schema(request=CloseMonthInput, responses={201: ClosedMonthSerializer})
    def create(self, request: Request) -> Response:
        """Close a month that is over, in order; refused while the ledger does not add up."""
        closed = services.close_month(actor=caller(request), **self.parse(CloseMonthInput))
        return self.answer(closed, 201)

    @extend_schema(request=ReopenInput, responses=ClosedMonthSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Open the month that was closed last again."""
        values: dict[str, Any] = self.parse(ReopenInput)
        closed = services.reopen_month(
            actor=caller(request),
            closed=self.get_object(),
            expected_version=expected_version(request),
            **values,
        )
        return self.answer(closed)
