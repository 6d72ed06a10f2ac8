"""`manage.py verify_backup`: verify a backup by a trial restore."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from systemadmin.foundation.errors import DomainError
from systemadmin.management.commands.restore_backup import find
from systemadmin.models import BackupVerification
from systemadmin.services.backups import verify_backup


class Command(BaseCommand):
    """Exit with code 1 when the verification failed."""

    help = "Restore a backup into a scratch database, check it, drop it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("backup", nargs="?", help="Name or id; the newest one without it.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, and say what was found."""
        backup = find(options["backup"])
        try:
            proof = verify_backup(backup=backup)
        except DomainError as error:
            raise CommandError(str(error)) from error
        for warning in proof.warnings:
            self.stdout.write(f"Warning: {warning}")
        if proof.status != BackupVerification.Status.PASSED:
            raise CommandError(f"{backup.name}: {proof.error}")
        self.stdout.write(f"{backup.name}: verified, restored in {proof.restore_seconds:.1f} s")
