"""`/api/admin/members`: the platform's members, by its own ids."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import StaffViewSet, StrictSerializer
from systemadmin.foundation.api.masked import MaskedModelSerializer
from systemadmin.foundation.api.serializers import RowErrorSerializer
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.foundation.parsing import Unreadable
from systemadmin.foundation.references import PREFIX, parse_external_id
from systemadmin.models import User
from systemadmin.services import members

MANAGE = "systemadmin.manage_members"


class MemberSerializer(MaskedModelSerializer):
    """A member, as the platform made it."""

    joined_at = serializers.DateTimeField(source="date_joined", read_only=True)
    email = serializers.CharField(read_only=True, help_text="Empty where there is none.")
    is_suspended = serializers.BooleanField(read_only=True)

    class Meta:
        model = User
        fields = [
            "id",
            "external_id",
            "username",
            "email",
            "first_name",
            "last_name",
            "country",
            "language",
            "joined_at",
            "verified_at",
            "is_active",
            "is_suspended",
            "suspended_until",
        ]
        read_only_fields = fields


class MemberBody(serializers.Serializer):
    """What the platform says of a member; what is left out stays as it is."""

    username = serializers.RegexField(r"^[\w.@+-]+$", max_length=150, required=False)
    email = serializers.EmailField(required=False, allow_blank=True, max_length=254)
    first_name = serializers.CharField(required=False, allow_blank=True, max_length=150)
    last_name = serializers.CharField(required=False, allow_blank=True, max_length=150)
    country = serializers.CharField(required=False, allow_blank=True, max_length=2)
    language = serializers.ChoiceField(choices=User.Language.choices, required=False)
    joined_at = serializers.DateTimeField(required=False)
    verified_at = serializers.DateTimeField(required=False, allow_null=True)


class MemberRowBody(MemberBody):
    """One row of a batch."""

    external_id = serializers.CharField(max_length=128)


class MemberBatchBody(serializers.Serializer):
    """Up to a thousand members."""

    members = MemberRowBody(many=True)


class MemberBatchInput(StrictSerializer):
    """Rows that are judged one by one."""

    members = serializers.ListField(
        child=serializers.JSONField(allow_null=True), min_length=1, max_length=members.MOST_ROWS
    )


class MemberOutcomeSerializer(serializers.Serializer):
    """What became of a row."""

    index = serializers.IntegerField()
    external_id = serializers.CharField(help_text="Empty where the row has none that is valid.")
    status = serializers.ChoiceField(choices=["created", "updated", "unchanged", "refused"])
    id = serializers.IntegerField(allow_null=True)
    errors: Any = RowErrorSerializer(many=True)


class MemberBatchAnswer(serializers.Serializer):
    """One result per row, in order."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = MemberOutcomeSerializer(many=True)


class MemberViewSet(StaffViewSet):
    """Members by the platform's ids; export and erasure are those of any account."""

    access = {"retrieve": MANAGE, "upsert": MANAGE, "batch": MANAGE}
    # Sending it again changes nothing, and a stored answer of a thousand rows is large.
    not_idempotent = {"batch"}
    serializer_class = MemberSerializer
    queryset = User.objects.members()
    pagination_class = None
    filter_backends: Any = ()

    def _external_id(self) -> str:
        try:
            return parse_external_id(self.kwargs["external_id"].removeprefix(PREFIX))
        except Unreadable as error:
            raise InvalidInput("external_id", str(error)) from error

    @extend_schema(summary="Read a member")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the member of an external id, with or without `ext:` before it."""
        member = self.queryset.filter(external_id=self._external_id()).first()
        if member is None:
            raise NotFound
        return self.answer(member)

    @extend_schema(
        request=MemberBody,
        responses={200: MemberSerializer, 201: MemberSerializer},
        summary="Make or update a member",
    )
    def upsert(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make the member of an external id, or update it; what is left out stays as it is."""
        member, is_new = members.upsert_member(
            actor=self.caller, external_id=self._external_id(), values=request.data
        )
        return self.answer(member, 201 if is_new else 200)

    @extend_schema(
        request=MemberBatchBody, responses=MemberBatchAnswer, summary="Make or update many members"
    )
    def batch(self, request: Request) -> Response:
        """Make or update up to 1,000 members; every row is judged by itself."""
        rows = self.parse(MemberBatchInput)["members"]
        results = members.upsert_members(actor=self.caller, rows=rows)
        counts = {
            status: sum(1 for one in results if one.status == status)
            for status in ("created", "updated", "unchanged", "refused")
        }
        return self.answer({**counts, "results": results}, serializer_class=MemberBatchAnswer)
