"""Create backups: on request, by schedule, by command, and before critical operations."""

import logging
from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from systemadmin import audit
from systemadmin.backups.contents import BackupOptions, create
from systemadmin.backups.interrupted import mark_interrupted
from systemadmin.backups.records import (
    app_version,
    begin,
    describe,
    end,
    exclusive,
    fill,
    name_of,
    notify_failure,
    notify_success,
    refuse_inside_transaction,
)
from systemadmin.backups.retention import prune_after_schedule
from systemadmin.backups.vault import Vault, new_name, open_vault
from systemadmin.errors import BackupFailed, BackupInProgress
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.queue import LONG_CLUSTER, enqueue
from systemadmin.models import Backup, User
from systemadmin.services.audit_heads import head_for_manifest
from systemadmin.services.installation import (
    current_installation,
    installation_name,
    remember_installation,
)

logger = logging.getLogger("atalaya.backups")

RUN_TASK = "systemadmin.tasks.run_backup"


@transaction.atomic
def request_backup(
    *, actor: User | None, note: str = "", trigger: str = Backup.Trigger.API
) -> Backup:
    """Queue a backup; raises `BackupInProgress` when one is queued or running."""
    backup = _new_row(actor, note, trigger, Backup.Status.QUEUED)
    audit.record("systemadmin.backup.requested", actor=actor, target=backup, reason=note)
    enqueue(RUN_TASK, backup.pk, cluster=LONG_CLUSTER)
    return backup


def run_backup(backup_id: int) -> None:
    """Make a queued backup; a second call for the same row does nothing."""
    vault = open_vault()
    if not _claim(vault, backup_id):
        return
    backup = Backup.objects.get(pk=backup_id)
    with suppress(BackupFailed):
        _make(vault, backup)
    if backup.status == Backup.Status.COMPLETE and backup.trigger == Backup.Trigger.SCHEDULE:
        prune_after_schedule()


def _claim(vault: Vault, backup_id: int) -> bool:
    row = Backup.objects.filter(pk=backup_id)
    taken = {"status": Backup.Status.RUNNING, "started_at": timezone.now()}
    if row.filter(status=Backup.Status.QUEUED).update(**taken):
        return True
    # The queue gives a task out again when its worker died in it. Whoever gets the lock knows
    # that nobody makes this backup any more.
    with vault.engine.lock(timeout=0) as is_free:
        return is_free and bool(row.filter(status=Backup.Status.RUNNING).update(**taken))


def create_backup(
    *, actor: User | None = None, note: str = "", trigger: str = Backup.Trigger.COMMAND
) -> Backup:
    """Make a backup now, in this process; raises `BackupFailed`."""
    refuse_inside_transaction()
    vault = open_vault()
    mark_interrupted(vault)
    backup = _new_row(actor, note, trigger, Backup.Status.RUNNING)
    _make(vault, backup)
    return backup


def backup_before(reason: str, *, actor: User | None = None) -> Backup | None:
    """Make a backup before a critical act; raises `BackupFailed`, and the act must not start.

    Call it from a task or a command, outside any transaction. None when the installation has
    switched this off (BACKUP_BEFORE_CRITICAL).
    """
    if not settings.BACKUP_BEFORE_CRITICAL:
        return None
    return create_backup(actor=actor, note=reason, trigger=Backup.Trigger.SAFETY)


def backup_since(moment: datetime, reason: str, *, actor: User | None = None) -> Backup | None:
    """Return the newest backup when it was taken after the moment, else one made now.

    For acts that share a backup: several erasures ordered at once, or deletions by the clock that
    the daily backup precedes. Otherwise as `backup_before`.
    """
    own = Backup.objects.of_installation(current_installation())
    newest = own.last_complete(timezone.now())
    if newest is not None and newest.taken_at is not None and newest.taken_at >= moment:
        return newest
    return backup_before(reason, actor=actor)


def make_safety_backup(vault: Vault, *, actor: User | None, note: str) -> Backup:
    """Return the same for a caller that holds the lock (a restore)."""
    backup = _new_row(actor, note, Backup.Trigger.SAFETY, Backup.Status.RUNNING)
    _make(vault, backup, locked=True)
    return backup


def _new_row(actor: User | None, note: str, trigger: str, status: str) -> Backup:
    running = Backup.objects.unfinished_ones().first()
    if running is not None and trigger != Backup.Trigger.SAFETY:
        raise BackupInProgress(extra={"backup": running.pk})
    backup = Backup(
        name=new_name(),
        status=status,
        trigger=trigger,
        note=note.strip(),
        actor=actor,
        actor_name=name_of(actor),
        installation=current_installation(),
        installation_name=installation_name(),
        started_at=timezone.now() if status == Backup.Status.RUNNING else None,
    )
    backup.full_clean(exclude=["actor"], validate_constraints=False)
    try:
        with transaction.atomic():
            backup.save()
    except IntegrityError as error:  # a rival was faster
        raise BackupInProgress from error
    return backup


def _make(vault: Vault, backup: Backup, *, locked: bool = False) -> None:
    begin(backup, Backup.Status.RUNNING)
    try:
        if locked:
            _create(vault, backup)
        else:
            with exclusive(vault):
                vault.store.sweep_partials()
                _create(vault, backup)
    except Exception as error:
        logger.exception("backup failed", extra={"backup": backup.name})
        _fail(backup, error)
        raise BackupFailed(_("The backup failed: %s") % describe(error)) from error
    record_created(backup)


def _create(vault: Vault, backup: Backup) -> None:
    options = BackupOptions(
        name=backup.name,
        trigger=backup.trigger,
        note=backup.note,
        actor=backup.actor_name,
        app_version=app_version(),
        installation=backup.installation,
        installation_name=backup.installation_name,
        with_media=setting("backups.with_media"),
        audit_head=head_for_manifest(),
    )
    remember_installation(backup.installation)
    fill(backup, create(vault, options, lambda size: _show_progress(backup, size)))


def _show_progress(backup: Backup, size: int) -> None:
    """Show the progress; a busy database must not fail the backup for a progress bar."""
    try:
        Backup.objects.filter(pk=backup.pk).update(progress_bytes=size)
    except Exception:
        logger.warning("progress could not be stored", exc_info=True)
        connection.close_if_unusable_or_obsolete()


def _fail(backup: Backup, error: Exception) -> None:
    with transaction.atomic():
        end(backup, Backup.Status.FAILED, error)
        audit.record(
            "systemadmin.backup.failed",
            actor=backup.actor,
            target=backup,
            metadata={"error": describe(error)},
        )
        notify_failure(
            "backup.failed",
            gettext_noop("The backup %(backup)s failed."),
            error,
            backup=backup.name,
        )


def record_created(backup: Backup) -> None:
    """Store that a backup is complete, in its row, the audit trail and the alerts."""
    with transaction.atomic():
        backup.progress_bytes = max(backup.progress_bytes, backup.size)
        end(backup, Backup.Status.COMPLETE)
        audit.record(
            "systemadmin.backup.created",
            actor=backup.actor,
            target=backup,
            reason=backup.note,
            metadata={"size": backup.size, "rows": backup.rows, "trigger": backup.trigger},
        )
        notify_success(
            "backup.succeeded",
            "backup.failed",
            gettext_noop("Backup %(backup)s is complete: %(rows)s rows, %(size)s bytes."),
            backup.name,
            backup=backup.name,
            rows=backup.rows,
            size=backup.size,
        )
    logger.info("backup complete", extra={"backup": backup.name, "size": backup.size})
