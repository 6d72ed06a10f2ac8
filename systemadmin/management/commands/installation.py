"""`manage.py installation`: which installation this is, and becoming another one."""

import re
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from systemadmin.services.installation import (
    change_installation,
    current_installation,
    installation_name,
)


class Command(BaseCommand):
    """Without an option it changes nothing."""

    help = "Print the identity that backups state; only their maker retires them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--new",
            action="store_true",
            help="Become another installation (a copy): stored backups are left alone.",
        )
        which.add_argument(
            "--become",
            metavar="IDENTITY",
            help="Go on as that installation, which must not run elsewhere: its backups are ours.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Change the identity if asked to, and print it."""
        wanted = options["become"] or ""
        if options["new"] or wanted:
            if settings.INSTALLATION_ID:
                raise CommandError("INSTALLATION_ID is set: change it there.")
            if not re.fullmatch(r"[A-Za-z0-9-]{0,36}", wanted):
                raise CommandError("An identity holds letters, digits and hyphens, 36 at most.")
            change_installation(uid=wanted)
        self.stdout.write(f"{current_installation()} {installation_name()}")
