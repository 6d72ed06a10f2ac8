"""`manage.py finish_restore`: finish or undo a restore whose process died."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.backups.vault import open_vault
from systemadmin.models import Restore
from systemadmin.services.backups import mark_interrupted


class Command(BaseCommand):
    """The same as the schedule does every five minutes, at once."""

    help = "Clean up after a restore whose process died: finish it after the swap, else undo it."

    def handle(self, *args: Any, **options: Any) -> None:
        """Clean up, and say how the newest restore stands."""
        vault = open_vault()
        with vault.engine.lock(timeout=0) as free:
            if not free:
                raise CommandError("Backup work is running: nothing has died.")
        mark_interrupted(vault, at_once=True)
        newest = Restore.objects.order_by("-pk").first()
        self.stdout.write(f"{newest}, {newest.step}" if newest else "There is no restore.")
