"""Verification: restore a backup into a scratch database, check it, drop it."""

import logging
from contextlib import suppress
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from systemadmin import audit
from systemadmin.backups.errors import (
    BackupError,
    ContentMismatch,
    ManifestInvalid,
    StoreFailed,
    StreamDamaged,
)
from systemadmin.backups.records import (
    begin,
    end,
    exclusive,
    name_of,
    notify_failure,
    refuse_inside_transaction,
)
from systemadmin.backups.restore.steps import Findings, verify
from systemadmin.backups.vault import Vault, open_vault
from systemadmin.errors import BackupNotRestorable, BackupWorkInProgress
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.queue import LONG_CLUSTER, enqueue
from systemadmin.models import Backup, BackupVerification, User
from systemadmin.querysets.backups import CLOCK_TOLERANCE
from systemadmin.services.alerts import resolve_alert
from systemadmin.services.installation import current_installation

logger = logging.getLogger("atalaya.backups")

VERIFY_TASK = "systemadmin.tasks.run_verification"
# These say that the stored files are bad; other failures say nothing about them.
DAMAGE = (StreamDamaged, ContentMismatch, ManifestInvalid, StoreFailed)


@transaction.atomic
def request_verification(*, actor: User | None, backup: Backup) -> BackupVerification:
    """Queue a verification; raises `BackupNotRestorable`."""
    proof = _new_row(actor, backup, BackupVerification.Status.QUEUED)
    audit.record("systemadmin.backup.verification_requested", actor=actor, target=backup)
    enqueue(VERIFY_TASK, proof.pk, cluster=LONG_CLUSTER)
    return proof


def run_verification(proof_id: int) -> None:
    """Run a queued verification; a second call for the same row does nothing."""
    claimed = BackupVerification.objects.filter(
        pk=proof_id, status=BackupVerification.Status.QUEUED
    ).update(status=BackupVerification.Status.RUNNING, started_at=timezone.now())
    if claimed:
        proof = BackupVerification.objects.select_related("backup").get(pk=proof_id)
        with suppress(BackupWorkInProgress):
            _verify(open_vault(), proof)


def verify_backup(*, actor: User | None = None, backup: Backup) -> BackupVerification:
    """Verify now, in this process; the result is in what it returns.

    Raises `BackupNotRestorable` and `BackupWorkInProgress`.
    """
    refuse_inside_transaction()
    proof = _new_row(actor, backup, BackupVerification.Status.RUNNING)
    _verify(open_vault(), proof)
    return proof


def verification_is_due() -> Backup | None:
    """Return the newest backup when the last proof is older than the rule allows, else None."""
    days = setting("backups.verify_every_days")
    now = timezone.now()
    newest = Backup.objects.of_installation(current_installation()).last_complete(now)
    if not days or newest is None or newest.verification != Backup.Verification.NEVER:
        return None
    # What states a later moment was tried while the clock was wrong.
    span = (now - timedelta(days=days), now + CLOCK_TOLERANCE)
    tried = BackupVerification.objects.filter(created_at__range=span)
    return None if tried.exists() else newest


def _new_row(actor: User | None, backup: Backup, status: str) -> BackupVerification:
    if backup.status not in (Backup.Status.COMPLETE, Backup.Status.DAMAGED):
        raise BackupNotRestorable
    return BackupVerification.objects.create(
        backup=backup, actor=actor, actor_name=name_of(actor), status=status
    )


def _verify(vault: Vault, proof: BackupVerification) -> None:
    begin(proof, BackupVerification.Status.RUNNING)
    try:
        with exclusive(vault):
            findings = verify(vault, vault.manifest(proof.backup.name))
    except Exception as error:
        logger.exception("verification failed", extra={"backup": proof.backup.name})
        _store_error(proof, error)
        if isinstance(error, BackupWorkInProgress):
            raise
        return
    _store(proof, findings)


def _store(proof: BackupVerification, findings: Findings) -> None:
    proof.problems, proof.warnings = findings.problems, findings.warnings
    proof.restore_seconds = round(findings.load_seconds, 3)
    if findings.problems:
        _store_error(proof, ContentMismatch("; ".join(findings.problems[:10])))
        return
    backup = proof.backup
    with transaction.atomic():
        end(proof, BackupVerification.Status.PASSED)
        Backup.objects.filter(pk=backup.pk).update(
            verification=Backup.Verification.PASSED,
            verified_at=proof.finished_at,
            restore_seconds=proof.restore_seconds,
            status=Backup.Status.COMPLETE,
        )
        audit.record(
            "systemadmin.backup.verified",
            actor=proof.actor,
            target=backup,
            metadata={"restore_seconds": proof.restore_seconds},
        )
        resolve_alert(rule="backup.verification_failed")


def _store_error(proof: BackupVerification, error: Exception) -> None:
    """Mark the backup when its verification failed; not when it could not run."""
    backup = proof.backup
    with transaction.atomic():
        end(proof, BackupVerification.Status.FAILED, error)
        if isinstance(error, DAMAGE):
            Backup.objects.filter(pk=backup.pk).update(
                verification=Backup.Verification.FAILED,
                verified_at=proof.finished_at,
                status=Backup.Status.DAMAGED,
            )
        elif not isinstance(error, BackupError):
            logger.error("verification did not run to its end")
        audit.record(
            "systemadmin.backup.verification_failed",
            actor=proof.actor,
            target=backup,
            metadata={"error": proof.error},
        )
        if not isinstance(error, BackupWorkInProgress):
            notify_failure(
                "backup.verification_failed",
                gettext_noop("Backup %(backup)s could not be verified."),
                error,
                key=backup.name,
                backup=backup.name,
            )
