"""Shared by all backup services: the lock, start and end of recorded work, notices."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy, gettext_noop

from systemadmin import audit
from systemadmin.backups.errors import BackupError
from systemadmin.backups.format.manifest import Manifest
from systemadmin.backups.vault import Vault
from systemadmin.errors import BackupWorkInProgress
from systemadmin.foundation.configuration import forget_stored_values
from systemadmin.models import Backup, Restore, User
from systemadmin.models.backups import RecordedWork
from systemadmin.services.alerts import raise_alert, resolve_alert
from systemadmin.services.notifications import notify_superusers

LOCK_WAIT_SECONDS = 5.0
_TO_SUPERUSERS = gettext_lazy(
    "The database was restored from %(backup)s. Nobody has more rights than just before it, but "
    "for what is listed here. Look through it.\n\n%(warnings)s"
)


def app_version() -> str:
    """Return the version of the application as its API states it."""
    return str(settings.SPECTACULAR_SETTINGS["VERSION"])


def name_of(actor: User | None) -> str:
    return actor.get_username() if actor is not None else ""


def refuse_inside_transaction() -> None:
    """Refuse a dump inside a transaction: it waits for its own locks, or misses its rows."""
    if connection.in_atomic_block:
        raise RuntimeError("Backup work must not run inside a transaction: queue it instead.")


def drop_connections() -> None:
    """Close every session of this process, pooled ones too: a swap ends them anyway, and they
    would fail at some later query."""
    connections.close_all()
    for database in connections.all(initialized_only=True):
        if hasattr(database, "close_pool"):
            database.close_pool()


@contextmanager
def exclusive(vault: Vault) -> Iterator[None]:
    """Hold the lock of all backup work; raises BackupWorkInProgress."""
    with vault.engine.lock(timeout=LOCK_WAIT_SECONDS) as got:
        if not got:
            raise BackupWorkInProgress
        yield


def begin(work: RecordedWork, status: str) -> None:
    work.status, work.started_at, work.error, work.error_code = status, timezone.now(), "", ""
    work.save()


def end(work: RecordedWork, status: str, error: BaseException | None = None) -> None:
    """Store how it ended; the text of an unknown error may hold anything, so only its type."""
    work.status, work.finished_at = status, timezone.now()
    if error is not None:
        work.error_code = getattr(error, "code", "") or type(error).__name__
        work.error = describe(error)
    work.save()


def describe(error: BaseException) -> str:
    """Return the sentence for people; connection strings hide in the texts of drivers."""
    if isinstance(error, BackupError):
        return str(error)
    return str(getattr(error, "detail", "")) or type(error).__name__


def fill(backup: Backup, manifest: Manifest) -> None:
    """Copy what the manifest says into the row; the caller saves."""
    database = manifest.part("database")
    backup.taken_at = manifest.taken_at
    backup.size = manifest.size
    backup.sha256 = database.sha256 if database else ""
    backup.is_sealed = any(part.sealed for part in manifest.parts)
    backup.engine, backup.engine_version = manifest.engine, manifest.engine_version
    backup.database, backup.app_version = manifest.database, manifest.app_version
    backup.migrations = manifest.migrations
    backup.tables = {name: table.rows for name, table in manifest.tables.items()}
    backup.rows = manifest.rows
    backup.media_files = manifest.media_files
    backup.installation = manifest.installation or backup.installation
    backup.installation_name = manifest.installation_name or backup.installation_name
    backup.parts = [
        {"kind": part.kind, "name": part.name, "size": part.size} for part in manifest.parts
    ]


@transaction.atomic
def notify_failure(
    rule: str, summary: str, error: BaseException, key: str = "", **facts: Any
) -> None:
    """Raise the critical alert of a rule; `facts` fill the places of the summary."""
    raise_alert(
        rule=rule,
        severity="critical",
        summary=summary,
        detail=describe(error),
        key=key,
        facts=facts,
    )


@transaction.atomic
def notify_success(
    rule: str, failure_rule: str, summary: str, key: str, detail: str = "", **facts: Any
) -> None:
    """Notify of a success once, and resolve the alert of earlier failures."""
    resolve_alert(rule=failure_rule)
    raise_alert(rule=rule, severity="info", summary=summary, detail=detail, key=key, facts=facts)
    # A success needs no action, so it must not stay on the list of open alerts.
    resolve_alert(rule=rule, key=key)


def forget_copies() -> None:
    """Drop what processes remember of the replaced database."""
    forget_stored_values()
    # Without its cache the application works more slowly; the restore has been done all the same.
    with suppress(Exception):
        cache.clear()


@transaction.atomic
def record_done(restore: Restore) -> None:
    """Store that a restore has been done, in the row, the audit trail and the alerts."""
    restore.step = "finished"
    end(restore, Restore.Status.DONE)
    audit.record(
        "systemadmin.restore.done",
        actor=restore.actor,
        target=restore.backup,
        metadata={"method": restore.method, "closed_seconds": restore.closed_seconds},
    )
    notify_success(
        "restore.done",
        "restore.failed",
        gettext_noop("The database was restored from %(backup)s."),
        str(restore.pk),
        detail=gettext_noop("The place was closed for %(seconds)s s. %(warnings)s"),
        backup=restore.backup.name,
        seconds=restore.closed_seconds,
        warnings="; ".join(restore.warnings),
    )
    notify_superusers(
        kind="restore.done",
        subject=gettext_lazy("The database was restored from a backup"),
        body=_TO_SUPERUSERS,
        values={"backup": restore.backup.name, "warnings": "\n".join(restore.warnings) or "-"},
        key=f"restore-{restore.pk}",
    )
