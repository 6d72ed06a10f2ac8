"""`manage.py mediarestore`: refused, because a restore brings uploaded files back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Takes the place of django-dbbackup's command, which checks no signature."""

    help = "Not available: `restore_backup` puts missing uploaded files back."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say which command to use."""
        raise CommandError(
            "Uploaded files come back with their backup: `manage.py restore_backup NAME` puts "
            "back what is missing or differs and deletes none."
        )
