"""`manage.py prune_backups`: delete what the retention rule lets go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from systemadmin.backups.errors import BackupError
from systemadmin.foundation.errors import DomainError
from systemadmin.models import Backup
from systemadmin.services.backups import plan_retention, prune_backups
from systemadmin.services.installation import current_installation


class Command(BaseCommand):
    """With `--dry-run` it only says what would happen, and why."""

    help = "Delete backups by the retention rule (days, weeks, months; never the last good one)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--dry-run", action="store_true", help="Change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show the plan or carry it out."""
        if options["dry_run"]:
            for backup, decision in plan_retention():
                fate = "keep" if decision.keep else "delete"
                self.stdout.write(f"{fate:6} {backup.name} {decision.reason}")
            others = Backup.objects.complete().exclude(installation=current_installation())
            self.stdout.write(f"{others.count()} of other installations are left alone.")
            return
        try:
            gone = prune_backups()
        except (BackupError, DomainError) as error:
            raise CommandError(str(error)) from error
        for backup in gone:
            self.stdout.write(f"deleted {backup.name}")
        self.stdout.write(f"{len(gone)} deleted.")
