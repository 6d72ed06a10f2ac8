"""`/api/admin/service-keys`: the keys of machines; `/api/admin/member-tokens`: what they make."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import (
    AccountKeyField,
    CursorList,
    ListAction,
    ReferenceField,
    RetrieveAction,
    StaffViewSet,
    StrictFilterSet,
    StrictSerializer,
)
from systemadmin.foundation.api.masked import MaskedModelSerializer
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import ServiceKey, ServiceKeySecret, User
from systemadmin.services import member_tokens, service_keys
from systemadmin.services.service_access import ISSUE_TOKEN


class SecretSerializer(serializers.ModelSerializer):
    """One secret of a key: its last characters, and until when it is valid."""

    class Meta:
        model = ServiceKeySecret
        fields = ["hint", "created_at", "ends_at", "last_used_at"]
        read_only_fields = fields


class ServiceKeySerializer(MaskedModelSerializer):
    """A key, without its secret."""

    permissions = serializers.ListField(child=serializers.CharField(), read_only=True)
    networks = serializers.ListField(child=serializers.CharField(), read_only=True)
    member_scopes = serializers.ListField(child=serializers.CharField(), read_only=True)
    is_live = serializers.BooleanField(read_only=True)
    secrets = SecretSerializer(many=True, read_only=True)

    class Meta:
        model = ServiceKey
        fields = [
            "id",
            "name",
            "account",
            "owner",
            "permissions",
            "member_scopes",
            "networks",
            "rate",
            "is_live",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "last_used_ip",
            "secrets",
        ]
        read_only_fields = fields


class IssuedKeySerializer(serializers.Serializer):
    """A key with its secret, which is shown this once."""

    key = ServiceKeySerializer()
    secret = serializers.CharField(help_text="`atk_live_…`; it is not shown again.")


class ServiceKeyInput(StrictSerializer):
    """What a new key is called and may do."""

    name = serializers.CharField(max_length=60)
    permissions = serializers.ListField(
        child=serializers.CharField(max_length=120), max_length=300, default=list
    )
    member_scopes = serializers.ListField(
        child=serializers.CharField(max_length=60), max_length=60, default=list
    )
    networks = serializers.ListField(
        child=serializers.CharField(max_length=49), max_length=50, default=list
    )
    rate = serializers.CharField(max_length=20, required=False, allow_blank=True, default="")
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class RotateInput(StrictSerializer):
    """How long the present secret stays valid."""

    overlap_hours = serializers.IntegerField(min_value=0, max_value=168, default=24)


class RevokeInput(StrictSerializer):
    """Input of revoking a service key: the reason."""

    reason = serializers.CharField(max_length=500)


class HandOverInput(StrictSerializer):
    """Input of handing a service key over: its new owner."""

    owner = AccountKeyField()


class ServiceKeyFilter(StrictFilterSet):
    """Filters of the list of service keys."""

    class Meta:
        model = ServiceKey
        fields = ["owner"]


@extend_schema_view(
    list=extend_schema(summary="Service keys"), retrieve=extend_schema(summary="A service key")
)
class ServiceKeyViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Keys, newest first; revoked ones stay as history."""

    access = {
        "list": "systemadmin.view_servicekey",
        "retrieve": "systemadmin.view_servicekey",
        "create": "systemadmin.add_servicekey",
        "rotate": "systemadmin.change_servicekey",
        "revoke": "systemadmin.change_servicekey",
        "hand_over": "systemadmin.change_servicekey",
    }
    # Their answers hold a secret.
    not_idempotent = {"create", "rotate"}
    queryset = ServiceKey.objects.shown_with()
    serializer_class = ServiceKeySerializer
    filterset_class = ServiceKeyFilter
    pagination_class = CursorList

    def _issued(self, issued: service_keys.Issued, status: int) -> Response:
        key = self.get_queryset().get(pk=issued.key.pk)
        shown = {"key": key, "secret": issued.secret}
        return self.answer(shown, status, IssuedKeySerializer)

    @extend_schema(
        request=ServiceKeyInput, responses={201: IssuedKeySerializer}, summary="Make a service key"
    )
    def create(self, request: Request) -> Response:
        """Make a key with some of one's own permissions; its secret is shown this once."""
        data = self.parse(ServiceKeyInput)
        return self._issued(service_keys.create_service_key(actor=self.caller, **data), 201)

    @extend_schema(
        request=RotateInput, responses=IssuedKeySerializer, summary="Give a key a new secret"
    )
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Make a new secret; the present one stays valid for `overlap_hours`."""
        overlap = timedelta(hours=self.parse(RotateInput)["overlap_hours"])
        issued = service_keys.rotate_service_key(
            actor=self.caller, key=self.get_object(), overlap=overlap
        )
        return self._issued(issued, 200)

    @extend_schema(request=RevokeInput, responses=ServiceKeySerializer, summary="Revoke a key")
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """End a key at once and for good, with the tokens that it made."""
        key = service_keys.revoke_service_key(
            actor=self.caller, key=self.get_object(), **self.parse(RevokeInput)
        )
        return self.answer(self.get_queryset().get(pk=key.pk))

    @extend_schema(request=HandOverInput, responses=ServiceKeySerializer, summary="Hand a key over")
    @action(detail=True, methods=["post"], url_path="hand-over")
    def hand_over(self, request: Request, pk: str) -> Response:
        """Let a colleague answer for the key: it may do no more than they, and its secrets end."""
        owner = User.objects.filter(pk=self.parse(HandOverInput)["owner"]).first()
        if owner is None:
            raise InvalidInput("owner", _("There is no such account."), code="does_not_exist")
        key = service_keys.hand_over_service_key(
            actor=self.caller, key=self.get_object(), owner=owner
        )
        return self.answer(self.get_queryset().get(pk=key.pk))


class MemberTokenInput(StrictSerializer):
    """For whom, what for, how long."""

    member = ReferenceField(queryset=User.objects.filter(is_active=True))
    scopes = serializers.ListField(child=serializers.CharField(max_length=60), max_length=60)
    minutes = serializers.IntegerField(min_value=1, max_value=60, default=15)


class MemberTokenAnswer(serializers.Serializer):
    """A token for a member's own app."""

    token = serializers.CharField(help_text="`atm_…`; it is not shown again.")
    expires_at = serializers.DateTimeField()
    scopes = serializers.ListField(child=serializers.CharField())


class MemberTokenViewSet(StaffViewSet):
    """`POST /api/admin/member-tokens`."""

    access = {"create": ISSUE_TOKEN}
    not_idempotent = {"create"}
    serializer_class = MemberTokenAnswer
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(
        request=MemberTokenInput,
        responses={201: MemberTokenAnswer},
        summary="Make a token for a member's app",
    )
    def create(self, request: Request) -> Response:
        """Make a token that calls the member's side for this member alone, for some minutes."""
        token, secret = member_tokens.issue_member_token(
            actor=self.caller, **self.parse(MemberTokenInput)
        )
        shown = {"token": secret, "expires_at": token.expiry, "scopes": token.scopes}
        return self.answer(shown, 201)
