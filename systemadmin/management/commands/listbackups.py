"""`manage.py listbackups`: the stored backups, with who made them."""

from typing import Any

from django.core.management.base import BaseCommand

from systemadmin.models import Backup
from systemadmin.services.installation import current_installation


class Command(BaseCommand):
    """Takes the place of django-dbbackup's command, which lists files of any kind."""

    help = "List backups, newest first; `import_backups` compares the list with the storage."

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each."""
        rows = Backup.objects.with_maker(current_installation()).newest_first()
        for row in rows.defer("tables", "migrations", "parts").iterator(chunk_size=500):
            maker = "own" if row.is_own else f"of {row.installation or 'unknown'}"
            moment = f"{row.taken_at:%Y-%m-%d %H:%M:%S}" if row.taken_at else "-"
            pinned = " pinned" if row.is_pinned else ""
            self.stdout.write(
                f"{row.name} {moment} {row.status} {row.verification} {row.size} {maker}{pinned}"
            )
