"""`/api/admin/legal-holds`: whose data has to stay, until when and why."""

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
    RetrieveAction,
    StaffViewSet,
    StrictFilterSet,
    StrictSerializer,
)
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import LegalHold, User
from systemadmin.services.legal_holds import hold_account, release_hold


class LegalHoldSerializer(serializers.ModelSerializer):
    """One hold."""

    class Meta:
        model = LegalHold
        fields = ["id", "account", "reason", "ends_at", "created_by", "created_at", "released_at"]
        read_only_fields = fields


class LegalHoldInput(StrictSerializer):
    """Whose data has to stay, why and until when."""

    account = AccountKeyField()
    reason = serializers.CharField(max_length=500)
    ends_at = serializers.DateTimeField()


class ReleaseInput(StrictSerializer):
    """Why the hold ends."""

    reason = serializers.CharField(max_length=500)


class LegalHoldFilter(StrictFilterSet):
    """Filters of the list of legal holds."""

    class Meta:
        model = LegalHold
        fields = ["account"]


@extend_schema_view(
    list=extend_schema(summary="Legal holds"), retrieve=extend_schema(summary="A legal hold")
)
class LegalHoldViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Holds, newest first; ended and released ones stay as history."""

    access = {
        "list": "systemadmin.view_legalhold",
        "retrieve": "systemadmin.view_legalhold",
        "create": "systemadmin.add_legalhold",
        "release": "systemadmin.change_legalhold",
    }
    needs_second_person = {"release"}
    queryset = LegalHold.objects.all()
    serializer_class = LegalHoldSerializer
    filterset_class = LegalHoldFilter
    pagination_class = CursorList

    @extend_schema(
        request=LegalHoldInput, responses={201: LegalHoldSerializer}, summary="Hold an account"
    )
    def create(self, request: Request) -> Response:
        """Keep the data of an account from erasure and retention until a moment."""
        data = self.parse(LegalHoldInput)
        user = User.objects.filter(pk=data.pop("account")).first()
        if user is None:
            raise InvalidInput("account", _("There is no such account."), code="does_not_exist")
        return self.answer(hold_account(actor=self.caller, user=user, **data), 201)

    @extend_schema(request=ReleaseInput, responses=LegalHoldSerializer, summary="Release a hold")
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """End the hold before its day."""
        data = self.parse(ReleaseInput)
        return self.answer(release_hold(actor=self.caller, hold=self.get_object(), **data))
