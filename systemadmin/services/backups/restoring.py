"""Restoring the live database: proven copy first, then one swap, then the truth about it."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.backups.engine import Scratch, Swap
from systemadmin.backups.errors import BackupError, ContentMismatch
from systemadmin.backups.in_place import replace_in_place
from systemadmin.backups.manifest import Manifest
from systemadmin.backups.restore import (
    check_compatible,
    database_part,
    load_proven,
    restore_media,
    settle,
    swap_in,
)
from systemadmin.backups.vault import Vault, open_vault
from systemadmin.errors import (
    BackupNotRestorable,
    BackupWorkInProgress,
    RestoreInProgress,
    RestoreNotConfirmed,
)
from systemadmin.foundation.api.access import TwoFactorRequired
from systemadmin.foundation.hard_maintenance import disable_hard, enable_hard
from systemadmin.foundation.queue import LONG_CLUSTER, enqueue
from systemadmin.foundation.sockets import forget_stored_values, setting
from systemadmin.models import Backup, Restore, User
from systemadmin.services.audit_runs import note_restored_trail
from systemadmin.services.backups.carrying import CARRIED, mark_done
from systemadmin.services.backups.making import make_safety_backup
from systemadmin.services.backups.reaping import reap_interrupted
from systemadmin.services.backups.records import (
    describe,
    drop_connections,
    end,
    exclusive,
    name_of,
    refuse_inside_transaction,
    tell_failure,
    tell_success,
)

logger = logging.getLogger("atalaya.backups")

RESTORE_TASK = "systemadmin.tasks.run_restore"
# The closing outlives a crash by this much and no longer.
HARD_SECONDS = 120
HEARTBEAT_SECONDS = 20


def request_restore(
    *, actor: User | None, backup: Backup, confirm: str, passed_second_factor: bool
) -> Restore:
    """Queue a restore of the live database.

    Raises `TwoFactorRequired`, `RestoreNotConfirmed`, `BackupNotRestorable` and
    `RestoreInProgress`. The second factor is asked for even where staff may do without it.
    """
    if not passed_second_factor and not (settings.DEBUG or settings.DEMO_MODE):
        raise TwoFactorRequired
    vault = open_vault()
    _check_wish(vault, backup, confirm)
    with transaction.atomic():
        restore = _new_row(actor, backup, Backup.Trigger.API, Restore.Status.QUEUED)
        audit.record("systemadmin.restore.requested", actor=actor, target=backup)
        enqueue(RESTORE_TASK, restore.pk, cluster=LONG_CLUSTER)
    return restore


def run_restore(restore_id: int) -> None:
    """Run a queued restore; a second call for the same row does nothing."""
    claimed = Restore.objects.filter(pk=restore_id, status=Restore.Status.QUEUED).update(
        status=Restore.Status.RUNNING, started_at=timezone.now()
    )
    if claimed:
        with suppress(BackupError, BackupWorkInProgress):
            _restore(open_vault(), Restore.objects.select_related("backup").get(pk=restore_id))


def restore_backup(*, actor: User | None = None, backup: Backup, confirm: str) -> Restore:
    """Restore now, in this process; the result is in what it returns.

    Raises what `request_restore` raises, and `BackupError` when it fails: the database is as
    it was then.
    """
    refuse_inside_transaction()
    vault = open_vault()
    reap_interrupted(vault)
    _check_wish(vault, backup, confirm)
    restore = _new_row(actor, backup, Backup.Trigger.COMMAND, Restore.Status.RUNNING)
    restore.started_at = timezone.now()
    restore.save()
    return _restore(vault, restore)


def _check_wish(vault: Vault, backup: Backup, confirm: str) -> None:
    if confirm != vault.engine.database:
        raise RestoreNotConfirmed
    if not backup.is_restorable:
        raise BackupNotRestorable
    try:
        check_compatible(vault, vault.manifest(backup.name))
    except BackupError as error:
        raise BackupNotRestorable(str(error), code=error.code) from error


def _new_row(actor: User | None, backup: Backup, trigger: str, status: str) -> Restore:
    restore = Restore(
        backup=backup, trigger=trigger, status=status, actor=actor, actor_name=name_of(actor)
    )
    try:
        with transaction.atomic():
            restore.save()
    except IntegrityError as error:
        raise RestoreInProgress from error
    return restore


def _restore(vault: Vault, restore: Restore) -> Restore:
    """Everything under the lock; whatever fails before the swap leaves the database as it was."""
    try:
        with exclusive(vault):
            manifest = _check(vault, restore)
            with _closed_house(restore):
                _step(restore, "draining")
                vault.engine.drain(setting("backups.drain_seconds"))
                _step(restore, "safety_backup")
                note = _("before restoring %s") % restore.backup.name
                restore.safety_backup = make_safety_backup(vault, actor=restore.actor, note=note)
                swap, warnings = _replace(vault, restore, manifest)
                _forget_copies()
            restored = _after(vault, restore, manifest, swap, warnings)
    except Exception as error:
        logger.exception("restore failed", extra={"backup": restore.backup.name})
        _fail(restore, error)
        raise
    logger.info("restore done", extra={"backup": restore.backup.name})
    return restored


def _check(vault: Vault, restore: Restore) -> Manifest:
    _step(restore, "checking")
    vault.store.sweep_partials()
    vault.engine.sweep(keep_days=setting("backups.keep_replaced_days"))
    manifest = vault.manifest(restore.backup.name)
    check_compatible(vault, manifest)
    vault.store.check(database_part(manifest))
    return manifest


def _replace(vault: Vault, restore: Restore, manifest: Manifest) -> tuple[Swap, list[str]]:
    if not vault.engine.may_swap():
        _step(restore, "replacing")
        drop_connections()
        return replace_in_place(vault, manifest, restore.pk)
    with vault.engine.scratch("restore") as scratch:
        _step(restore, "loading")
        findings = load_proven(vault, manifest, scratch)
        _step(restore, "settling")
        settled = settle(scratch, purge=True)
        if settled.problems:
            raise ContentMismatch("; ".join(settled.problems[:10]))
        _step(restore, "swapping")
        swap, carried = _swap(vault, scratch, restore)
    return swap, [*findings.warnings, *settled.warnings, *carried]


def _swap(vault: Vault, scratch: Scratch, restore: Restore) -> tuple[Swap, list[str]]:
    drop_connections()
    try:
        return swap_in(vault, scratch, CARRIED, lambda target: mark_done(target, restore.pk))
    finally:
        drop_connections()


@contextmanager
def _closed_house(restore: Restore) -> Iterator[None]:
    """Nobody in, by a flag outside the database that a heartbeat keeps alive."""
    owner = f"restore-{restore.pk}"
    message = _("The database is being restored.")
    if not enable_hard(owner, HARD_SECONDS, message):
        raise BackupWorkInProgress(_("Somebody else has closed the house."))
    stopped, started, replaced = threading.Event(), time.monotonic(), False

    def beat() -> None:
        while not stopped.wait(HEARTBEAT_SECONDS):
            enable_hard(owner, HARD_SECONDS, message)

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
        replaced = True
    finally:
        stopped.set()
        heart.join()
        disable_hard(owner, replaced_database=replaced)
        restore.closed_seconds = round(time.monotonic() - started, 3)


def _after(
    vault: Vault, restore: Restore, manifest: Manifest, swap: Swap, warnings: list[str]
) -> Restore:
    """Tell the truth in the restored database; files come last, the house is open already."""
    try:
        written = restore_media(vault, manifest)
    except (BackupError, OSError) as error:
        written, warnings = 0, [*warnings, f"uploaded files were not restored: {describe(error)}"]
    note_restored_trail(restore.backup.name)
    with transaction.atomic():
        row, _created = Restore.objects.get_or_create(
            pk=restore.pk,
            defaults={"backup": restore.backup, "trigger": restore.trigger},
        )
        row.method, row.kept_as, row.step = swap.method, swap.kept_as, "finished"
        row.safety_backup, row.closed_seconds = restore.safety_backup, restore.closed_seconds
        row.media_written, row.warnings = written, warnings
        end(row, Restore.Status.DONE)
        audit.record(
            "systemadmin.restore.done",
            actor=row.actor,
            target=row.backup,
            metadata={"method": swap.method, "closed_seconds": row.closed_seconds},
        )
        tell_success(
            "restore.done",
            "restore.failed",
            _("The database was restored from %s.") % row.backup.name,
            str(row.pk),
            closed_seconds=row.closed_seconds,
            warnings="; ".join(warnings),
        )
    return row


def _forget_copies() -> None:
    """What processes remember of the replaced database is no longer true."""
    forget_stored_values()
    # Without its cache the house works more slowly; the restore has been done all the same.
    with suppress(Exception):
        cache.clear()


def _step(restore: Restore, step: str) -> None:
    restore.step = step
    Restore.objects.filter(pk=restore.pk).update(step=step, safety_backup=restore.safety_backup)


def _fail(restore: Restore, error: Exception) -> None:
    """Store the failure; the connection may have died with the attempt."""
    drop_connections()
    with transaction.atomic():
        row = Restore.objects.select_for_update().filter(pk=restore.pk).first()
        if row is None or row.status == Restore.Status.DONE:
            return
        row.safety_backup, row.closed_seconds = restore.safety_backup, restore.closed_seconds
        end(row, Restore.Status.FAILED, error)
        audit.record(
            "systemadmin.restore.failed",
            actor=row.actor,
            target=row.backup,
            metadata={"error": describe(error), "step": row.step},
        )
        if not isinstance(error, BackupWorkInProgress):
            tell_failure(
                "restore.failed",
                _("The restore from %s failed; the database is as it was.") % row.backup.name,
                error,
            )
