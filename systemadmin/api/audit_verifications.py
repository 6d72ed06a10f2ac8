"""`/api/admin/audit/verifications`: does the audit trail hold, since when, and who asked."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.audit_guard import missing_guards
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    RetrieveAction,
    StaffViewSet,
    problem_responses,
)
from systemadmin.models import AuditVerification
from systemadmin.services import audit_runs


class FaultSerializer(serializers.Serializer):
    """What is wrong, and where; 0 where a place is not known."""

    kind = serializers.CharField()
    position = serializers.IntegerField()
    entry = serializers.IntegerField()
    detail = serializers.CharField(allow_blank=True)


class AuditVerificationSerializer(serializers.ModelSerializer):
    """One run, with its progress and its result."""

    first_fault = FaultSerializer(read_only=True, allow_null=True)
    faults = FaultSerializer(many=True, read_only=True)
    notes = serializers.ListField(child=serializers.CharField(), read_only=True)
    duration_seconds = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = AuditVerification
        fields = [
            "id",
            "status",
            "actor",
            "actor_name",
            "created_at",
            "started_at",
            "finished_at",
            "duration_seconds",
            "checked",
            "total",
            "holds",
            "head",
            "heads_compared",
            "fault_count",
            "first_fault",
            "faults",
            "notes",
            "error_code",
        ]
        read_only_fields = fields


class AuditStateSerializer(serializers.Serializer):
    """The head of the chain, the last head kept outside, the last result."""

    position = serializers.IntegerField()
    chain = serializers.CharField()
    told_position = serializers.IntegerField(allow_null=True)
    told_at = serializers.DateTimeField(allow_null=True)
    missing_triggers = serializers.ListField(child=serializers.CharField())
    last = AuditVerificationSerializer(allow_null=True)
    running = AuditVerificationSerializer(allow_null=True)


class AuditVerificationViewSet(ListAction, RetrieveAction, StaffViewSet):
    """To ask for a verification and to read what came of it."""

    access = {
        "list": "systemadmin.view_auditentry",
        "retrieve": "systemadmin.view_auditentry",
        "create": "systemadmin.view_auditentry",
        "state": "systemadmin.view_auditentry",
    }
    rate_classes = {"create": "backup"}
    queryset = AuditVerification.objects.order_by("-id")
    serializer_class = AuditVerificationSerializer
    pagination_class = CursorList

    @extend_schema(
        request=None,
        responses={202: AuditVerificationSerializer, **problem_responses(409)},
        summary="Verify the audit trail",
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Queue a verification of the whole trail; 409 while another one is queued or running."""
        run = audit_runs.request_verification(actor=self.caller)
        return self.answer(run, status=202, serializer_class=AuditVerificationSerializer)

    @extend_schema(responses=AuditStateSerializer, summary="State of the audit trail")
    @action(detail=False, pagination_class=None)
    def state(self, request: Request) -> Response:
        """Return the stored result of the last verification; computes nothing."""
        state = {**audit_runs.audit_state(), "missing_triggers": missing_guards()}
        return Response(AuditStateSerializer(state).data)
