"""Let names and addresses sign in again that failed too often."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.services.sign_in_lock import lift_locks


class Command(BaseCommand):
    """`manage.py axes_reset [--username NAME] [--ip ADDRESS] [--reason TEXT]`.

    django-axes has a command for each combination. Those compare a typed name with what is stored,
    which is a keyed hash here, and leave no trace in the audit trail.
    """

    help = "Forget failed sign-ins: all, those of a name, or those from an address. Audited."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", action="append", default=[], help="only of this name")
        parser.add_argument("--ip", action="append", default=[], help="only from this address")
        self.add_reason(parser)

    def add_reason(self, parser: ArgumentParser) -> None:
        """Add the option that every one of these commands has."""
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for username in options.get("username") or [""]:
            for address in options.get("ip") or [""]:
                count += self._lift(username, address, options["reason"])
        self.stdout.write(f"{count} failed sign-ins forgotten.")

    def _lift(self, username: str, address: str, reason: str) -> int:
        try:
            with context(source="command"):
                return lift_locks(username=username, address=address, reason=reason)
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
