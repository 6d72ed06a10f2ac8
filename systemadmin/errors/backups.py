"""Refusals and failures of backups, restores and migrations."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import InvalidInput, RuleViolation, Unavailable


class BackupInProgress(RuleViolation):
    """One backup at a time; the running one is named in the answer."""

    code = "backup_in_progress"
    default_detail = _("A backup is already queued or running.")


class BackupWorkInProgress(RuleViolation):
    """Backup, verification, restore and retention exclude one another."""

    code = "backup_work_in_progress"
    default_detail = _("Another backup, verification or restore is running.")


class RestoreInProgress(RuleViolation):
    """One restore at a time."""

    code = "restore_in_progress"
    default_detail = _("A restore is already queued or running.")


class BackupNotRestorable(RuleViolation):
    """Only a complete backup whose manifest holds may be restored, verified or downloaded."""

    code = "backup_not_restorable"
    default_detail = _("This backup is not complete.")


class RestoreNotConfirmed(InvalidInput):
    """The typed name is not the database's."""

    code = "restore_not_confirmed"

    def __init__(self) -> None:
        text = _("Type the exact name of the database that will be replaced.")
        super().__init__("confirm", text, code="restore_not_confirmed")


class RestoreOfAnotherInstallation(InvalidInput):
    """The backup is another installation's, and its identity was not typed."""

    code = "other_installation"

    def __init__(self, uid: str, name: str) -> None:
        text = _(
            "Another installation made this backup: %(uid)s (%(name)s). To replace this "
            "database by that one's, type that identity."
        ) % {"uid": uid, "name": name or "?"}
        super().__init__("confirm_installation", text, code="other_installation")


class BackupFailed(Unavailable):
    """The backup that had to come first failed, so nothing else was done."""

    code = "backup_failed"
    default_detail = _("The backup failed; nothing else was done.")


class MigrationFailed(Unavailable):
    """A migration failed; the text names the backup from before and how to go back to it."""

    code = "migration_failed"
    default_detail = _("A migration failed.")

    def __init__(self, error: str, backup: str, database: str) -> None:
        """Name the error, the backup (empty when none was made) and the database."""
        said = _("A migration failed: %s") % error
        way_back = _(
            "The backup from before is %(backup)s. Mend the cause and migrate again, or go back: "
            "check out the version from before, then run "
            "`manage.py restore_backup %(backup)s --rescue --confirm %(database)s`."
        ) % {"backup": backup, "database": database}
        super().__init__(f"{said}\n{way_back}" if backup else said)
