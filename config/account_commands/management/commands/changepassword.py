"""Set the password of an account, by the rules of the pages."""

import os
import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.errors import ColleagueSetsPasswordThemselves
from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.models import User
from systemadmin.services.shell_accounts import check_may_set_password, set_password

HINT = (
    "Send a one-time link from the account's page, or by POST /api/admin/users/ID/password-reset. "
    "Where nobody can sign in, add --emergency and --reason TEXT: it is done at once, audited, "
    "alerted, and mailed to every superuser."
)


class Command(BaseCommand):
    """`manage.py changepassword USERNAME [--reason TEXT] [--emergency]`.

    The password is asked for twice, or is one line of standard input where that is no terminal.
    """

    help = "Set a member's password; a colleague's in an emergency only. Sessions and tokens end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", default="", help="why, for the audit trail")
        parser.add_argument(
            "--emergency",
            action="store_true",
            help="set a colleague's password now, without a second person: audited and alerted",
        )

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no account named {username}.")
        how = {"is_emergency": options["emergency"], "reason": options["reason"]}
        try:
            check_may_set_password(user=user, **how)
            with context(source="command"):
                set_password(user=user, new_password=typed_password(), **how)
        except ColleagueSetsPasswordThemselves as refusal:
            raise CommandError(f"{refusal} {HINT}") from refusal
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Password of {username} set; its sessions and tokens ended.")


def typed_password() -> str:
    """Return a password typed twice, or the first line of standard input; raises `CommandError`."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass("New password: ")
    if getpass("New password again: ") != first:
        raise CommandError("The two are not the same.")
    return first


def given_password() -> str:
    """Return the password from DJANGO_SUPERUSER_PASSWORD, for installs without hands."""
    password = os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
    if not password:
        raise CommandError("Set DJANGO_SUPERUSER_PASSWORD, or leave --noinput out.")
    return password
