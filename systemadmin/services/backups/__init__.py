"""Every write about backups: making, proving, restoring, retiring, importing, tending."""

from systemadmin.services.backups.handing import download, get_backup
from systemadmin.services.backups.importing import import_backups
from systemadmin.services.backups.making import (
    backup_before,
    backup_since,
    create_backup,
    request_backup,
    run_backup,
)
from systemadmin.services.backups.proving import (
    request_verification,
    run_verification,
    verify_backup,
)
from systemadmin.services.backups.reaping import reap_interrupted
from systemadmin.services.backups.restoring import request_restore, restore_backup, run_restore
from systemadmin.services.backups.retiring import plan_retention, prune_backups, set_pinned
from systemadmin.services.backups.tending import outlook, tend_backups

__all__ = [
    "backup_before",
    "backup_since",
    "create_backup",
    "download",
    "get_backup",
    "import_backups",
    "outlook",
    "plan_retention",
    "prune_backups",
    "reap_interrupted",
    "request_backup",
    "request_restore",
    "request_verification",
    "restore_backup",
    "run_backup",
    "run_restore",
    "run_verification",
    "set_pinned",
    "tend_backups",
    "verify_backup",
]
