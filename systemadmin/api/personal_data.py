"""A person's data: `/api/admin/users/{id}/export`, `…/erasure`, and `/api/me/export`."""

from typing import Any

from django.http import FileResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import (
    MemberViewSet,
    StaffViewSet,
    StrictSerializer,
    problem_responses,
)
from systemadmin.foundation.errors import NotFound
from systemadmin.models import AccountErasure, AccountExport, User
from systemadmin.services import erasure, personal_exports

ZIP = {(200, "application/zip"): OpenApiTypes.BINARY, **problem_responses(409)}


class ExportSerializer(serializers.ModelSerializer):
    """An export: how far it is, and until when its file can be downloaded."""

    class Meta:
        model = AccountExport
        fields = [
            "id",
            "account",
            "status",
            "language",
            "is_own",
            "size",
            "sha256",
            "created_at",
            "finished_at",
            "expires_at",
            "error_code",
        ]
        read_only_fields = fields


class ExportInput(StrictSerializer):
    """In which language; the account's own by default."""

    language = serializers.ChoiceField(choices=User.Language.choices, required=False)


class ErasureInput(StrictSerializer):
    """Why, and the user name again; `despite_open_business` leaves what is open as it is."""

    reason = serializers.CharField(max_length=500)
    confirm = serializers.CharField(max_length=150)
    despite_open_business = serializers.BooleanField(required=False, default=False)


class ObstacleSerializer(serializers.Serializer):
    """Something open, and how much of it."""

    code = serializers.CharField()
    title = serializers.CharField()
    count = serializers.IntegerField()


class ErasureSerializer(serializers.ModelSerializer):
    """An erasure: how far it is, and the rows treated in each table."""

    counts = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    tables_total = serializers.SerializerMethodField()

    class Meta:
        model = AccountErasure
        fields = [
            "id",
            "account",
            "status",
            "despite_open_business",
            "tables_done",
            "tables_total",
            "counts",
            "created_at",
            "started_at",
            "finished_at",
            "error_code",
            "error",
        ]
        read_only_fields = fields

    def get_tables_total(self, obj: AccountErasure) -> int:
        """Return how many tables an erasure goes through."""
        return len(erasure.tables())


class ErasureStateSerializer(serializers.Serializer):
    """What stands against an erasure, and the last one that was asked for."""

    is_held = serializers.BooleanField()
    is_staff = serializers.BooleanField()
    is_erased = serializers.BooleanField()
    open_business = ObstacleSerializer(many=True)
    last = ErasureSerializer(allow_null=True)


class PersonalDataViewSet(StaffViewSet):
    """Export and erasure of an account, for staff and the platform."""

    access = {
        "list_exports": "systemadmin.export_account",
        "request_export": "systemadmin.export_account",
        "export": "systemadmin.export_account",
        "download": "systemadmin.export_account",
        "state": "systemadmin.erase_account",
        "erase": "systemadmin.erase_account",
    }
    rate_classes = {"request_export": "backup", "download": "backup"}
    serializer_class = ExportSerializer
    queryset = AccountExport.objects.all()
    pagination_class = None
    filter_backends: Any = ()

    def account(self) -> User:
        """Return the account that the path names."""
        user = User.objects.filter(pk=self.kwargs["user_id"]).first()
        if user is None:
            raise NotFound
        return user

    def _export(self) -> AccountExport:
        exports = AccountExport.objects.filter(account=self.account())
        found = exports.filter(pk=self.kwargs["export_id"]).first()
        if found is None:
            raise NotFound
        return found

    @extend_schema(responses=ExportSerializer(many=True), summary="Exports of an account")
    def list_exports(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the newest twenty, the newest first."""
        found = AccountExport.objects.filter(account=self.account())[:20]
        return Response(ExportSerializer(found, many=True).data)

    @extend_schema(
        request=ExportInput, responses={202: ExportSerializer}, summary="Export an account"
    )
    def request_export(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Queue an export; 409 while another one is queued or being made."""
        language = self.parse(ExportInput).get("language", "")
        export = personal_exports.request_export(
            actor=self.caller, user=self.account(), language=language
        )
        return self.answer(export, 202)

    @extend_schema(responses=ExportSerializer, summary="An export")
    def export(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return how far it is."""
        return self.answer(self._export())

    @extend_schema(responses=ZIP, summary="Download an export")
    def download(self, request: Request, *args: Any, **kwargs: Any) -> FileResponse:
        """Return the ZIP file, until it expires; who took it is in the audit trail."""
        return personal_exports.download_export(actor=self.caller, export=self._export())

    @extend_schema(responses=ErasureStateSerializer, summary="What stands against an erasure")
    def state(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Legal holds, open business, and the last erasure that was asked for."""
        found = erasure.state_of(self.account())
        return self.answer(found, serializer_class=ErasureStateSerializer)

    @extend_schema(
        request=ErasureInput, responses={202: ErasureSerializer}, summary="Erase an account"
    )
    def erase(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Queue the erasure; it cannot be undone. 409 names what stands against it."""
        made = erasure.request_erasure(
            actor=self.caller, user=self.account(), **self.parse(ErasureInput)
        )
        return self.answer(made, 202, ErasureSerializer)


class OwnExportViewSet(MemberViewSet):
    """`/api/me/export`: a copy of one's own data."""

    # The right to a copy does not end with a suspension.
    allowed_while_suspended = {"request_export"}
    rate_classes = {"request_export": "backup", "download": "backup"}
    serializer_class = ExportSerializer
    queryset = AccountExport.objects.all()
    pagination_class = None
    filter_backends: Any = ()

    def _newest(self) -> AccountExport:
        own = AccountExport.objects.filter(account=self.caller, is_own=True)
        found = own.first()
        if found is None:
            raise NotFound(_("You have not asked for an export yet."))
        return found

    @extend_schema(request=None, responses={202: ExportSerializer}, summary="Export my data")
    def request_export(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Queue an export of one's own account; a notice says when it is ready."""
        return self.answer(personal_exports.request_own_export(actor=self.caller), 202)

    @extend_schema(responses=ExportSerializer, summary="My newest export")
    def newest(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return how far it is; 404 where none was asked for."""
        return self.answer(self._newest())

    @extend_schema(responses=ZIP, summary="Download my newest export")
    def download(self, request: Request, *args: Any, **kwargs: Any) -> FileResponse:
        """Return the ZIP file, until it expires."""
        return personal_exports.download_export(actor=self.caller, export=self._newest())
