"""Restoring when there is no database to ask: from the storage alone."""

from systemadmin.backups.errors import ContentMismatch, ManifestInvalid
from systemadmin.backups.restore import (
    check_compatible,
    load_proven,
    restore_media,
    settle,
)
from systemadmin.backups.vault import Vault, open_vault
from systemadmin.errors import RestoreNotConfirmed
from systemadmin.services.audit_runs import note_restored_trail
from systemadmin.services.backups.importing import import_backups
from systemadmin.services.backups.reaping import reap_interrupted
from systemadmin.services.backups.records import drop_connections, exclusive


def rescue(name: str | None, confirm: str) -> tuple[str, list[str]]:
    """Restore a stored backup over whatever is there; gives back its name and warnings.

    Raises `RestoreNotConfirmed`, `BackupWorkInProgress` and `BackupError`.
    """
    vault = open_vault()
    if confirm != vault.engine.database:
        raise RestoreNotConfirmed
    with exclusive(vault):
        manifest = vault.manifest(name or _newest(vault))
        check_compatible(vault, manifest)
        with vault.engine.scratch("rescue") as scratch:
            findings = load_proven(vault, manifest, scratch)
            settled = settle(scratch, purge=True)
            if settled.problems:
                raise ContentMismatch("; ".join(settled.problems[:10]))
            swap = vault.engine.swap(scratch)
    restore_media(vault, manifest)
    # The rows in the restored database are those of its moment, this very backup "running".
    drop_connections()
    reap_interrupted(vault)
    import_backups(vault=vault)
    note_restored_trail(manifest.name)
    warnings = [*findings.warnings, *settled.warnings]
    if swap.kept_as:
        warnings.append(f"what was there before is kept as {swap.kept_as}")
    return manifest.name, warnings


def _newest(vault: Vault) -> str:
    names = vault.store.names()
    if not names:
        raise ManifestInvalid("The storage holds no whole backup.")
    return names[-1]
