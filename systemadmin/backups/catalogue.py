"""Comparing the rows with what the storage really holds; finding backups without a row."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.db import transaction

from systemadmin import audit
from systemadmin.backups import pins
from systemadmin.backups.errors import BackupError
from systemadmin.backups.format.manifest import Manifest
from systemadmin.backups.records import fill
from systemadmin.backups.vault import PREFIX, Vault, open_vault
from systemadmin.models import Backup, User
from systemadmin.services.installation import current_installation


@dataclass
class Comparison:
    """What was found in the storage."""

    imported: list[Backup] = field(default_factory=list)
    missing: list[Backup] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)


def import_backups(*, actor: User | None = None, vault: Vault | None = None) -> Comparison:
    """Make rows for stored backups that have none, and mark rows whose files are gone."""
    vault = vault or open_vault()
    stored, pinned = vault.store.names(), pins.found(vault.store)
    uid = current_installation()
    rows = {row.name: row for row in Backup.objects.all()}
    result = Comparison(incomplete=vault.store.incomplete(PREFIX))
    for name in stored:
        row = rows.get(name)
        if row is not None and row.status in (Backup.Status.COMPLETE, Backup.Status.DAMAGED):
            continue
        try:
            manifest = vault.manifest(name)
        except BackupError as error:
            result.refused[name] = str(error)
            continue
        is_pinned = uid in pinned.get(name, set()) and pins.holds(
            vault.store, vault.signer, backup=name, installation=uid
        )
        result.imported.append(_import(manifest, row, actor, is_pinned=is_pinned))
    result.missing += _missing_rows(rows.values(), stored)
    for row in result.missing:
        _mark_missing(row, actor)
    return result


def _missing_rows(rows: Iterable[Backup], stored: Collection[str]) -> list[Backup]:
    """Return the rows of complete backups whose files are gone."""
    complete = Backup.Status.COMPLETE
    return [row for row in rows if row.status == complete and row.name not in stored]


@transaction.atomic
def _import(
    manifest: Manifest, row: Backup | None, actor: User | None, *, is_pinned: bool
) -> Backup:
    """Return a row for a whole backup; one that a dead process left unfinished becomes complete.

    It says who made the backup, and which installation: only that one retires it.
    """
    backup = row or Backup(name=manifest.name, trigger=Backup.Trigger.IMPORT, note=manifest.note)
    fill(backup, manifest)
    backup.is_pinned = backup.is_pinned or is_pinned
    backup.status, backup.error, backup.error_code = Backup.Status.COMPLETE, "", ""
    backup.actor_name = backup.actor_name or manifest.actor
    backup.finished_at = backup.finished_at or manifest.taken_at
    backup.save()
    audit.record("systemadmin.backup.imported", actor=actor, target=backup)
    return backup


@transaction.atomic
def _mark_missing(row: Backup, actor: User | None) -> None:
    row.status = Backup.Status.MISSING
    row.save()
    audit.record("systemadmin.backup.missing", actor=actor, target=row)
