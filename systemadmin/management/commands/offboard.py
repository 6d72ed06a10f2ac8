"""Take everything of staff's from an account."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.models import User
from systemadmin.services.offboarding import offboard, what_is_left


class Command(BaseCommand):
    """`manage.py offboard USERNAME --reason TEXT [--successor NAME] [--dry-run]`."""

    help = "Take rights, sessions, tokens, second factor and held work from an account of staff."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", default="", help="why, for the audit trail")
        parser.add_argument("--successor", default="", help="colleague who takes the work over")
        parser.add_argument("--dry-run", action="store_true", help="show what is left only")

    def handle(self, *args: Any, username: str, successor: str, **options: Any) -> None:
        user = _account(username)
        self._show(user)
        if options["dry_run"]:
            return
        to = _account(successor) if successor else None
        try:
            with context(source="command"):
                offboard(actor=None, user=user, reason=options["reason"], successor=to)
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write("Off-boarded. What is left:")
        self._show(_account(username))

    def _show(self, user: User) -> None:
        for one in what_is_left(user):
            self.stdout.write(f"  {one.count:>6}  {one.title}")


def _account(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no account named {username}.")
    return user
