"""`manage.py settle_restored`: bring a scratch database to this code's state and judge it.

Called by restores and verifications in a process whose DATABASE_URL is the scratch.
"""

import json
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from systemadmin.foundation.integrity import find_problems
from systemadmin.services.backups.settling import forget_unfinished_business


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
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0)
        elif options["purge"]:
            # Roles and schedules follow the code, which may be newer than the backup.
            call_command("setup", verbosity=0)
        warnings = forget_unfinished_business() if options["purge"] else []
        answer = {"problems": find_problems(), "warnings": warnings}
        self.stdout.write(json.dumps(answer))
