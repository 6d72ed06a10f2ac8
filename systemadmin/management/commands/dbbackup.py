"""`manage.py dbbackup`: a whole, signed backup of database and uploaded files."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from systemadmin.foundation.errors import DomainError
from systemadmin.services.backups import create_backup


class Command(BaseCommand):
    """Takes the place of django-dbbackup's command of this name."""

    help = "Make a backup now, as the schedule and the API do."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--note", default="", help="Why this backup is made.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, and say what was made."""
        try:
            backup = create_backup(note=options["note"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{backup.name}: {backup.rows} rows, {backup.media_files} files, {backup.size} bytes, "
            f"{backup.duration_seconds:.1f} s"
            + ("" if backup.is_sealed else " (not encrypted: BACKUP_PASSPHRASE is not set)")
        )
