"""`manage.py export_messages USERNAME`: a member's conversations, one JSON object a line."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from messaging import services
from systemadmin import audit
from systemadmin.foundation.context import context
from systemadmin.models import User


class Command(BaseCommand):
    """Write a member's export to standard output."""

    help = "Export everything a member sent and received, as they see it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True, help="kept in the audit trail")

    def handle(self, *args: Any, username: str, reason: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no account called {username}.")
        with context(source="command"):
            audit.record("messaging.messages.exported", target=user, reason=reason)
        for row in services.export_messages(user):
            self.stdout.write(json.dumps(row, ensure_ascii=False))
