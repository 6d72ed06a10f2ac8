"""What the base app holds about a person; see systemadmin/foundation/personal_data.py."""

from typing import Any, Final

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.db.models import CharField, F, Q, Value
from django.db.models.functions import Cast, Concat, Now

from systemadmin.foundation.personal_data import OnErasure, PersonalTable, StoredFile
from systemadmin.foundation.published_events import event_kinds
from systemadmin.models import (
    AccessLink,
    AccountErasure,
    AccountExport,
    AmountDoneAlone,
    ApiToken,
    ApprovalRequest,
    AuditEntry,
    Demo2FASession,
    EncryptedTotpDevice,
    IdempotencyKey,
    LegalHold,
    Notification,
    PublishedEvent,
    RecoveryCode,
    ServiceKey,
    StaffIdentity,
    User,
    UserSession,
    WebhookEndpoint,
)
from systemadmin.services.sign_in_lock import kept_names
from systemadmin.services.staff_identities import erased_subject

_CHUNK: Final = 200
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


def _erase_events(account: Any) -> int:
    """Empty texts about the account and forget which events name it; return how many rows."""
    rows = list(PublishedEvent.objects.about(account).order_by("pk")[:_CHUNK])
    for row in rows:
        kind = event_kinds().get(row.kind)
        if row.user_id == account.pk and kind is not None:
            row.data |= {name: "" for name in kind.texts if name in row.data}
        row.user = None if row.user_id == account.pk else row.user
        row.other_user = None if row.other_user_id == account.pk else row.other_user
    PublishedEvent.objects.bulk_update(rows, ["data", "user", "other_user"])
    return len(rows)


def _erase_identities(account: Any) -> int:
    """Put a keyed hash in the place of the account's subjects; return how many rows."""
    rows = StaffIdentity.everything.filter(user=account).exclude(subject__startswith="erased-")
    found = list(rows[:_CHUNK])
    for row in found:
        StaffIdentity.everything.filter(pk=row.pk).update(
            subject=erased_subject(row), last_used_at=None
        )
    return len(found)


# Brackets cannot be part of a name that anybody chooses.
_ERASED_NAME: Final = Concat(Value("[erased-"), Cast(F("pk"), CharField()), Value("]"))

TABLES = [
    PersonalTable(
        model=PublishedEvent,
        rows=lambda account: Q(user=account) | Q(other_user=account),
        exported=lambda account: Q(user=account) | Q(other_user=account),
        on_erasure=OnErasure.ANONYMISE,
        columns=("kind", "occurred_at", "data"),
        emptied={"user": None, "other_user": None},
        erase=_erase_events,
        reason="Whoever reads the log must find no gap; what is left are numbers.",
    ),
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
        model=AmountDoneAlone,
        rows=lambda account: Q(actor=account),
        on_erasure=OnErasure.DELETE,
        not_exported="What staff did within the last two days; the audit trail has it too.",
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
        model=WebhookEndpoint,
        rows=lambda account: Q(owner=account),
        on_erasure=OnErasure.ANONYMISE,
        not_exported="Endpoints of the place, not of the person.",
        emptied={"owner": None},
        reason="Where the place sends its events stays known.",
    ),
    PersonalTable(
        model=ServiceKey,
        rows=lambda account: Q(owner=account),
        on_erasure=OnErasure.ANONYMISE,
        not_exported="Keys of the place, not of the person.",
        emptied={"owner": None},
        reason="What the keys did stays in the audit trail.",
    ),
    PersonalTable(
        model=EncryptedTotpDevice,
        rows=_own,
        on_erasure=OnErasure.DELETE,
        columns=("name", "confirmed", "created_at", "last_used_at"),
    ),
    PersonalTable(
        model=StaffIdentity,
        rows=_own,
        on_erasure=OnErasure.ANONYMISE,
        columns=("issuer", "subject", "created_at", "last_used_at"),
        emptied={"last_used_at": None},
        erase=_erase_identities,
        reason="Whoever was erased and signs in again at the provider is refused; what is left is "
        "a keyed hash.",
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
