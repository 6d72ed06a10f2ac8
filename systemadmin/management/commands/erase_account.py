"""`manage.py erase_account USER --reason …`: erase an account over all desks."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.models import User
from systemadmin.services.erasure import erase_account, state_of


class Command(BaseCommand):
    """Without `--yes` it only says what stands against it."""

    help = "Erase an account: what the law keeps becomes anonymous, the rest is deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True, help="kept in the audit trail")
        parser.add_argument("--despite-open-business", action="store_true")
        parser.add_argument("--yes", action="store_true", help="erase now; it cannot be undone")

    def handle(
        self,
        *args: Any,
        username: str,
        reason: str,
        despite_open_business: bool,
        yes: bool,
        **options: Any,
    ) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no account called {username}.")
        if not yes:
            self._say(user)
            return
        try:
            with context(source="command"):
                erasure = erase_account(
                    actor=None,
                    user=user,
                    reason=reason,
                    despite_open_business=despite_open_business,
                )
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        for table, count in sorted(erasure.counts.items()):
            self.stdout.write(f"{table}: {count}")
        self.stdout.write(f"Account {user.pk} is erased.")

    def _say(self, user: User) -> None:
        state = state_of(user)
        for what in ("is_held", "is_staff", "is_erased"):
            if state[what]:
                self.stdout.write(f"{what}: yes")
        for one in state["open_business"]:
            self.stdout.write(f"{one.title}: {one.count}")
        self.stdout.write("Nothing was erased. Say --yes to erase; it cannot be undone.")
