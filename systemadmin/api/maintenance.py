"""`/api/admin/maintenance`: close, open, look."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation import maintenance
from systemadmin.foundation.api import StaffViewSet, StrictSerializer
from systemadmin.foundation.hard_maintenance import hard_state
from systemadmin.models import MaintenanceWindow
from systemadmin.services.maintenance import disable_maintenance, enable_maintenance


class EnableInput(StrictSerializer):
    """How to close: everything is optional."""

    message = serializers.CharField(max_length=500, required=False, allow_blank=True)
    message_es = serializers.CharField(max_length=500, required=False, allow_blank=True)
    until = serializers.DateTimeField(required=False, allow_null=True)
    starts_at = serializers.DateTimeField(required=False, allow_null=True)
    mode = serializers.ChoiceField(choices=MaintenanceWindow.Mode.choices, required=False)
    pause_queue = serializers.BooleanField(required=False)


class WindowSerializer(serializers.Serializer):
    """One window."""

    id = serializers.IntegerField()
    mode = serializers.CharField()
    starts_at = serializers.DateTimeField()
    until = serializers.DateTimeField()
    message = serializers.CharField(allow_blank=True)
    owner = serializers.CharField()
    pause_queue = serializers.BooleanField()


class MaintenanceSerializer(serializers.Serializer):
    """Whether it is on, and what is scheduled."""

    enabled = serializers.BooleanField()
    mode = serializers.CharField(allow_null=True)
    message = serializers.CharField(allow_blank=True)
    until = serializers.DateTimeField(allow_null=True)
    scheduled = WindowSerializer(many=True)


def state() -> dict[str, object]:
    """Return the answer of all three endpoints."""
    window, hard = maintenance.window_in_force(), hard_state()
    waiting = [w for w in maintenance.windows() if window is None or w.id != window.id]
    return {
        "enabled": window is not None or hard is not None,
        "mode": "hard" if hard else (window.mode if window else None),
        "message": hard.message if hard else (window.message if window else ""),
        "until": window.until if window else None,
        "scheduled": waiting,
    }


class MaintenanceViewSet(StaffViewSet):
    """Maintenance mode."""

    access = {
        "list": "systemadmin.view_maintenancewindow",
        "enable": "systemadmin.manage_maintenance",
        "disable": "systemadmin.manage_maintenance",
    }
    singular = {"list"}
    serializer_class = MaintenanceSerializer
    pagination_class = None
    filter_backends = ()
    queryset = MaintenanceWindow.objects.none()

    @extend_schema(responses=MaintenanceSerializer, summary="Is it on?")
    def list(self, request: Request) -> Response:
        """Return the state in force and the windows to come."""
        return self.answer(state())

    @extend_schema(request=EnableInput, responses=MaintenanceSerializer, summary="Close")
    @action(detail=False, methods=["post"])
    def enable(self, request: Request) -> Response:
        """Close now, or from `starts_at`; it ends at `until` or after the longest time."""
        enable_maintenance(actor=self.caller, **self.parse(EnableInput))
        return self.answer(state())

    @extend_schema(request=None, responses=MaintenanceSerializer, summary="Open")
    @action(detail=False, methods=["post"])
    def disable(self, request: Request) -> Response:
        """End what is in force and what is scheduled."""
        disable_maintenance(actor=self.caller)
        return self.answer(state())
