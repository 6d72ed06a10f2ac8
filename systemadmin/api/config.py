"""`/api/admin/config`: what staff may change, and who changed it."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import CursorList, StaffViewSet, StrictFilterSet
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import ConfigurationChange
from systemadmin.services.configuration import change_settings, revert_change, settings_in_force


class SettingSerializer(serializers.Serializer):
    """One setting with its value in force and its bounds."""

    key = serializers.CharField()
    app = serializers.CharField()
    value = serializers.JSONField()
    default = serializers.JSONField()
    type = serializers.CharField()
    min = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)
    choices = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    permission = serializers.CharField()
    needs_restart = serializers.BooleanField()
    is_default = serializers.BooleanField()


class SettingsSerializer(serializers.Serializer):
    """All settings."""

    results = SettingSerializer(many=True)


class ConfigurationChangeSerializer(serializers.ModelSerializer):
    """One change: from what to what, by whom and why."""

    class Meta:
        model = ConfigurationChange
        fields = ["id", "key", "old", "new", "actor", "actor_name", "reason", "changed_at"]
        read_only_fields = fields


class ChangeFilter(StrictFilterSet):
    """Filters of the history."""

    class Meta:
        model = ConfigurationChange
        fields = ["key", "actor"]


class ConfigViewSet(StaffViewSet):
    """Read and change settings; all or nothing."""

    access = {
        "list": "systemadmin.view_systemconfig",
        "replace": "systemadmin.change_systemconfig",
        "history": "systemadmin.view_systemconfig",
        "revert": "systemadmin.change_systemconfig",
    }
    needs_second_person = {"replace", "revert"}
    queryset = ConfigurationChange.objects.order_by("-id")
    singular = {"list"}
    serializer_class = ConfigurationChangeSerializer
    filterset_class = ChangeFilter
    pagination_class = CursorList

    @extend_schema(responses=SettingsSerializer, summary="All settings", filters=False)
    def list(self, request: Request) -> Response:
        """Return every setting with value, default, type, bounds and description."""
        return Response({"results": settings_in_force()})

    @extend_schema(
        request={"application/json": {"type": "object", "additionalProperties": True}},
        responses=SettingsSerializer,
        summary="Change settings",
        description="`{key: value, …}`; an optional `reason` is kept in the history. "
        "One wrong key or value refuses all.",
    )
    def replace(self, request: Request) -> Response:
        """Change several settings at once."""
        if not isinstance(request.data, dict):
            raise InvalidInput("", _("Send an object of keys and values."))
        values = dict(request.data)
        reason = values.pop("reason", "")
        if not isinstance(reason, str) or len(reason) > 1000:
            raise InvalidInput("reason", _("A text of up to 1000 characters."))
        change_settings(actor=self.caller, values=values, reason=reason)
        return Response({"results": settings_in_force()})

    @extend_schema(responses=ConfigurationChangeSerializer(many=True), summary="History")
    def history(self, request: Request) -> Response:
        """Return who changed what, newest first."""
        return self.list_page(self.get_queryset())

    @extend_schema(request=None, responses=SettingsSerializer, summary="Take a change back")
    def revert(self, request: Request, pk: Any = None) -> Response:
        """Set the value that was in force before this change."""
        revert_change(actor=self.caller, change=self.get_object())
        return Response({"results": settings_in_force()})

    strict_parameters = True
