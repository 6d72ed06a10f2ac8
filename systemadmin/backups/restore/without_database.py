"""Restore from the storage alone, when there is no live database."""

from django.conf import settings

from systemadmin.backups.catalogue import import_backups
from systemadmin.backups.errors import ContentMismatch, ManifestInvalid
from systemadmin.backups.format.manifest import Manifest
from systemadmin.backups.interrupted import mark_interrupted
from systemadmin.backups.records import drop_connections, exclusive
from systemadmin.backups.restore.steps import (
    check_compatible,
    load_verified,
    migrate_and_check_in_child,
    restore_media,
)
from systemadmin.backups.vault import Vault, open_vault
from systemadmin.errors import RestoreNotConfirmed, RestoreOfAnotherInstallation
from systemadmin.services.audit_runs import note_restored_trail
from systemadmin.services.installation import (
    change_installation,
    current_installation,
    known_here,
)

AS_IN_BACKUP = (
    "rights, passwords, keys, suspensions and holds are those of the backup: look for what was"
    " taken away since"
)


def restore_without_database(
    name: str | None, confirm: str, confirm_installation: str = ""
) -> tuple[str, list[str]]:
    """Restore a stored backup over whatever is there; return its name and warnings.

    Raises `RestoreNotConfirmed`, `RestoreOfAnotherInstallation`, `BackupWorkInProgress` and
    `BackupError`.
    """
    vault = open_vault()
    if confirm != vault.engine.database:
        raise RestoreNotConfirmed
    with exclusive(vault):
        manifest = vault.manifest(name) if name else _newest(vault)
        known = known_here()
        if known and manifest.installation not in ("", known, confirm_installation):
            raise RestoreOfAnotherInstallation(manifest.installation, manifest.installation_name)
        check_compatible(vault, manifest)
        with vault.engine.scratch("rescue") as scratch:
            findings = load_verified(vault, manifest, scratch)
            reset = migrate_and_check_in_child(vault, manifest, scratch, purge=True)
            if reset.problems:
                raise ContentMismatch("; ".join(reset.problems[:10]))
            swap = vault.engine.swap(scratch, manifest)
    restore_media(vault, manifest)
    # The rows in the restored database are those of its moment, this very backup "running".
    drop_connections()
    warnings = [*findings.warnings, *reset.warnings, *swap.warnings, *_identify(), AS_IN_BACKUP]
    mark_interrupted(vault)
    import_backups(vault=vault)
    note_restored_trail(manifest.name)
    if swap.kept_as:
        warnings.append(f"what was there before is kept as {swap.kept_as}")
    return manifest.name, warnings


def _newest(vault: Vault) -> Manifest:
    """Return the newest backup of the installation known on this machine, else the newest."""
    known, names = known_here(), vault.store.names()
    for name in reversed(names):
        manifest = vault.manifest(name)
        if not known or manifest.installation in ("", known):
            return manifest
    raise ManifestInvalid("The storage holds no whole backup of this installation.")


def _identify() -> list[str]:
    """Make a copy on another machine an installation of its own; return what to know about it.

    The restored row names the maker of the backup. Two databases with one identity would retire
    each other's backups, so only the machine that is known to be the maker's keeps it.
    """
    if settings.INSTALLATION_ID or current_installation() == known_here():
        return []
    before = current_installation()
    now = change_installation()
    return [
        f"this database is another installation now ({now}) and leaves the backups of {before} "
        f"alone; to go on as that one: manage.py installation --become {before}"
    ]
