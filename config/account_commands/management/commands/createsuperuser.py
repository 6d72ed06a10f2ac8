"""Create the first superuser; another one in an emergency only."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from config.account_commands.management.commands.changepassword import (
    given_password,
    typed_password,
)
from systemadmin.errors import SuperuserExists
from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.services.shell_accounts import create_superuser

HINT = (
    "Where nobody can sign in, add --emergency and --reason TEXT: it is done at once, audited, "
    "alerted, and mailed to every superuser."
)


class Command(BaseCommand):
    """`manage.py createsuperuser [--username NAME] [--email ADDRESS] [--noinput] …`.

    With --noinput, DJANGO_SUPERUSER_USERNAME, …_EMAIL and …_PASSWORD say what is not given.
    """

    help = "Create the first superuser. Those after it are made in the admin, by two people."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", default=os.environ.get("DJANGO_SUPERUSER_USERNAME", ""))
        parser.add_argument("--email", default=os.environ.get("DJANGO_SUPERUSER_EMAIL", ""))
        parser.add_argument("--noinput", "--no-input", action="store_false", dest="interactive")
        parser.add_argument("--reason", default="", help="why, for the audit trail")
        parser.add_argument(
            "--emergency",
            action="store_true",
            help="create one beside others, without a second person: audited and alerted",
        )

    def handle(self, *args: Any, interactive: bool, **options: Any) -> None:
        username, email = options["username"], options["email"]
        if not username and interactive:
            username = input("User name: ").strip()
        if not username:
            raise CommandError("Say which with --username.")
        if not email and interactive:
            email = input("E-mail address: ").strip()
        try:
            with context(source="command"):
                create_superuser(
                    username=username,
                    email=email,
                    password=typed_password() if interactive else given_password(),
                    is_emergency=options["emergency"],
                    reason=options["reason"],
                )
        except SuperuserExists as refusal:
            raise CommandError(f"{refusal} {HINT}") from refusal
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        except ValidationError as refusal:
            raise CommandError("; ".join(refusal.messages)) from refusal
        self.stdout.write(f"Superuser {username} created.")
