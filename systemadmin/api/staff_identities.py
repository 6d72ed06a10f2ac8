"""`/api/admin/staff-identities`: accounts of staff that the identity provider signs in."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
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
from systemadmin.foundation.api.masked import MaskedModelSerializer
from systemadmin.foundation.errors import NotFound
from systemadmin.models import StaffIdentity
from systemadmin.services.staff_identities import unlink_identity


class StaffIdentitySerializer(MaskedModelSerializer):
    """An account and its subject at the provider."""

    username = serializers.CharField(source="user.username", read_only=True)
    is_in_force = serializers.BooleanField(
        read_only=True, help_text="Whether the provider that is set now gave it."
    )

    class Meta:
        model = StaffIdentity
        fields = [
            "id",
            "user",
            "username",
            "issuer",
            "subject",
            "is_in_force",
            "created_at",
            "last_used_at",
        ]
        read_only_fields = fields


class UnlinkInput(StrictSerializer):
    """Why the connection is cut."""

    reason = serializers.CharField(max_length=500)


class StaffIdentityFilter(StrictFilterSet):
    """Filters of the list of staff identities."""

    class Meta:
        model = StaffIdentity
        fields = ["user"]


@extend_schema_view(
    list=extend_schema(summary="Identities of staff at the provider"),
    retrieve=extend_schema(summary="An identity at the provider"),
)
class StaffIdentityViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Connections with a provider, newest first."""

    access = {
        "list": "systemadmin.view_staffidentity",
        "retrieve": "systemadmin.view_staffidentity",
        "unlink": "systemadmin.manage_staff",
    }
    queryset = StaffIdentity.everything.none()
    serializer_class = StaffIdentitySerializer
    filterset_class = StaffIdentityFilter
    pagination_class = CursorList

    def get_queryset(self) -> QuerySet:
        """Return those that can be cut."""
        return StaffIdentity.everything.shown()

    @extend_schema(request=UnlinkInput, responses={204: None}, summary="Disconnect an account")
    @action(detail=True, methods=["post"])
    def unlink(self, request: Request, pk: str) -> Response:
        """Cut the connection and end every session and token of the account; superusers only."""
        data, identity = self.parse(UnlinkInput), self.get_object()
        if not unlink_identity(
            actor=self.caller, user=identity.user, issuer=identity.issuer, **data
        ):
            raise NotFound
        return Response(status=204)
