"""Migrations, and the backup before them.

While migrations wait, the tables are those of the release before: they may lack columns that the
models of this one have. So nothing is written to them before the last migration has been applied.
What the backup states is read column by column, and has a default where it cannot be read.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from systemadmin.backups.contents import BackupOptions, create
from systemadmin.backups.create import record_created
from systemadmin.backups.format.manifest import Manifest
from systemadmin.backups.records import (
    app_version,
    describe,
    exclusive,
    fill,
    refuse_inside_transaction,
)
from systemadmin.backups.vault import Vault, new_name, open_vault
from systemadmin.errors import BackupFailed, BackupWorkInProgress, MigrationFailed
from systemadmin.foundation.configuration import setting
from systemadmin.models import Backup, Installation
from systemadmin.services.audit_heads import head_for_manifest
from systemadmin.services.installation import (
    current_installation,
    installation_name,
    remember_installation,
)

logger = logging.getLogger("atalaya.backups")

Report = Callable[[str], None]


def migrate_safely(*, verbosity: int = 1, report: Report = lambda line: None) -> int:
    """Make a backup, then apply all pending migrations; return how many there were.

    An empty database needs no backup. Raises `BackupFailed` or `BackupWorkInProgress` with
    nothing migrated, and `MigrationFailed`, which names the backup and the way back.
    """
    refuse_inside_transaction()
    pending = _pending()
    if not pending:
        return 0
    manifest = None
    if settings.BACKUP_BEFORE_CRITICAL and connection.introspection.table_names():
        manifest = _back_up(open_vault(), f"before {pending} migrations")
        report(_("Backup: %s") % manifest.name)
    try:
        call_command("migrate", interactive=False, verbosity=verbosity)
    except Exception as error:
        logger.exception("migration failed")
        name = manifest.name if manifest else ""
        raise MigrationFailed(_first_line(error), name, open_vault().engine.database) from error
    if manifest is not None:
        _record(manifest)
    return pending


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")


def _pending() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _back_up(vault: Vault, note: str) -> Manifest:
    try:
        with exclusive(vault):
            vault.store.sweep_partials()
            options = _options(note)
            remember_installation(options.installation)
            return create(vault, options)
    except BackupWorkInProgress:
        raise
    except Exception as error:
        logger.exception("backup before migrations failed")
        raise BackupFailed(_("The backup failed: %s") % describe(error)) from error


def _options(note: str) -> BackupOptions:
    return BackupOptions(
        name=new_name(),
        trigger=Backup.Trigger.SAFETY,
        note=note,
        app_version=app_version(),
        installation=settings.INSTALLATION_ID or _readable(_stored_installation, ""),
        installation_name=installation_name(),
        with_media=setting("backups.with_media"),
        audit_head=_readable(head_for_manifest, {}),
    )


def _stored_installation() -> str:
    return Installation.objects.filter(pk=1).values_list("uid", flat=True).first() or ""


def _readable(read: Callable[[], Any], default: Any) -> Any:
    """Return what `read` finds, or the default where the old tables do not have it."""
    try:
        return read()
    except DatabaseError:
        logger.info("not in the tables of the release before", extra={"read": read.__name__})
        return default


def _record(manifest: Manifest) -> None:
    """Catalogue and audit the backup, now that the tables are those of this code."""
    backup = Backup(
        name=manifest.name,
        trigger=Backup.Trigger.SAFETY,
        note=manifest.note,
        installation=current_installation(),
        started_at=manifest.taken_at,
    )
    fill(backup, manifest)
    record_created(backup)
