"""Retention: which backups go, by rule, and never one that is needed."""

import logging

from django.db import transaction
from django.utils import timezone

from systemadmin import audit
from systemadmin.backups.errors import BackupError
from systemadmin.backups.manifest import Part
from systemadmin.backups.retention import Candidate, Decision, Rule, decide
from systemadmin.backups.vault import Vault, open_vault
from systemadmin.errors import BackupWorkInProgress
from systemadmin.foundation.sockets import setting
from systemadmin.models import Backup, User
from systemadmin.services.backups.records import exclusive, tell_failure

logger = logging.getLogger("atalaya.backups")


def retention_rule() -> Rule:
    """The rule in force."""
    return Rule(
        days=setting("backups.keep_days"),
        weeks=setting("backups.keep_weeks"),
        months=setting("backups.keep_months"),
        floor=setting("backups.keep_at_least"),
    )


def plan_retention(rule: Rule | None = None) -> list[tuple[Backup, Decision]]:
    """Every stored backup with its fate, newest first; changes nothing."""
    in_use = set(Backup.objects.in_use().values_list("pk", flat=True))
    stored = [Backup.Status.COMPLETE, Backup.Status.DAMAGED]
    rows = {row.pk: row for row in Backup.objects.filter(status__in=stored)}
    candidates = [
        Candidate(
            key=row.pk,
            taken_at=row.taken_at or row.created_at,
            is_good=row.is_restorable and row.verification != Backup.Verification.FAILED,
            is_verified=row.verification == Backup.Verification.PASSED,
            is_pinned=row.is_pinned or row.pk in in_use,
        )
        for row in rows.values()
    ]
    decisions = decide(candidates, rule or retention_rule(), timezone.now())
    return [(rows[decision.key], decision) for decision in decisions]


def prune_backups(*, actor: User | None = None, vault: Vault | None = None) -> list[Backup]:
    """Delete what the rule lets go; raises `BackupWorkInProgress`."""
    vault = vault or open_vault()
    with exclusive(vault):
        gone = [row for row, decision in plan_retention() if not decision.keep]
        for backup in gone:
            _delete(vault, backup, actor)
    return gone


def prune_after_schedule() -> None:
    """Retention after a scheduled backup: its failure is told, and fails nothing else."""
    try:
        prune_backups()
    except BackupWorkInProgress:
        logger.info("retention waits: other backup work is running")
    except BackupError as error:
        logger.exception("retention failed")
        tell_failure("backup.retention_failed", "Old backups could not be deleted.", error)


@transaction.atomic
def set_pinned(*, actor: User | None, backup: Backup, pinned: bool) -> Backup:
    """Keep a backup from being deleted, or let it go again."""
    backup.is_pinned = pinned
    backup.save(update_fields=["is_pinned", "updated_at"])
    action = "systemadmin.backup.pinned" if pinned else "systemadmin.backup.unpinned"
    audit.record(action, actor=actor, target=backup)
    return backup


def _delete(vault: Vault, backup: Backup, actor: User | None) -> None:
    """Files first, then the row: a crash between leaves a row without files, which the next
    comparison with the storage finds; never a file that nobody knows of."""
    parts = [Part(sha256="", sealed=False, compressed=False, **part) for part in backup.parts]
    vault.store.delete(backup.name, parts)
    with transaction.atomic():
        backup.status = Backup.Status.EXPIRED
        backup.save()
        audit.record("systemadmin.backup.expired", actor=actor, target=backup)
