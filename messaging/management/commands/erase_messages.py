"""`manage.py erase_messages USERNAME --reason …`: erase everything a member wrote."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from messaging import services
from systemadmin.errors import AccountIsHeld
from systemadmin.foundation.context import context
from systemadmin.models import User


class Command(BaseCommand):
    """Erase a member's messages for good; safe to run again."""

    help = (
        "Erase everything a member wrote: texts, earlier wordings and files. It cannot be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, username: str, reason: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no account called {username}.")
        with context(source="command"):
            try:
                erased = services.erase_member(actor=None, user=user, reason=reason)
            except AccountIsHeld as refusal:
                raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{erased} messages erased.")
