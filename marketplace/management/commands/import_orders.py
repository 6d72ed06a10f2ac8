"""`manage.py import_orders FILE`: orders that happened elsewhere, each of them once."""

import sys
import time
from argparse import ArgumentParser
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketplace.order_files import read_orders
from marketplace.services import import_orders
from marketplace.services.order_imports import MOST_ROWS
from systemadmin.foundation.context import context
from systemadmin.foundation.import_command import row_bar
from systemadmin.foundation.row_files import UnreadableFileError

EPILOG = """
The file has a JSON object on each line, as POST /api/admin/orders takes it, or is CSV with one
product a row; rows of one order follow each other. Killed, run it again: what is there already is
passed over.

Exit code 0: every order is there; 1: some rows were refused; 2: the file is wrong.
"""


class Command(BaseCommand):
    help = "Import orders that happened elsewhere from a CSV or JSON-lines file, gzipped or not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = EPILOG
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--publish", action="store_true", help="say so in the event log and to webhooks, too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import chunk by chunk, each in a transaction of its own."""
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.", returncode=2)
        started, counted = time.monotonic(), Counter[str]()
        try:
            with context(source="command"), row_bar(path, self.stderr) as bar:
                rows = read_orders(path)
                while chunk := list(islice(rows, MOST_ROWS)):
                    self._import(chunk, counted, is_published=options["publish"])
                    bar.update(len(chunk))
        except UnreadableFileError as fault:
            raise CommandError(str(fault), returncode=2) from fault
        seconds = max(time.monotonic() - started, 0.001)
        self.stdout.write(
            f"{counted['created']} created, {counted['known']} known already, "
            f"{counted['refused']} refused ({sum(counted.values()) / seconds:,.0f} rows/s)"
        )
        if counted["refused"]:
            sys.exit(1)

    def _import(
        self, chunk: list[tuple[int, Any]], counted: Counter[str], *, is_published: bool
    ) -> None:
        done = import_orders(
            actor=None, rows=[row for _line, row in chunk], is_published=is_published
        )
        for (line, _row), one in zip(chunk, done, strict=True):
            counted[one.status] += 1
            if one.refusal:
                self.stderr.write(f"row {line}: {one.external_id} {one.refusal}")
