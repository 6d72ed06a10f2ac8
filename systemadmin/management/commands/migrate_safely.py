"""`manage.py migrate_safely`: a backup first; no migration without one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.backups.upgrade import migrate_safely
from systemadmin.foundation.errors import DomainError


class Command(BaseCommand):
    """What a deployment should call instead of `migrate`."""

    help = "Make a backup, then migrate; nothing is migrated when the backup fails."

    def handle(self, *args: Any, **options: Any) -> None:
        """Back up when there is something to migrate and something to lose."""
        try:
            done = migrate_safely(verbosity=options["verbosity"], report=self.stdout.write)
        except DomainError as error:
            raise CommandError(str(error)) from error
        if not done:
            self.stdout.write("Nothing to migrate.")
