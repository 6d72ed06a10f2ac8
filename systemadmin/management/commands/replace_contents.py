"""`manage.py replace_contents`: the child process of a restore in place."""

import json
import os
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError

from systemadmin.backups.engines.process import end_with_parent
from systemadmin.backups.errors import BackupError
from systemadmin.backups.format.manifest import unpack
from systemadmin.backups.restore.in_place import replace_contents


class Command(BaseCommand):
    """Prints one line of JSON: an error with its code, or warnings."""

    help = "Used by restores in place; needs what only their parent process can give it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the restore, and the open files with the manifest and the dump."""
        parser.add_argument("restore", type=int)
        parser.add_argument("manifest", type=int)
        parser.add_argument("dump", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        """Replace everything, or tell why nothing was."""
        end_with_parent()
        answer: dict[str, Any] = {"error": "", "code": "", "warnings": []}
        with (
            os.fdopen(options["manifest"], "rb") as order,
            os.fdopen(options["dump"], "rb") as dump,
        ):
            order.seek(0)
            manifest = unpack(order.read().decode())
            try:
                answer["warnings"] = replace_contents(manifest, dump, options["restore"])
            except BackupError as error:
                answer |= {"error": str(error), "code": error.code}
            except (psycopg.Error, DatabaseError) as error:
                answer |= {"error": _sentence(error), "code": "database_error"}
        self.stdout.write(json.dumps(answer))


def _sentence(error: Exception) -> str:
    """Return what the server said; a driver's own texts may hold a connection string."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    said = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return f"The server refused the load: {said or type(cause or error).__name__}."
