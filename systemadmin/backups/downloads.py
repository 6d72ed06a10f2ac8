"""Download a stored backup, with an audit entry."""

from typing import Final

from django.http import FileResponse

from systemadmin import audit
from systemadmin.backups.errors import BackupError
from systemadmin.backups.restore.steps import database_part
from systemadmin.backups.vault import open_vault
from systemadmin.errors import BackupNotRestorable
from systemadmin.foundation.errors import NotAllowed, NotFound
from systemadmin.foundation.files import private_response
from systemadmin.foundation.personal_data import PERSONAL
from systemadmin.models import Backup, User
from systemadmin.services.demo_limits import check_shared

# The file holds unmasked what staff without the second permission see masked. Its passphrase is
# known to whoever runs the installation, so encryption is no reason to do without.
MAY_DOWNLOAD: Final = ("systemadmin.download_backup", PERSONAL)


def get_backup(backup_id: int) -> Backup:
    """Return the backup of that id; raises `NotFound`."""
    backup = Backup.objects.filter(pk=backup_id).first()
    if backup is None:
        raise NotFound
    return backup


def download(*, actor: User | None, backup: Backup) -> FileResponse:
    """Return the stored database file as it lies there.

    Raises `BackupNotRestorable` and `NotAllowed`.
    """
    check_shared(actor)
    if actor is not None and not actor.has_perms(MAY_DOWNLOAD):
        raise NotAllowed
    if not backup.is_restorable:
        raise BackupNotRestorable
    vault = open_vault()
    try:
        part = database_part(vault.manifest(backup.name))
        file = vault.store.open_for_download(part.name)
    except BackupError as error:
        raise BackupNotRestorable(str(error), code=error.code) from error
    audit.record("systemadmin.backup.downloaded", actor=actor, target=backup)
    response = private_response(file, name=part.name)
    # The safe name turns the dots of ".pgdump.sealed" into underscores; ours has been checked.
    response["Content-Disposition"] = f'attachment; filename="{part.name}"'
    response["Content-Length"] = str(part.size)
    return response
