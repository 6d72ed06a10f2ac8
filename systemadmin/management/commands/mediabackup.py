"""`manage.py mediabackup`: refused, because uploaded files are part of every backup."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Takes the place of django-dbbackup's command, which writes an archive without encryption."""

    help = "Not available: `dbbackup` puts uploaded files into each backup, signed and encrypted."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say which command to use."""
        raise CommandError(
            "Uploaded files are part of every backup, signed and encrypted with it. "
            "Run `manage.py dbbackup`."
        )
