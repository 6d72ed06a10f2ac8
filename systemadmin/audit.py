"""`record`: the one way an act gets into the audit trail."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils import timezone

from systemadmin.foundation.context import current
from systemadmin.foundation.crypto import keyed_hash, keyed_hash_matches
from systemadmin.foundation.masking import is_secret_field, mask_text
from systemadmin.models.audit import AuditEntry

MASKED = "***"

SEALED_FIELDS = (
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
    person = actor if actor is not None and getattr(actor, "pk", None) else None
    entry = AuditEntry(
        occurred_at=timezone.now(),
        action=action,
        actor=person,
        actor_ref=str(person.pk) if person else "",
        actor_name=person.get_username() if person else "",
        actor_role=_role_of(person),
        source=call.source or "system",
        target_type=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        target_name=str(target)[:200] if target is not None else "",
        before=plain(before or {}),
        after=plain(after or {}),
        reason=reason,
        metadata=plain(metadata or {}),
        ip=call.ip or None,
        request_id=call.request_id,
    )
    entry.mac = authentication_code(entry)
    entry.save(force_insert=True)
    return entry


def _role_of(person: Any) -> str:
    if person is None:
        return ""
    if person.is_superuser:
        return "superuser"
    return person.role if person.is_staff else "member"


def plain(value: Any, name: str = "") -> Any:
    """Return `value` as JSON holds it, with secrets masked."""
    if name and is_secret_field(name) and value not in (None, "", [], {}):
        return MASKED
    if isinstance(value, Mapping):
        return {str(key): plain(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, models.Model):
        return value.pk
    return mask_text(str(value))


def row_hash(entry: AuditEntry) -> str:
    """Return the SHA-256 (hex) of everything the row says."""
    content = {name: getattr(entry, name) for name in SEALED_FIELDS}
    content["occurred_at"] = int(entry.occurred_at.timestamp() * 1_000_000)
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def authentication_code(entry: AuditEntry) -> str:
    """Return the row's HMAC: whoever can write the table but lacks the key cannot make one."""
    return keyed_hash(row_hash(entry), purpose="audit-row")


def is_authentic(entry: AuditEntry) -> bool:
    """True when the row's code was made by this application over this very content."""
    return keyed_hash_matches(row_hash(entry), entry.mac, purpose="audit-row")
