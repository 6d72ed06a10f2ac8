"""Write the ledger for another accounting program."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from marketplace import ledger_export


class Command(BaseCommand):
    """Write beancount or CSV to a file or to standard output."""

    help = "Export the ledger as beancount (checked by bean-check) or CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=["beancount", "csv"], default="beancount")
        parser.add_argument("--output", type=Path, help="File; standard output by default.")

    def handle(self, *args: Any, **options: Any) -> None:
        # One snapshot: an export must not see half of what is being posted.
        with transaction.atomic():
            parts = (
                ledger_export.beancount()
                if options["format"] == "beancount"
                else [ledger_export.csv()]
            )
            if options["output"]:
                with options["output"].open("w", encoding="utf-8", newline="") as out:
                    out.writelines(parts)
            else:
                sys.stdout.writelines(parts)
