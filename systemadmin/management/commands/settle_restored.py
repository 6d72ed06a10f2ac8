"""`manage.py settle_restored`: migrate a scratch database to this code's state and check it.

Called by restores and verifications in a process whose DATABASE_URL is the scratch.
"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from systemadmin.backups.restore.post_restore import reset_restored


class Command(BaseCommand):
    """Prints one line of JSON: problems and warnings."""

    help = "Used by restores on a scratch database; not for the live one."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--scratch", action="store_true", help="Yes, this is a scratch.")
        parser.add_argument(
            "--purge", action="store_true", help="Empty the queue, end sessions and tokens."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate, purge, check."""
        if not options["scratch"]:
            raise CommandError("This purges queue and sessions of the database it runs on.")
        found = reset_restored(purge=options["purge"])
        answer = {"problems": found.problems, "warnings": found.warnings}
        self.stdout.write(json.dumps(answer))
