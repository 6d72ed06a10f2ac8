"""The public face of backups: create, verify, restore, prune, import, and run the schedule."""

from systemadmin.backups.catalogue import import_backups
from systemadmin.backups.create import (
    backup_before,
    backup_since,
    create_backup,
    request_backup,
    run_backup,
)
from systemadmin.backups.downloads import MAY_DOWNLOAD, download, get_backup
from systemadmin.backups.interrupted import mark_interrupted
from systemadmin.backups.restore.live_database import request_restore, restore_backup, run_restore
from systemadmin.backups.retention import plan_retention, prune_backups, set_pinned
from systemadmin.backups.schedule import outlook, run_schedule
from systemadmin.backups.verification import (
    request_verification,
    run_verification,
    verify_backup,
)

__all__ = [
    "MAY_DOWNLOAD",
    "backup_before",
    "backup_since",
    "create_backup",
    "download",
    "get_backup",
    "import_backups",
    "mark_interrupted",
    "outlook",
    "plan_retention",
    "prune_backups",
    "request_backup",
    "request_restore",
    "request_verification",
    "restore_backup",
    "run_backup",
    "run_restore",
    "run_schedule",
    "run_verification",
    "set_pinned",
    "verify_backup",
]
