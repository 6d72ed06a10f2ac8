"""Connect accounts of staff with the identity provider from the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.models import StaffIdentity, User
from systemadmin.services import staff_identities


class Command(BaseCommand):
    """`staff_identity link ana 248289761001`."""

    help = (
        "Connect an account of staff with its subject (`sub`) at the identity provider, "
        "disconnect it, or list what is connected."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        link = actions.add_parser("link", help="connect an account")
        link.add_argument("username")
        link.add_argument("subject", help="the `sub` of the person at the provider")
        unlink = actions.add_parser("unlink", help="disconnect an account and end its sessions")
        unlink.add_argument("username")
        unlink.add_argument("--reason", default="")
        actions.add_parser("list", help="list what is connected, with the last use")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with context(source="command"):
                getattr(self, f"_{options['action']}")(options)
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal

    def _account(self, options: dict[str, Any]) -> User:
        found = User.objects.filter(username=options["username"]).first()
        if found is None:
            raise CommandError(f"There is no account {options['username']}.")
        return found

    def _link(self, options: dict[str, Any]) -> None:
        user = self._account(options)
        staff_identities.link_identity(actor=None, user=user, subject=options["subject"])
        self.stdout.write(f"{user} is connected.")

    def _unlink(self, options: dict[str, Any]) -> None:
        user = self._account(options)
        if not staff_identities.unlink_identity(actor=None, user=user, reason=options["reason"]):
            raise CommandError(f"{user} is not connected.")
        self.stdout.write(f"{user} is disconnected; all its sessions have ended.")

    def _list(self, options: dict[str, Any]) -> None:
        for row in StaffIdentity.objects.select_related("user").order_by("user__username"):
            used = f"{row.last_used_at:%Y-%m-%d %H:%M} UTC" if row.last_used_at else "never"
            self.stdout.write(f"{row.user}\t{row.subject}\t{used}")
