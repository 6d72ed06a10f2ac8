"""Retention of the audit trail: a cut is announced by a signed statement before it is made."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext_noop

from systemadmin import audit
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.locks import named_lock
from systemadmin.models import AuditEntry, AuditSeal
from systemadmin.querysets.legal_holds import held_accounts
from systemadmin.services.alerts import raise_alert, resolve_alert
from systemadmin.services.audit_chain import GENESIS, first_position, links_at
from systemadmin.services.audit_statements import Kind, our_statements, state
from systemadmin.services.audit_walk import Walk
from systemadmin.services.backups import backup_since

BATCH: Final = 2000
# Whatever the setting says, a row is kept for a year: the trail must outlast whoever lowers it.
FLOOR_DAYS: Final = 365


def retire_audit_entries() -> int:
    """Remove rows past their retention together with their links; return how many.

    Only a prefix of the chain goes, after it was verified: rows at fault are evidence and stay,
    with an alert. Raises `BackupFailed` when there is no backup of the last day and none can be
    made: nothing is removed then.
    """
    with named_lock("systemadmin:audit-retention") as held:
        if not held:
            return 0
        removed = _remove_up_to(_last_stated())
        until = _last_expired(_cutoff())
        if until:
            reason = "before audit rows are retired"
            backup_since(timezone.now() - timedelta(days=1), reason)
            if _is_sound(until):
                _state_cut(until)
                removed += _remove_up_to(until)
    return removed


def due_audit_entries() -> int:
    """Return how many rows are past their retention; those at fault among them would be kept."""
    until = _last_expired(_cutoff())
    return AuditSeal.objects.filter(position__lte=until).count() if until else 0


def _cutoff() -> datetime:
    days = max(FLOOR_DAYS, int(setting("audit.retention_days")))
    return timezone.now() - timedelta(days=days)


def _last_stated() -> int:
    """Return how far earlier runs stated their cuts: one that was killed left rows behind."""
    return max((stub.position for stub in our_statements(Kind.RETIRED)), default=0)


def _last_expired(cutoff: datetime) -> int:
    """Return the last position before the first row that is to be kept, 0 for none."""
    # Only a prefix can go: rows of an account under a legal hold keep those after them, too.
    held = AuditEntry.objects.filter(actor__in=held_accounts()).aggregate(first=Min("id"))["first"]
    until = 0
    for chunk in _chunks():
        ids = [entry for _position, entry in chunk]
        moments = dict(AuditEntry.objects.filter(id__in=ids).values_list("id", "occurred_at"))
        if held is not None:
            moments.update({entry: cutoff for entry in ids if entry >= held})
        for position, entry in chunk:
            if moments.get(entry, cutoff) >= cutoff:
                return until
            until = position
    return until


def _chunks() -> Iterator[list[tuple[int, int]]]:
    position = 0
    while True:
        links = AuditSeal.objects.filter(position__gt=position).order_by("position")
        chunk = list(links.values_list("position", "entry_id")[:BATCH])
        if not chunk:
            return
        yield chunk
        position = chunk[-1][0]


def _is_sound(until: int) -> bool:
    walk = Walk()
    for _state in walk.steps(until):
        pass
    if not walk.state.fault_count:
        resolve_alert(rule="audit.retention_stopped")
        return True
    raise_alert(
        rule="audit.retention_stopped",
        severity="critical",
        summary=gettext_noop(
            "Rows of the audit trail at fault are past their retention and were kept."
        ),
        detail=str(walk.state.faults[0]),
    )
    return False


@transaction.atomic
def _state_cut(until: int) -> None:
    first = first_position()
    hashes = links_at([first, until])
    before = links_at([first - 1]).get(first - 1) or _digest_before(first)
    days = int(setting("audit.retention_days"))
    body: dict[str, Any] = {
        "from": first,
        "rows": until - first + 1,
        "digest_before": before,
        "digest_after": hashes[until],
        "setting": "audit.retention_days",
        "days": max(FLOOR_DAYS, days),
        "by": "schedule",
    }
    state(Kind.RETIRED, until, body)
    audit.record("systemadmin.audit.retired", metadata={**body, "until": until})


def _digest_before(first: int) -> str:
    stubs = {stub.position: stub for stub in our_statements(Kind.RETIRED)}
    return str(stubs[first - 1].body["digest_after"]) if first - 1 in stubs else GENESIS


def _remove_up_to(until: int) -> int:
    """Remove rows, then their links, in transactions of their own: the links say which rows."""
    removed = 0
    while True:
        links = AuditSeal.objects.filter(position__lte=until).order_by("position")
        chunk = list(links.values_list("position", "entry_id")[:BATCH])
        if not chunk:
            return removed
        with transaction.atomic():
            rows = AuditEntry.objects.filter(id__in=[entry for _position, entry in chunk])
            rows._raw_delete(using=rows.db)
            links = AuditSeal.objects.filter(position__lte=chunk[-1][0])
            links._raw_delete(using=links.db)
        removed += len(chunk)
