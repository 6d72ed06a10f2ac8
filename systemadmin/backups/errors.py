"""The ways the machinery of backups fails, each with a sentence an operator understands."""

from __future__ import annotations


class BackupError(Exception):
    """Something about a backup is wrong; `code` is stable, the text is for people."""

    code = "backup_error"


class StreamDamaged(BackupError):
    """The stored bytes are not what was written: flipped, cut short, or out of order."""

    code = "stream_damaged"


class WrongPassphrase(BackupError):
    """The passphrase does not open this backup."""

    code = "wrong_passphrase"


class ManifestInvalid(BackupError):
    """The manifest is missing, unreadable, or signed by another key."""

    code = "manifest_invalid"


class IncompatibleBackup(BackupError):
    """The backup is of another engine or of a newer application than this one."""

    code = "incompatible_backup"


class ContentMismatch(BackupError):
    """What was restored is not what the manifest says was dumped."""

    code = "content_mismatch"


class PropertiesNotSet(BackupError):
    """The restored database would lack a property of the live one: owner, grant, setting…"""

    code = "properties_not_set"


class ToolFailed(BackupError):
    """A database tool ended with an error, or did not end in time."""

    code = "tool_failed"


class DatabaseBusy(BackupError):
    """Sessions that we may not end hold the database."""

    code = "database_busy"


class StoreFailed(BackupError):
    """The place where backups are kept refused or lost a file."""

    code = "store_failed"
