"""Mark the work of dead processes as failed, and finish what can be finished."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from systemadmin.backups.errors import BackupError
from systemadmin.backups.records import (
    describe,
    forget_copies,
    notify_failure,
    record_done,
)
from systemadmin.backups.restore.steps import restore_media
from systemadmin.backups.vault import Vault
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.hard_maintenance import disable_hard, hard_state
from systemadmin.models import Backup, BackupVerification, Restore
from systemadmin.models.backups import RecordedWork
from systemadmin.services.audit_runs import note_restored_trail

# A queued row whose task got lost (a restore empties the queue) is given up after this.
QUEUED_HOURS = 3


class Interrupted(BackupError):
    """The process that did the work died; whatever it had begun has been cleaned up."""

    code = "interrupted"

    def __init__(self) -> None:
        super().__init__(_("The process died before it was done."))


def mark_interrupted(vault: Vault, *, at_once: bool = False) -> int:
    """Clean up after processes that died; return the number of rows marked as interrupted.

    Who gets the lock knows that no living process does backup work. A restore that died after
    the swap is finished, any other is undone. `at_once` takes work begun just now for dead too.
    """
    with vault.engine.lock(timeout=0) as got:
        if not got:
            return 0
        vault.store.sweep_partials()
        vault.engine.sweep(keep_days=setting("backups.keep_replaced_days"))
        swapped = Restore.objects.filter(status=Restore.Status.DONE, step="swapped").first()
        closed = hard_state()
        if closed and closed.owner.startswith("restore-"):
            disable_hard(closed.owner, replaced_database=swapped is not None)
        if swapped:
            finish(vault, swapped)
        models = (Backup, BackupVerification, Restore)
        return sum(_reap(model, at_once=at_once) for model in models)


def finish(vault: Vault, restore: Restore) -> None:
    """Do what a restore still had to do when its process died after the swap."""
    forget_copies()
    said = _("Its process died after the database had been replaced; the rest was done later.")
    restore.warnings = [*restore.warnings, said]
    try:
        restore.media_written = restore_media(vault, vault.manifest(restore.backup.name))
    except (BackupError, OSError) as error:
        restore.warnings += [f"uploaded files were not restored: {describe(error)}"]
    note_restored_trail(restore.backup.name)
    record_done(restore)


def _reap(model: type[RecordedWork], *, at_once: bool) -> int:
    error, now = Interrupted(), timezone.now()
    forgotten = now - timedelta(hours=QUEUED_HOURS)
    # Claimed a moment ago, on its way to the lock: not dead.
    claimed = now - timedelta(seconds=0 if at_once else 30)
    dead = model._default_manager.filter(
        Q(status="running") & ~Q(started_at__gt=claimed)
        | Q(status="queued", created_at__lt=forgotten)
    )
    for row in dead:
        with transaction.atomic():
            row.status, row.finished_at = "failed", now
            row.error, row.error_code = str(error), error.code
            row.save()
            rule = "restore.failed" if model is Restore else "backup.failed"
            notify_failure(rule, gettext_noop("Interrupted: %(row)s"), error, row=str(row))
    return len(dead)
