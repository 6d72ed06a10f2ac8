"""Tables of the base app, one file per aggregate."""

from systemadmin.models.access_links import AccessLink
from systemadmin.models.alerts import Alert, AlertNotice, AlertRule, AlertSilence
from systemadmin.models.approvals import ApprovalRequest
from systemadmin.models.audit import AuditEntry, AuditSeal, AuditStatement, AuditVerification
from systemadmin.models.backups import Backup, BackupVerification, Installation, Restore
from systemadmin.models.batches import BatchFailure
from systemadmin.models.blocked_networks import BlockedNetwork
from systemadmin.models.configuration import ConfigurationChange, SystemConfig
from systemadmin.models.duties import AmountDoneAlone
from systemadmin.models.idempotency import IdempotencyKey
from systemadmin.models.identity import (
    Demo2FASession,
    EncryptedTotpDevice,
    RecoveryCode,
    UserSession,
)
from systemadmin.models.imports import FileImport
from systemadmin.models.legal_holds import LegalHold
from systemadmin.models.maintenance import MaintenanceWindow
from systemadmin.models.notifications import Notification
from systemadmin.models.personal_data import AccountErasure, AccountExport
from systemadmin.models.published_events import EventCounter, PublishedEvent
from systemadmin.models.retention import PrunedFile, PruningState, TableSample
from systemadmin.models.service_keys import ServiceKey, ServiceKeySecret
from systemadmin.models.staff_identities import StaffIdentity
from systemadmin.models.telemetry import Heartbeat, RequestMinute, TaskAttempt, TaskLease
from systemadmin.models.tokens import ApiToken
from systemadmin.models.users import User
from systemadmin.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "AccessLink",
    "AccountErasure",
    "AccountExport",
    "Alert",
    "AlertNotice",
    "AlertRule",
    "AlertSilence",
    "AmountDoneAlone",
    "ApiToken",
    "ApprovalRequest",
    "AuditEntry",
    "AuditSeal",
    "AuditStatement",
    "AuditVerification",
    "Backup",
    "BackupVerification",
    "BatchFailure",
    "BlockedNetwork",
    "ConfigurationChange",
    "Demo2FASession",
    "EncryptedTotpDevice",
    "EventCounter",
    "FileImport",
    "Heartbeat",
    "IdempotencyKey",
    "Installation",
    "LegalHold",
    "MaintenanceWindow",
    "Notification",
    "PrunedFile",
    "PruningState",
    "PublishedEvent",
    "RecoveryCode",
    "RequestMinute",
    "Restore",
    "ServiceKey",
    "ServiceKeySecret",
    "StaffIdentity",
    "SystemConfig",
    "TableSample",
    "TaskAttempt",
    "TaskLease",
    "User",
    "UserSession",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
