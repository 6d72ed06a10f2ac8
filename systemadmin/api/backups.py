"""Backups and restores over HTTP: ask, look, download."""

from typing import Any

from django.http import FileResponse
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import (
    ListAction,
    RetrieveAction,
    StaffViewSet,
    StrictFilterSet,
    StrictSerializer,
    problem_responses,
)
from systemadmin.models import Backup, BackupVerification, Restore
from systemadmin.services import backups
from systemadmin.services.installation import current_installation


class BackupSerializer(serializers.ModelSerializer):
    """One backup, without its long lists."""

    duration_seconds = serializers.FloatField(read_only=True, allow_null=True)
    is_own = serializers.SerializerMethodField(
        help_text="Whether this installation made it. Only its maker retires a backup."
    )

    class Meta:
        model = Backup
        fields = [
            "id",
            "name",
            "status",
            "trigger",
            "note",
            "actor",
            "actor_name",
            "created_at",
            "started_at",
            "finished_at",
            "duration_seconds",
            "taken_at",
            "size",
            "rows",
            "media_files",
            "sha256",
            "is_sealed",
            "is_pinned",
            "engine",
            "engine_version",
            "database",
            "installation",
            "installation_name",
            "is_own",
            "app_version",
            "progress_bytes",
            "verification",
            "verified_at",
            "restore_seconds",
            "error_code",
            "error",
        ]
        read_only_fields = fields

    def get_is_own(self, backup: Any) -> bool:
        """Return what the query annotated; a backup made just now is ours."""
        return bool(getattr(backup, "is_own", True))


class VerificationSerializer(serializers.ModelSerializer):
    """A verification of a backup, with its result."""

    class Meta:
        model = BackupVerification
        fields = [
            "id",
            "backup",
            "status",
            "actor_name",
            "created_at",
            "started_at",
            "finished_at",
            "restore_seconds",
            "problems",
            "warnings",
            "error_code",
            "error",
        ]
        read_only_fields = fields


class BackupDetailSerializer(BackupSerializer):
    """One backup with what it holds and how it proved itself."""

    verifications = VerificationSerializer(many=True, read_only=True)
    tables = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    migrations = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta(BackupSerializer.Meta):
        fields = [*BackupSerializer.Meta.fields, "tables", "migrations", "verifications"]
        read_only_fields = fields


class RestoreSerializer(serializers.ModelSerializer):
    """One restore, from the request to its end."""

    class Meta:
        model = Restore
        fields = [
            "id",
            "backup",
            "status",
            "step",
            "trigger",
            "actor_name",
            "created_at",
            "started_at",
            "finished_at",
            "safety_backup",
            "method",
            "kept_as",
            "closed_seconds",
            "media_written",
            "warnings",
            "error_code",
            "error",
        ]
        read_only_fields = fields


class BackupInput(StrictSerializer):
    """Why the backup is made."""

    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class RestoreInput(StrictSerializer):
    """The name of the database that will be replaced, typed."""

    confirm = serializers.CharField(max_length=200)
    confirm_installation = serializers.CharField(
        max_length=36,
        required=False,
        allow_blank=True,
        default="",
        help_text="The identity of the installation that made the backup, if it is another one.",
    )


class BackupFilter(StrictFilterSet):
    """Filters of the list."""

    taken_after = filters.IsoDateTimeFilter(field_name="taken_at", lookup_expr="gte")
    taken_before = filters.IsoDateTimeFilter(field_name="taken_at", lookup_expr="lt")

    class Meta:
        model = Backup
        fields = ["status", "trigger", "verification", "is_pinned", "is_sealed", "installation"]


class BackupViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/backups` and `POST /api/admin/backup`."""

    access = {
        "list": "systemadmin.view_backup",
        "retrieve": "systemadmin.view_backup",
        "request_backup": "systemadmin.add_backup",
        "download": backups.MAY_DOWNLOAD,
        "verify": "systemadmin.verify_backup",
        "pin": "systemadmin.pin_backup",
        "unpin": "systemadmin.pin_backup",
    }
    rate_classes = {"request_backup": "backup", "verify": "backup", "download": "backup"}
    takes_reason = {"unpin"}
    queryset = Backup.objects.newest_first()
    serializer_class = BackupSerializer
    filterset_class = BackupFilter
    ordering_fields = ["taken_at", "created_at", "size"]

    def get_queryset(self) -> Any:
        """Fetch the proofs along with a single backup."""
        queryset = super().get_queryset().with_maker(current_installation())
        return queryset.prefetch_related("verifications") if self.detail else queryset

    def get_serializer_class(self) -> Any:
        """Return the serializer; a single row shows all it holds."""
        return BackupDetailSerializer if self.action == "retrieve" else BackupSerializer

    @extend_schema(request=BackupInput, responses={202: BackupSerializer}, summary="Back up now")
    def request_backup(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Queue a backup; 409 while another one is queued or running."""
        note = self.parse(BackupInput)["note"]
        backup = backups.request_backup(actor=self.caller, note=note)
        return self.answer(backup, status=202, serializer_class=BackupSerializer)

    @extend_schema(
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            **problem_responses(409),
        },
        summary="Download a backup's database",
    )
    @action(detail=True, methods=["get"])
    def download(self, request: Request, *args: Any, **kwargs: Any) -> FileResponse:
        """Return the stored database file as it is: encrypted when a passphrase is set.

        It holds what is masked elsewhere, so `view_personal_data` is needed as well.
        """
        return backups.download(actor=self.caller, backup=self.get_object())

    @extend_schema(request=None, responses={202: VerificationSerializer}, summary="Verify a backup")
    @action(detail=True, methods=["post"])
    def verify(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Queue a trial restore into a scratch database."""
        proof = backups.request_verification(actor=self.caller, backup=self.get_object())
        return self.answer(proof, status=202, serializer_class=VerificationSerializer)

    @extend_schema(request=None, responses=BackupSerializer, summary="Keep a backup for good")
    @action(detail=True, methods=["post"])
    def pin(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Retention never deletes a pinned backup."""
        return self._set_pinned(request, True)

    @extend_schema(request=None, responses=BackupSerializer, summary="Let retention decide again")
    @action(detail=True, methods=["post"])
    def unpin(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Undo a pin."""
        return self._set_pinned(request, False)

    def _set_pinned(self, request: Request, pinned: bool) -> Response:
        backup = backups.set_pinned(actor=self.caller, backup=self.get_object(), pinned=pinned)
        return self.answer(backup, serializer_class=BackupSerializer)


class RestoreViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/restores` and `POST /api/admin/restore/{backup}`."""

    access = {
        "list": "systemadmin.view_restore",
        "retrieve": "systemadmin.view_restore",
        "request_restore": "systemadmin.restore_backup",
    }
    rate_classes = {"request_restore": "restore"}
    needs_second_person = {"request_restore"}
    queryset = Restore.objects.all()
    serializer_class = RestoreSerializer

    @extend_schema(
        request=RestoreInput, responses={202: RestoreSerializer}, summary="Restore a backup"
    )
    def request_restore(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Queue the replacement of the live database; needs the second factor."""
        wish = self.parse(RestoreInput)
        restore = backups.request_restore(
            actor=self.caller,
            backup=self._backup(),
            confirm=wish["confirm"],
            confirm_installation=wish["confirm_installation"],
            passed_second_factor=self.caller.is_verified(),
        )
        return self.answer(restore, status=202)

    def _backup(self) -> Backup:
        return backups.get_backup(self.kwargs["backup_id"])
