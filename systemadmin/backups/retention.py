"""Retention: delete the backups that the rule lets go, never one that is needed."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from systemadmin import audit
from systemadmin.backups import pins
from systemadmin.backups.errors import BackupError, StoreFailed
from systemadmin.backups.format.manifest import Part
from systemadmin.backups.records import exclusive, notify_failure
from systemadmin.backups.retention_rule import Candidate, Decision, Rule, decide
from systemadmin.backups.vault import Vault, open_vault
from systemadmin.errors import BackupFailed, BackupWorkInProgress
from systemadmin.foundation.configuration import setting
from systemadmin.models import AuditEntry, Backup, User
from systemadmin.services.installation import current_installation
from systemadmin.services.undoing import notify_undone, reason_to_undo

logger = logging.getLogger("atalaya.backups")

_PINNED: Final = gettext_lazy("You had pinned the backup %(backup)s.")

STORED = (Backup.Status.COMPLETE, Backup.Status.DAMAGED)
# These are gone, and show that time passed.
GONE = (Backup.Status.EXPIRED, Backup.Status.MISSING)


def retention_rule() -> Rule:
    """Return the rule in force."""
    return Rule(
        days=setting("backups.keep_days"),
        weeks=setting("backups.keep_weeks"),
        months=setting("backups.keep_months"),
        floor=setting("backups.keep_at_least"),
        longest_gap=max(timedelta(days=2), timedelta(hours=2 * setting("backups.every_hours"))),
    )


def plan_retention(
    rule: Rule | None = None, *, vault: Vault | None = None
) -> list[tuple[Backup, Decision]]:
    """Return every stored backup of this installation with its fate, newest first; changes nothing.

    What the rule lets go stays all the same when the storage says so: by a pin, or by a signed
    manifest that names another maker or cannot be read.
    """
    vault = vault or open_vault()
    own = Backup.objects.of_installation(current_installation())
    rows = {row.pk: row for row in own.filter(status__in=[*STORED, *GONE], taken_at__isnull=False)}
    in_use = set(Backup.objects.in_use().values_list("pk", flat=True))
    order = _order_made(rows.values())
    candidates = [
        _candidate(row, order[row.pk], is_in_use=row.pk in in_use) for row in rows.values()
    ]
    decisions = decide(candidates, rule or retention_rule())
    pinned = pins.found(vault.store)
    return [
        (rows[decision.key], _confirmed(vault, rows[decision.key], decision, pinned))
        for decision in decisions
    ]


def _order_made(rows: Iterable[Backup]) -> dict[int, tuple[float, int]]:
    """Return the order in which backups were made, whatever the clock said.

    Those recorded here by their ids: each counts as made at the latest moment that it or one
    before it states. Imported ones are placed among them by the moment that they state.
    """
    order: dict[int, tuple[float, int]] = {}
    latest = 0.0
    for row in sorted(rows, key=lambda row: row.pk):
        stated = (row.taken_at or row.created_at).timestamp()
        if row.trigger != Backup.Trigger.IMPORT:
            latest = max(latest, stated)
            stated = latest
        order[row.pk] = (stated, row.pk)
    return order


def _candidate(row: Backup, made: tuple[float, int], *, is_in_use: bool) -> Candidate:
    return Candidate(
        key=row.pk,
        taken_at=row.taken_at or row.created_at,
        is_good=row.is_restorable and row.verification != Backup.Verification.FAILED,
        is_verified=row.verification == Backup.Verification.PASSED,
        is_pinned=row.is_pinned or is_in_use,
        is_stored=row.status in STORED,
        made=made,
    )


def _confirmed(
    vault: Vault, row: Backup, decision: Decision, pinned: dict[str, set[str]]
) -> Decision:
    """Return the decision as the storage allows it."""
    if decision.keep:
        return decision
    if row.name in pinned:
        return Decision(row.pk, True, "pinned in the storage")
    try:
        maker = vault.manifest(row.name).installation
    except BackupError:
        return Decision(row.pk, True, "its manifest cannot be read")
    # Backups of the time before manifests named their maker: the row does.
    if maker and maker != row.installation:
        return Decision(row.pk, True, "made by another installation")
    return decision


def prune_backups(*, actor: User | None = None, vault: Vault | None = None) -> list[Backup]:
    """Delete what the rule lets go; raises `BackupWorkInProgress`."""
    vault = vault or open_vault()
    with exclusive(vault):
        gone = [row for row, decision in plan_retention(vault=vault) if not decision.keep]
        for backup in gone:
            _delete(vault, backup, actor)
    return gone


def prune_after_schedule() -> None:
    """Retention after a scheduled backup; its failure raises an alert and stops nothing else."""
    try:
        prune_backups()
    except BackupWorkInProgress:
        logger.info("retention waits: other backup work is running")
    except BackupError as error:
        logger.exception("retention failed")
        notify_failure(
            "backup.retention_failed", gettext_noop("Old backups could not be deleted."), error
        )


@transaction.atomic
def set_pinned(*, actor: User | None, backup: Backup, pinned: bool, reason: str = "") -> Backup:
    """Keep a backup from being deleted, or let it go again.

    Raises `BackupFailed`, and `InvalidInput` where a colleague pinned it and no reason is given
    for letting it go; the colleague is told.

    The pin lies in the storage, where it outlives this database and counts for every
    installation. Each installation takes off its own only.
    """
    by = None if pinned else _pinned_by(backup)
    why = reason_to_undo(actor=actor, by=by, reason=reason)
    vault, uid = open_vault(), current_installation()
    try:
        if pinned:
            pins.write(
                vault.store,
                vault.signer,
                vault.signing_salt(),
                backup=backup.name,
                installation=uid,
                now=timezone.now(),
            )
        else:
            pins.remove(vault.store, backup=backup.name, installation=uid)
    except StoreFailed as error:
        raise BackupFailed(_("The pin could not be stored: %s") % error) from error
    backup.is_pinned = pinned
    backup.save(update_fields=["is_pinned", "updated_at"])
    action = "systemadmin.backup.pinned" if pinned else "systemadmin.backup.unpinned"
    entry = audit.record(action, actor=actor, target=backup, reason=why)
    notify_undone(by=by, what=_PINNED, values={"backup": backup.name}, entry=entry)
    return backup


def _pinned_by(backup: Backup) -> User | None:
    """Return who pinned a backup last, if a person of this installation did."""
    rows = AuditEntry.objects.filter(
        action="systemadmin.backup.pinned",
        target_type="systemadmin.backup",
        target_id=str(backup.pk),
    )
    found = rows.select_related("actor").order_by("-id").first() if backup.is_pinned else None
    return found.actor if found else None


def _delete(vault: Vault, backup: Backup, actor: User | None) -> None:
    """Files first, then the row: a crash between leaves a row without files, which the next
    comparison with the storage finds; never a file that nobody knows of."""
    parts = [Part(sha256="", sealed=False, compressed=False, **part) for part in backup.parts]
    vault.store.delete(backup.name, parts)
    with transaction.atomic():
        backup.status = Backup.Status.EXPIRED
        backup.save()
        audit.record("systemadmin.backup.expired", actor=actor, target=backup)
