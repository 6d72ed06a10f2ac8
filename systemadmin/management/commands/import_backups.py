"""`manage.py import_backups`: rows for stored backups that have none."""

from typing import Any

from django.core.management.base import BaseCommand

from systemadmin.services.backups import import_backups
from systemadmin.services.installation import is_own


class Command(BaseCommand):
    """For a fresh machine, and after files were moved by hand."""

    help = "Compare the list of backups with what the storage really holds."

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, and say what was found."""
        found = import_backups()
        for backup in found.imported:
            maker = f" of {backup.installation} ({backup.installation_name})"
            self.stdout.write(f"imported {backup.name}" + ("" if is_own(backup) else maker))
        for backup in found.missing:
            self.stdout.write(f"missing {backup.name}")
        for name, reason in found.refused.items():
            self.stdout.write(f"refused {name}: {reason}")
        for name in found.incomplete:
            self.stdout.write(f"incomplete {name}: no manifest goes with it")
        self.stdout.write(f"{len(found.imported)} imported, {len(found.missing)} missing.")
