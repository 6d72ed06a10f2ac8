"""`/api/admin/alerts`: what fires, taken and silenced."""

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
    StrictSerializer,
)
from systemadmin.models import Alert, AlertSilence
from systemadmin.services.alerts import acknowledge_alert, silence_alert


class AlertSerializer(serializers.ModelSerializer):
    """One alert, its texts in the caller's language."""

    summary = serializers.CharField(source="headline", read_only=True)
    detail = serializers.CharField(source="explanation", read_only=True)

    class Meta:
        model = Alert
        fields = [
            "id",
            "rule",
            "key",
            "severity",
            "status",
            "summary",
            "detail",
            "count",
            "created_at",
            "last_seen_at",
            "acknowledged_at",
            "acknowledged_by",
            "note",
            "resolved_at",
        ]
        read_only_fields = fields


class SilenceSerializer(serializers.ModelSerializer):
    """One silence."""

    class Meta:
        model = AlertSilence
        fields = ["id", "rule", "key", "until", "reason", "created_by", "created_at"]
        read_only_fields = fields


class AlertFilter(StrictFilterSet):
    """Filters of the list of alerts."""

    rule = django_filters.CharFilter(lookup_expr="startswith")

    class Meta:
        model = Alert
        fields = ["status", "severity", "key"]


class AcknowledgeInput(StrictSerializer):
    """Input of acknowledging an alert: an optional note."""

    note = serializers.CharField(max_length=1000, required=False, allow_blank=True)


class SilenceInput(StrictSerializer):
    """Input of silencing an alert: until when, and the reason."""

    until = serializers.DateTimeField()
    reason = serializers.CharField(max_length=300)


class AlertViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Alerts, newest first."""

    access = {
        "list": "systemadmin.view_alert",
        "retrieve": "systemadmin.view_alert",
        "acknowledge": "systemadmin.change_alert",
        "silence": "systemadmin.change_alert",
    }
    needs_second_person = {"silence"}
    queryset = Alert.objects.all()
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    pagination_class = CursorList

    @extend_schema(request=AcknowledgeInput, responses=AlertSerializer, summary="Take an alert")
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: Any = None) -> Response:
        """Stop the repeats of an alert; its end is still reported."""
        data = self.parse(AcknowledgeInput)
        alert = acknowledge_alert(actor=self.caller, alert=self.get_object(), **data)
        return self.answer(alert)

    @extend_schema(request=SilenceInput, responses={201: SilenceSerializer}, summary="Silence")
    @action(detail=True, methods=["post"])
    def silence(self, request: Request, pk: Any = None) -> Response:
        """Send no notices of this rule and subject until then."""
        data = self.parse(SilenceInput)
        silence = silence_alert(actor=self.caller, alert=self.get_object(), **data)
        return self.answer(silence, 201, SilenceSerializer)
