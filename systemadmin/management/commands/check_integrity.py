"""`manage.py check_integrity`: is the data as a whole sound?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.foundation.integrity import find_problems


class Command(BaseCommand):
    """Exit code 1 when something is wrong."""

    help = "Run every app's checks of its data as a whole."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the problems, one a line."""
        problems = find_problems()
        for problem in problems:
            self.stdout.write(problem)
        if problems:
            raise CommandError(f"{len(problems)} problems.")
        self.stdout.write("The data is sound.")
