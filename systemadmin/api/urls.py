"""Routes of the base app, below `/api/`."""

from django.urls import path

from systemadmin.api.alerts import AlertViewSet
from systemadmin.api.approvals import ApprovalViewSet
from systemadmin.api.audit import AuditViewSet
from systemadmin.api.audit_verifications import AuditVerificationViewSet
from systemadmin.api.auth import AuthViewSet, OwnSessionsViewSet, TwoFactorViewSet
from systemadmin.api.backups import BackupViewSet, RestoreViewSet
from systemadmin.api.blocked_ips import BlockedIpViewSet
from systemadmin.api.config import ConfigViewSet
from systemadmin.api.failed_rows import FailedRowViewSet
from systemadmin.api.health import HealthViewSet
from systemadmin.api.legal_holds import LegalHoldViewSet
from systemadmin.api.maintenance import MaintenanceViewSet
from systemadmin.api.members import MemberViewSet
from systemadmin.api.personal_data import OwnExportViewSet, PersonalDataViewSet
from systemadmin.api.published_events import PublishedEventViewSet
from systemadmin.api.retention import RetentionViewSet
from systemadmin.api.service_keys import MemberTokenViewSet, ServiceKeyViewSet
from systemadmin.api.sessions import DemoViewSet, UserSessionsViewSet
from systemadmin.api.staff_identities import StaffIdentityViewSet
from systemadmin.api.stats import StatsViewSet, SystemViewSet
from systemadmin.api.webhooks import WebhookDeliveryViewSet, WebhookEndpointViewSet
from systemadmin.foundation.api import Router

router = Router()
router.register("health", HealthViewSet, basename="health")
router.register("auth/2fa", TwoFactorViewSet, basename="two-factor")
router.register("auth", AuthViewSet, basename="auth")
router.register("admin/demo", DemoViewSet, basename="demo")

router.register("admin/maintenance", MaintenanceViewSet, basename="maintenance")
router.register("admin/backups", BackupViewSet, basename="backups")
router.register("admin/restores", RestoreViewSet, basename="restores")
router.register("admin/blocked-ips", BlockedIpViewSet, basename="blocked-ip")
router.register("admin/legal-holds", LegalHoldViewSet, basename="legal-hold")
router.register("admin/service-keys", ServiceKeyViewSet, basename="service-key")
router.register("admin/member-tokens", MemberTokenViewSet, basename="member-token")
router.register("admin/staff-identities", StaffIdentityViewSet, basename="staff-identity")
router.register("admin/stats", StatsViewSet, basename="stats")
router.register("admin/system", SystemViewSet, basename="system")
router.register("admin/alerts", AlertViewSet, basename="alert")
router.register(
    "admin/audit/verifications", AuditVerificationViewSet, basename="audit-verification"
)
router.register("admin/events", PublishedEventViewSet, basename="published-event")
router.register("admin/webhook-endpoints", WebhookEndpointViewSet, basename="admin-webhook")
router.register("admin/webhook-deliveries", WebhookDeliveryViewSet, basename="admin-delivery")
router.register("admin/failed-rows", FailedRowViewSet, basename="failed-row")
router.register("admin/retention", RetentionViewSet, basename="retention")
router.register("admin/approvals", ApprovalViewSet, basename="approval")
router.register("admin/audit", AuditViewSet, basename="audit")

_ACCOUNT = "admin/users/<account:user_id>"
_own = OwnSessionsViewSet.as_view
_theirs = UserSessionsViewSet.as_view
_data = PersonalDataViewSet.as_view
_mine = OwnExportViewSet.as_view

_member = MemberViewSet.as_view

urlpatterns = [
    path("admin/members/batch", _member({"post": "batch"}), name="members-batch"),
    path(
        "admin/members/<str:external_id>",
        _member({"get": "retrieve", "put": "upsert"}),
        name="member",
    ),
    path("auth/sessions", _own({"get": "list"}), name="own-sessions"),
    path("auth/sessions/<slug:access_id>", _own({"delete": "destroy"}), name="own-session"),
    path("admin/sessions/end-members", _theirs({"post": "end_members"}), name="end-members"),
    path(f"{_ACCOUNT}/sessions", _theirs({"get": "list", "delete": "end_all"}), name="sessions"),
    path(f"{_ACCOUNT}/sessions/<slug:access_id>", _theirs({"delete": "destroy"}), name="session"),
    path(f"{_ACCOUNT}/password", _theirs({"post": "set_password"}), name="set-password"),
    path(
        f"{_ACCOUNT}/password-reset",
        _theirs({"post": "reset_password"}),
        name="reset-password",
    ),
    path(f"{_ACCOUNT}/2fa/reset", _theirs({"post": "reset_two_factor"}), name="reset-2fa"),
    path(
        f"{_ACCOUNT}/offboarding", _theirs({"get": "left", "post": "offboard"}), name="offboarding"
    ),
    path(
        f"{_ACCOUNT}/export",
        _data({"get": "list_exports", "post": "request_export"}),
        name="account-exports",
    ),
    path(f"{_ACCOUNT}/export/<int:export_id>", _data({"get": "export"}), name="account-export"),
    path(
        f"{_ACCOUNT}/export/<int:export_id>/download",
        _data({"get": "download"}),
        name="account-export-file",
    ),
    path(f"{_ACCOUNT}/erasure", _data({"get": "state", "post": "erase"}), name="account-erasure"),
    path("me/export", _mine({"get": "newest", "post": "request_export"}), name="own-export"),
    path("me/export/download", _mine({"get": "download"}), name="own-export-file"),
    path("admin/backup", BackupViewSet.as_view({"post": "request_backup"}), name="backup-now"),
    path(
        "admin/restore/<key:backup_id>",
        RestoreViewSet.as_view({"post": "request_restore"}),
        name="restore-backup",
    ),
    *router.urls,
    path("admin/config", ConfigViewSet.as_view({"get": "list", "put": "replace"})),
    path("admin/config/history", ConfigViewSet.as_view({"get": "history"})),
    path("admin/config/history/<key:pk>/revert", ConfigViewSet.as_view({"post": "revert"})),
]
