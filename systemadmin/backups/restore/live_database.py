"""Restore the live database: load and check a copy, swap it in, record the result."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from systemadmin import audit
from systemadmin.backups.create import make_safety_backup
from systemadmin.backups.engines.base import Scratch, Swap
from systemadmin.backups.errors import BackupError, ContentMismatch, PropertiesNotSet
from systemadmin.backups.format.manifest import Manifest
from systemadmin.backups.interrupted import mark_interrupted
from systemadmin.backups.records import (
    describe,
    drop_connections,
    end,
    exclusive,
    forget_copies,
    name_of,
    notify_failure,
    record_done,
    refuse_inside_transaction,
)
from systemadmin.backups.restore.in_place_process import replace_in_place
from systemadmin.backups.restore.preserved_tables import PRESERVED_TABLES, mark_done
from systemadmin.backups.restore.steps import (
    check_compatible,
    database_part,
    load_verified,
    migrate_and_check_in_child,
    restore_media,
    swap_in,
)
from systemadmin.backups.vault import Vault, open_vault
from systemadmin.errors import (
    BackupNotRestorable,
    BackupWorkInProgress,
    RestoreInProgress,
    RestoreNotConfirmed,
    RestoreOfAnotherInstallation,
)
from systemadmin.foundation.api.access import TwoFactorRequired
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.hard_maintenance import disable_hard, enable_hard
from systemadmin.foundation.queue import LONG_CLUSTER, enqueue
from systemadmin.models import Backup, Restore, User
from systemadmin.services.audit_runs import note_restored_trail
from systemadmin.services.demo_limits import check_shared
from systemadmin.services.installation import current_installation
from systemadmin.services.second_person import needs_second_person

logger = logging.getLogger("atalaya.backups")

RESTORE_TASK = "systemadmin.tasks.run_restore"
# Seconds after which hard maintenance ends by itself when the process has died.
HARD_SECONDS = 120
HEARTBEAT_SECONDS = 20


@needs_second_person(
    "systemadmin.request_restore",
    kind="restore",
    title=gettext_lazy("Restore the database from a backup"),
    permission="systemadmin.restore_backup",
    rule=gettext_lazy("always"),
    needs=lambda _attempt: True,
    subject=lambda attempt: attempt.arguments["backup"],
    state=lambda *, backup, **_rest: [backup.name, backup.status],
    shown=lambda *, backup, confirm, **_rest: [
        (gettext_lazy("backup"), backup.name),
        (gettext_lazy("taken at"), backup.taken_at),
        (gettext_lazy("database that is replaced"), confirm),
    ],
)
def request_restore(
    *,
    actor: User | None,
    backup: Backup,
    confirm: str,
    passed_second_factor: bool,
    confirm_installation: str = "",
) -> Restore:
    """Queue a restore of the live database.

    `confirm_installation` is the identity of another installation whose backup it is. Raises
    `TwoFactorRequired`, `RestoreNotConfirmed`, `RestoreOfAnotherInstallation`,
    `BackupNotRestorable` and `RestoreInProgress`. The second factor is asked for even where
    staff may do without it.
    """
    check_shared(actor)
    if not passed_second_factor and not (settings.DEBUG or settings.DEMO_MODE):
        raise TwoFactorRequired
    vault = open_vault()
    _check_request(vault, backup, confirm, confirm_installation)
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


def restore_backup(
    *,
    actor: User | None = None,
    backup: Backup,
    confirm: str,
    confirm_installation: str = "",
) -> Restore:
    """Restore now, in this process; the result is in what it returns.

    Raises what `request_restore` raises, and `BackupError` when it fails: the database is as
    it was then.
    """
    refuse_inside_transaction()
    vault = open_vault()
    mark_interrupted(vault)
    _check_request(vault, backup, confirm, confirm_installation)
    restore = _new_row(actor, backup, Backup.Trigger.COMMAND, Restore.Status.RUNNING)
    restore.started_at = timezone.now()
    restore.save()
    return _restore(vault, restore)


def _check_request(vault: Vault, backup: Backup, confirm: str, confirm_installation: str) -> None:
    if confirm != vault.engine.database:
        raise RestoreNotConfirmed
    if not backup.is_restorable:
        raise BackupNotRestorable
    try:
        manifest = vault.manifest(backup.name)
        check_compatible(vault, manifest)
    except BackupError as error:
        raise BackupNotRestorable(str(error), code=error.code) from error
    maker = manifest.installation
    if maker not in ("", confirm_installation, current_installation()):
        raise RestoreOfAnotherInstallation(maker, manifest.installation_name)


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
    """Restore under the lock; a failure before the swap leaves the database as it was."""
    try:
        with exclusive(vault):
            manifest = _check(vault, restore)
            with _hard_maintenance(restore):
                _step(restore, "draining")
                vault.engine.drain(setting("backups.drain_seconds"))
                _step(restore, "safety_backup")
                note = _("before restoring %s") % restore.backup.name
                restore.safety_backup = make_safety_backup(vault, actor=restore.actor, note=note)
                swap, warnings = _replace(vault, restore, manifest)
                restore.warnings = [*restore.warnings, *warnings]
                forget_copies()
            restored = _after(vault, restore, manifest, swap)
    except Exception as error:
        logger.exception("restore failed", extra={"backup": restore.backup.name})
        _fail(restore, error)
        raise
    logger.info("restore done", extra={"backup": restore.backup.name})
    return restored


def _check(vault: Vault, restore: Restore) -> Manifest:
    """Check all that can be known before anything is changed; raises `BackupError`."""
    _step(restore, "checking")
    vault.store.sweep_partials()
    vault.engine.sweep(keep_days=setting("backups.keep_replaced_days"))
    manifest = vault.manifest(restore.backup.name)
    check_compatible(vault, manifest)
    vault.store.check(database_part(manifest))
    obstacle = vault.engine.obstacle_to_swap()
    restore.method = "in_place" if obstacle else vault.engine.swap_method
    if obstacle:
        if refusal := vault.engine.obstacle_in_place():
            raise PropertiesNotSet(f"{obstacle} In place it is not possible either: {refusal}")
        restore.warnings = [f"restored in place: {obstacle}"]
    return manifest


def _replace(vault: Vault, restore: Restore, manifest: Manifest) -> tuple[Swap, list[str]]:
    if restore.method == "in_place":
        _step(restore, "replacing")
        drop_connections()
        return replace_in_place(vault, manifest, restore.pk)
    with vault.engine.scratch("restore") as scratch:
        _step(restore, "loading")
        findings = load_verified(vault, manifest, scratch)
        restore.warnings = findings.warnings
        _step(restore, "settling")
        reset = migrate_and_check_in_child(vault, manifest, scratch, purge=True)
        restore.warnings = [*findings.warnings, *reset.warnings]
        if reset.problems:
            raise ContentMismatch("; ".join(reset.problems[:10]))
        _step(restore, "swapping")
        swap, carried = _swap(vault, scratch, manifest, restore)
    return swap, carried


def _swap(
    vault: Vault, scratch: Scratch, manifest: Manifest, restore: Restore
) -> tuple[Swap, list[str]]:
    def mark(target: Any, carried: list[str]) -> None:
        said = [*restore.warnings, *carried]
        mark_done(target, restore.pk, method=restore.method, warnings=said)

    drop_connections()
    try:
        return swap_in(vault, scratch, manifest, PRESERVED_TABLES, mark)
    finally:
        drop_connections()


@contextmanager
def _hard_maintenance(restore: Restore) -> Iterator[None]:
    """Keep everybody out by a flag outside the database, renewed by a heartbeat."""
    owner = f"restore-{restore.pk}"
    message = _("The database is being restored.")
    if not enable_hard(owner, HARD_SECONDS, message):
        raise BackupWorkInProgress(_("Another maintenance is in force. End it first, or wait."))
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


def _after(vault: Vault, restore: Restore, manifest: Manifest, swap: Swap) -> Restore:
    """Record the result in the restored database; files come last, when users are back."""
    warnings = restore.warnings
    try:
        written = restore_media(vault, manifest)
    except (BackupError, OSError) as error:
        written, warnings = 0, [*warnings, f"uploaded files were not restored: {describe(error)}"]
    note_restored_trail(restore.backup.name)
    row, _created = Restore.objects.get_or_create(
        pk=restore.pk, defaults={"backup": restore.backup, "trigger": restore.trigger}
    )
    row.method, row.kept_as = swap.method, swap.kept_as
    row.safety_backup, row.closed_seconds = restore.safety_backup, restore.closed_seconds
    row.media_written, row.warnings = written, warnings
    record_done(row)
    return row


def _step(restore: Restore, step: str) -> None:
    restore.step = step
    Restore.objects.filter(pk=restore.pk).update(
        step=step,
        safety_backup=restore.safety_backup,
        method=restore.method,
        warnings=restore.warnings,
    )


def _fail(restore: Restore, error: Exception) -> None:
    """Store the failure; the connection may have died with the attempt."""
    drop_connections()
    with transaction.atomic():
        row = Restore.objects.select_for_update().filter(pk=restore.pk).first()
        if row is None or row.status == Restore.Status.DONE:
            return
        row.safety_backup, row.closed_seconds = restore.safety_backup, restore.closed_seconds
        row.method, row.warnings = restore.method, restore.warnings
        end(row, Restore.Status.FAILED, error)
        audit.record(
            "systemadmin.restore.failed",
            actor=row.actor,
            target=row.backup,
            metadata={"error": describe(error), "step": row.step},
        )
        if not isinstance(error, BackupWorkInProgress):
            notify_failure(
                "restore.failed",
                gettext_noop("The restore from %(backup)s failed; the database is as it was."),
                error,
                backup=row.backup.name,
            )
