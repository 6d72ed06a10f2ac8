"""`manage.py migrate_safely`: a backup first; no migration without one."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from systemadmin.foundation.errors import DomainError
from systemadmin.models import Backup
from systemadmin.services.backups import backup_before


class Command(BaseCommand):
    """What a deployment should call instead of `migrate`."""

    help = "Make a backup, then migrate; nothing is migrated when the backup fails."

    def handle(self, *args: Any, **options: Any) -> None:
        """Back up when there is something to migrate and something to lose."""
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if not plan:
            self.stdout.write("Nothing to migrate.")
            return
        if Backup._meta.db_table in connection.introspection.table_names():
            try:
                backup = backup_before(f"before {len(plan)} migrations")
            except DomainError as error:
                raise CommandError(f"{error} Nothing was migrated.") from error
            self.stdout.write(f"Backup: {backup}")
        call_command("migrate", interactive=False, verbosity=options["verbosity"])
