"""`record`: the one way an act gets into the audit trail."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from systemadmin.audit_content import FIELDS, canonical, plain_number, storable_text
from systemadmin.audit_keys import ROW, current_key, is_signed
from systemadmin.foundation.context import current
from systemadmin.foundation.crypto import keyed_hash_matches
from systemadmin.foundation.masking import is_secret_field, mask_text
from systemadmin.models.audit import AuditEntry

MASKED = "***"

# What the code of a row covered before it covered everything.
_LEGACY_FIELDS = (
    "action",
    "actor_ref",
    "actor_name",
    "actor_role",
    "source",
    "target_type",
    "target_id",
    "target_name",
    "before",
    "after",
    "reason",
    "metadata",
    "ip",
    "request_id",
)
_NEXT_ID = {
    "postgresql": "SELECT nextval(pg_get_serial_sequence('systemadmin_auditentry', 'id'))",
    # Safe because a write transaction of SQLite holds the only write lock from its BEGIN.
    "sqlite": (
        "SELECT 1 + max(coalesce((SELECT seq FROM sqlite_sequence"
        " WHERE name = 'systemadmin_auditentry'), 0),"
        " coalesce((SELECT max(id) FROM systemadmin_auditentry), 0))"
    ),
}


def record(
    action: str,
    *,
    actor: Any = None,
    target: models.Model | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write one audit row in the caller's transaction and return it.

    Request id, address and source come from the call's context; values of fields that
    look like secrets are masked.
    """
    call = current()
    entry = AuditEntry(
        occurred_at=timezone.now(),
        action=action,
        source=call.source or "system",
        before=plain(before or {}),
        after=plain(after or {}),
        reason=storable_text(str(reason)),
        metadata=plain({**(metadata or {}), **call.audit_details}),
        ip=call.ip or None,
        request_id=storable_text(call.request_id),
        **_about_actor(actor),
        **_about_target(target),
    )
    with transaction.atomic(savepoint=False):
        # The code covers the id, so the id is taken before the row is written.
        entry.pk = _next_id()
        authenticate(entry)
        entry.save(force_insert=True)
    return entry


def _next_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_ID[connection.vendor])
        return int(cursor.fetchone()[0])


def _about_actor(actor: Any) -> dict[str, Any]:
    """Return the columns of an entry about who acted; somebody without a row is nobody."""
    person = actor if actor is not None and getattr(actor, "pk", None) else None
    return {
        "actor": person,
        "actor_ref": str(person.pk) if person else "",
        "actor_name": person.get_username() if person else "",
        "actor_role": _role_of(person),
    }


def _about_target(target: models.Model | None) -> dict[str, Any]:
    """Return the columns of an entry about what was acted on."""
    if target is None:
        return {"target_type": "", "target_id": "", "target_name": ""}
    return {
        "target_type": target._meta.label_lower,
        "target_id": str(target.pk),
        "target_name": storable_text(str(target))[:200],
    }


def _role_of(person: Any) -> str:
    if person is None:
        return ""
    if person.is_superuser:
        return "superuser"
    if person.is_service:
        return "service"
    return person.role if person.is_staff else "member"


def plain(value: Any, name: str = "") -> Any:
    """Return `value` as JSON holds it, with secrets masked."""
    if name and is_secret_field(name) and value not in (None, "", [], {}):
        return MASKED
    if isinstance(value, Mapping):
        return {storable_text(str(key)): plain(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    return _plain_single(value)


def _plain_single(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return plain_number(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, models.Model):
        return value.pk
    return storable_text(mask_text(str(value)))


def content_of(entry: AuditEntry) -> bytes:
    """Return the canonical bytes of everything the row says."""
    return canonical([getattr(entry, name) for name in FIELDS])


def authenticate(entry: AuditEntry) -> None:
    """Set the row's key id and code: who can write the table but lacks the key cannot make one."""
    key = current_key()
    entry.kid = key.kid
    entry.mac = key.sign(ROW, content_of(entry))


def is_authentic(row: Sequence[Any], content: bytes) -> bool:
    """Return True when the row's code was made by this application over this very content.

    `row` are the values of `COLUMNS`, `content` is the canonical form of the same row; rows from
    before key ids have a code that leaves out the id.
    """
    kid, mac = row[-2:]
    if kid:
        return is_signed(kid, ROW, content, mac)
    return keyed_hash_matches(legacy_row_hash(row), mac, purpose="audit-row")


def legacy_row_hash(values: Sequence[Any]) -> str:
    """Return the SHA-256 (hex) that codes and links of the first kind were made over."""
    row = dict(zip(FIELDS, values, strict=False))
    content = {name: row[name] for name in _LEGACY_FIELDS}
    content["occurred_at"] = int(row["occurred_at"].timestamp() * 1_000_000)
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
