"""Nightly removal of what has expired: rows that no one will ask for again."""

from datetime import timedelta

from django.utils import timezone

from systemadmin.foundation.api.idempotency import KEEP
from systemadmin.foundation.queue import prune_finished
from systemadmin.models import IdempotencyKey
from systemadmin.services import sessions
from systemadmin.services.audit_retention import retire_audit_entries
from systemadmin.services.blocked_networks import lift_expired


def prune_expired() -> dict[str, int]:
    """Delete expired keys, sessions and tokens, finished tasks and retired audit rows."""
    now = timezone.now()
    lift_expired()
    keys, _tables = IdempotencyKey.objects.filter(created_at__lt=now - KEEP).delete()
    return {
        "idempotency_keys": keys,
        "sessions": sessions.sweep(),
        "tasks": prune_finished(now - timedelta(days=7)),
        "audit_entries": retire_audit_entries(),
    }
