"""Start the child process that replaces the live database's contents in one transaction."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from django.conf import settings

from systemadmin.backups import tombstones
from systemadmin.backups.engines import process
from systemadmin.backups.engines.base import Swap
from systemadmin.backups.engines.postgres.dump_file import plain_file
from systemadmin.backups.errors import BackupError
from systemadmin.backups.format.manifest import Manifest, pack
from systemadmin.backups.restore.steps import database_part, environment, erased_accounts, opened
from systemadmin.backups.vault import Vault

COMMAND = "replace_contents"


class ReplacementRefused(BackupError):
    """The child process rolled back; `code` is that of the error it met."""

    def __init__(self, said: str, code: str) -> None:
        super().__init__(said)
        self.code = code


def replace_in_place(vault: Vault, manifest: Manifest, restore_id: int) -> tuple[Swap, list[str]]:
    """Load the backup over the live contents, all or nothing; gives back how, and warnings.

    A process of its own, because caches of this one hold rows of the old contents; it ends when
    ours does. Raises `BackupError`; the database is as it was then.
    """
    started = time.monotonic()
    with (
        opened(vault, database_part(manifest)) as chunks,
        plain_file(chunks) as dump,
        tempfile.TemporaryFile() as order,
        process.lifeline() as alive,
        tombstones.handed_over(erased_accounts(vault, manifest)) as handed,
    ):
        order.write(pack(manifest).encode())
        order.flush()
        descriptors = [order.fileno(), dump.fileno()]
        answer = process.run(
            [
                sys.executable,
                str(Path(settings.BASE_DIR) / "manage.py"),
                COMMAND,
                str(restore_id),
                *map(str, descriptors),
            ],
            env={**environment(), **handed, "DATABASE_URL": settings.DATABASE_URL},
            limits=process.Limits(total=settings.BACKUP_TOOL_SECONDS),
            stdin=alive,
            pass_fds=descriptors,
        )
    said = json.loads(answer.splitlines()[-1])
    if said["error"]:
        raise ReplacementRefused(said["error"], said["code"])
    return Swap("in_place", time.monotonic() - started), said["warnings"]
