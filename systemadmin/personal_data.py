"""What the base app holds about a person; see systemadmin/foundation/personal_data.py."""

from typing import Any, Final

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.db.models import CharField, F, Q, Value
from django.db.models.functions import Cast, Concat, Now

from systemadmin.foundation.personal_data import OnErasure, PersonalTable, StoredFile
from systemadmin.models import (
    AccessLink,
    AccountErasure,
    AccountExport,
    ApiToken,
    ApprovalRequest,
    AuditEntry,
    Demo2FASession,
    EncryptedTotpDevice,
    IdempotencyKey,
    LegalHold,
    Notification,
    RecoveryCode,
    User,
    UserSession,
)
from systemadmin.services.sign_in_lock import kept_names

_KEY: Final = "A key or its hash, which must not leave the server."


def _own(account: Any) -> Q:
    return Q(user=account)


def _named(account: Any) -> Q:
    return Q(username__in=[account.username, *kept_names(account.username)])


def _logged(account: Any) -> Q:
    about = Q(content_type__app_label="systemadmin", content_type__model="user")
    return Q(user=account) | (about & Q(object_id=str(account.pk)))


def _about(account: Any) -> Q:
    target = Q(target_type="systemadmin.user", target_id=str(account.pk))
    return Q(actor_ref=str(account.pk)) | target


# Brackets cannot be part of a name that anybody chooses.
_ERASED_NAME: Final = Concat(Value("[erased-"), Cast(F("pk"), CharField()), Value("]"))

TABLES = [
    PersonalTable(
        model=AccessLink, rows=_own, on_erasure=OnErasure.DELETE, not_exported=_KEY
    ),
    PersonalTable(
        model=ApprovalRequest,
        rows=lambda account: Q(subject_type="systemadmin.user", subject_id=str(account.pk)),
        on_erasure=OnErasure.DELETE,
        not_exported="What staff asked each other to approve; the audit trail has it too.",
    ),
    PersonalTable(
        model=UserSession,
        rows=_own,
        on_erasure=OnErasure.DELETE,
        columns=("ip", "user_agent", "created_at", "last_seen_at"),
    ),
    PersonalTable(
        model=ApiToken,
        rows=_own,
        on_erasure=OnErasure.DELETE,
        columns=("label", "device", "device_info", "ip", "user_agent", "created", "expiry",
                 "last_used_at"),
    ),
    PersonalTable(
        model=EncryptedTotpDevice,
        rows=_own,
        on_erasure=OnErasure.DELETE,
        columns=("name", "confirmed", "created_at", "last_used_at"),
    ),
    PersonalTable(
        model=RecoveryCode, rows=_own, on_erasure=OnErasure.DELETE, not_exported=_KEY
    ),
    PersonalTable(
        model=Demo2FASession, rows=_own, on_erasure=OnErasure.DELETE, not_exported=_KEY
    ),
    PersonalTable(
        model=IdempotencyKey,
        rows=_own,
        on_erasure=OnErasure.DELETE,
        not_exported="Answers of the last day, kept so that a repeated call does nothing twice.",
    ),
    PersonalTable(
        model=Notification,
        rows=_own,
        on_erasure=OnErasure.DELETE,
        columns=("channel", "kind", "subject", "body", "created_at", "sent_at"),
    ),
    *(
        PersonalTable(
            model=model,
            rows=_named,
            on_erasure=OnErasure.DELETE,
            columns=("ip_address", "user_agent", "attempt_time"),
        )
        for model in (AccessAttempt, AccessFailureLog, AccessLog)
    ),
    PersonalTable(
        model=LogEntry,
        rows=_logged,
        on_erasure=OnErasure.DELETE,
        not_exported="What staff did in the admin; the audit trail has it too.",
    ),
    PersonalTable(
        model=LegalHold,
        rows=lambda account: Q(account=account),
        on_erasure=OnErasure.DELETE,
        not_exported="Why the data had to stay: it may concern claims of others.",
    ),
    PersonalTable(
        model=AccountExport,
        rows=lambda account: Q(account=account),
        on_erasure=OnErasure.DELETE,
        columns=("created_at", "status", "is_own", "expires_at"),
        files=(StoredFile(file="file", content_type=""),),
    ),
    PersonalTable(
        model=AccountErasure,
        rows=lambda account: Q(account=account),
        on_erasure=OnErasure.ANONYMISE,
        not_exported="There is none while there is something to export.",
        emptied={"reason": ""},
        reason="Proof that the erasure was done.",
    ),
    *(
        PersonalTable(
            model=model, rows=_own, on_erasure=OnErasure.DELETE, not_exported="Rights of staff."
        )
        for model in (User.groups.through, User.user_permissions.through)
    ),
    PersonalTable(
        model=AuditEntry,
        rows=_about,
        exported=lambda account: Q(actor_ref=str(account.pk)),
        on_erasure=OnErasure.KEEP,
        columns=("occurred_at", "action", "ip"),
        reason="Proof of who decided what; a changed row would look forged. It goes when "
        "audit.retention_days are over.",
    ),
    PersonalTable(
        model=User,
        rows=lambda account: Q(pk=account.pk),
        on_erasure=OnErasure.ANONYMISE,
        columns=("id", "username", "first_name", "last_name", "email", "external_id",
                 "telegram_chat_id", "country", "language", "date_joined", "last_login",
                 "verified_at", "suspended_at", "suspension_reason", "suspended_until"),
        emptied={"username": _ERASED_NAME, "first_name": "", "last_name": "", "email": "",
                 "external_id": None, "telegram_chat_id": "", "country": "", "password": "!",
                 "language": User.Language.ENGLISH, "last_login": None, "verified_at": None,
                 "suspended_at": None, "suspension_reason": "", "suspended_until": None,
                 "is_active": False, "erased_at": Now()},
        reason="Orders, books and the audit trail refer to the number of the account.",
    ),
]  # fmt: skip
