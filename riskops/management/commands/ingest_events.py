"""`manage.py ingest_events FILE`: load account events from a CSV or JSON-lines file."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from riskops.ingest.files import RowMap, parse_pairs
from riskops.ingest.load import LoadOptions, load_file
from riskops.models import IngestCheckpoint
from riskops.models.events import KIND_BY_CODE
from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.import_command import default_refused, row_bar
from systemadmin.foundation.row_files import UnreadableFileError

EPILOG = """
examples:
  manage.py ingest_events events.csv
  manage.py ingest_events accounts.csv.gz --kind account_created --create-accounts \\
      --map account_external_id=address,wallet=address --set occurred_at=2022-05-01
  manage.py ingest_events transfers.csv.gz --kind transfer --both-ends --skip-strangers \\
      --map wallet=from_wallet,counterparty_wallet=to_wallet --set occurred_at=2022-05-01

Exit code 0: everything was taken in or known already; 1: some rows were refused (see the file
named at the end); 2: the file or an option is wrong.
"""


class Command(BaseCommand):
    help = "Load account events from a CSV or JSON-lines file, gzipped or not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = EPILOG
        parser.add_argument("file", type=Path)
        parser.add_argument("--kind", choices=sorted(KIND_BY_CODE), help="kind of every row")
        parser.add_argument(
            "--map",
            default="",
            help="field=column,…; without it columns are named as fields; @line is the row number",
        )
        parser.add_argument("--set", default="", help="field=value,…: the same for every row")
        parser.add_argument("--source", help="name of the source (default: the file's name)")
        parser.add_argument(
            "--both-ends",
            action="store_true",
            help="a transfer counts for the account of either wallet; an account's external id "
            "is its wallet",
        )
        parser.add_argument(
            "--skip-strangers",
            action="store_true",
            help="with --both-ends: count transfers between two strangers instead of refusing them",
        )
        parser.add_argument(
            "--create-accounts",
            action="store_true",
            help="create a member for each unknown external id",
        )
        parser.add_argument("--batch", type=int, default=1000, help="rows a transaction")
        parser.add_argument("--refused", type=Path, help="where refused rows go, with reasons")
        parser.add_argument(
            "--restart", action="store_true", help="read from the start, whatever was done before"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.", returncode=2)
        if not 1 <= options["batch"] <= 20_000:
            raise CommandError("--batch: 1 to 20000.", returncode=2)
        load = self._options(path, options)
        refused: Path = options["refused"] or default_refused(path)
        started = time.monotonic()
        with context(source="command"), row_bar(path, self.stderr) as bar:
            try:
                done = load_file(
                    path,
                    load,
                    refused_path=refused,
                    restart=options["restart"],
                    progress=bar.update,
                )
            except (UnreadableFileError, DomainError) as fault:
                raise CommandError(str(fault), returncode=2) from fault
        self._report(done, refused, time.monotonic() - started)
        if done.refused:
            sys.exit(1)

    def _options(self, path: Path, options: dict[str, Any]) -> LoadOptions:
        try:
            columns = parse_pairs(options["map"])
            constants = parse_pairs(options["set"])
        except ValueError as fault:
            raise CommandError(str(fault), returncode=2) from fault
        if options["kind"]:
            constants["kind"] = options["kind"]
        source = options["source"] or path.name.split(".")[0][:32]
        mapping = RowMap(
            columns=columns,
            constants=constants,
            id_prefix="row-",
            both_ends=options["both_ends"],
        )
        return LoadOptions(
            mapping=mapping,
            source=source,
            create_accounts=options["create_accounts"],
            batch=options["batch"],
            skip_strangers=options["both_ends"] and options["skip_strangers"],
        )

    def _report(self, done: IngestCheckpoint, refused: Path, seconds: float) -> None:
        self.stdout.write(
            f"{done.rows_done} rows: {done.accepted} recorded, {done.duplicates} known already, "
            f"{done.refused} refused ({seconds:.1f} s, {done.accepted / max(seconds, 0.001):,.0f} "
            "events/s)"
        )
        if done.strangers:
            self.stdout.write(f"{done.strangers} transfers between strangers passed over")
        if done.refused:
            self.stdout.write(f"Refused rows with their reasons: {refused}")
