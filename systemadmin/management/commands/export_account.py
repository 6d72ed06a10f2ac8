"""`manage.py export_account USER FILE`: everything its owner may have a copy of, as a ZIP."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from systemadmin import audit
from systemadmin.foundation.context import context
from systemadmin.models import User
from systemadmin.services.personal_exports import write_export


class Command(BaseCommand):
    """Write the export of an account into a file."""

    help = "Export everything about an account that its owner may have a copy of."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("file", type=Path)
        parser.add_argument("--language", choices=User.Language.values, default="")
        parser.add_argument("--reason", default="", help="kept in the audit trail")

    def handle(
        self,
        *args: Any,
        username: str,
        file: Path,
        language: str,
        reason: str,
        **options: Any,
    ) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no account called {username}.")
        if file.exists():
            raise CommandError(f"{file} exists already.")
        with context(source="command"):
            metadata = {"account": user.pk}
            audit.record("systemadmin.account.exported", reason=reason, metadata=metadata)
        digest = write_export(user=user, path=file, language=language)
        self.stdout.write(f"{file}: {file.stat().st_size} bytes, SHA-256 {digest}")
