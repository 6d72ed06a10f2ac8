"""django-dbbackup's connector for PostgreSQL: its settings, with tools that stream and time out."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import quote

from dbbackup.db.postgresql import PgDumpBinaryConnector, parse_postgres_settings

from systemadmin.backups.errors import BackupError


class SnapshotConnector(PgDumpBinaryConnector):
    """django-dbbackup's connector and its settings, driving tools that stream and time out."""

    def command(self, tool: str, database: str) -> tuple[list[str], dict[str, str]]:
        """Return the tool with where to connect, and its environment, both without the password."""
        name = self.settings["NAME"]
        self._settings = {**self.settings, "NAME": quote(database, safe="")}
        try:
            target, env = parse_postgres_settings(self)
        finally:
            self._settings["NAME"] = name
        env.pop("PGPASSWORD", None)
        return [*shlex.split(tool), *shlex.split(target)], env

    def create_dump(self) -> Any:
        raise BackupError("Use `manage.py dbbackup`: a dump needs its manifest.")

    def restore_dump(self, dump: Any) -> Any:
        raise BackupError("Use `manage.py restore_backup`: a restore in place is not safe.")
