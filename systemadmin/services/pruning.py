"""Nightly removal of what has expired: rows that no one will ask for again."""

from datetime import datetime, timedelta

from django.utils import timezone

from systemadmin.foundation.api.idempotency import KEEP
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.queue import prune_finished
from systemadmin.models import IdempotencyKey
from systemadmin.services import batch_failures, sessions, sign_in_lock
from systemadmin.services.audit_retention import retire_audit_entries
from systemadmin.services.blocked_networks import lift_expired

PRUNING = Batch("systemadmin.prune", is_atomic=False)


def prune_expired() -> dict[str, int]:
    """Delete expired keys, sessions and tokens, finished tasks and retired audit rows."""
    now = timezone.now()
    return PRUNING.parts(
        blocked_networks=lift_expired,
        idempotency_keys=lambda: _forget_keys(now - KEEP),
        sessions=sessions.sweep,
        failed_sign_ins=sign_in_lock.prune_failures,
        tasks=lambda: prune_finished(now - timedelta(days=7)),
        failed_rows=batch_failures.forget_old,
        audit_entries=retire_audit_entries,
    )


def _forget_keys(before: datetime) -> int:
    return IdempotencyKey.objects.filter(created_at__lt=before).delete()[0]
