"""`manage.py ingest_events FILE`: load account events from a CSV or JSON-lines file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from riskops.ingest.load import LoadOptions, load_file
from riskops.ingest.row_mapping import RowMap, parse_pairs
from riskops.models import IngestCheckpoint
from riskops.models.events import KIND_BY_CODE
from systemadmin.foundation.import_command import ImportCommand

EPILOG = """
In --map, @line is the number of the row.

examples:
  manage.py ingest_events events.csv
  manage.py ingest_events accounts.csv.gz --kind account_created --create-accounts \\
      --map account_external_id=address,wallet=address --set occurred_at=2022-05-01
  manage.py ingest_events transfers.csv.gz --kind transfer --both-ends --skip-strangers \\
      --map wallet=from_wallet,counterparty_wallet=to_wallet --set occurred_at=2022-05-01
"""


class Command(ImportCommand):
    help = "Load account events from a CSV or JSON-lines file, gzipped or not."
    epilog = EPILOG
    batch_limit = 20_000

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--kind", choices=sorted(KIND_BY_CODE), help="kind of every row")
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

    def columns(self, text: str) -> dict[str, str]:
        return _pairs(text)

    def run(self, path: Path, columns: dict[str, str], options: dict[str, Any], bar: Any) -> Any:
        return load_file(
            path,
            self._options(path, columns, options),
            refused_path=options["refused"],
            restart=options["restart"],
            progress=bar.update,
        )

    def _options(self, path: Path, columns: dict[str, str], options: dict[str, Any]) -> LoadOptions:
        constants = _pairs(options["set"])
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

    def summary(self, done: IngestCheckpoint, seconds: float) -> list[str]:
        lines = [
            f"{done.rows_done} rows: {done.accepted} recorded, {done.duplicates} known already, "
            f"{done.refused} refused ({seconds:.1f} s, {done.accepted / max(seconds, 0.001):,.0f} "
            "events/s)"
        ]
        if done.strangers:
            lines.append(f"{done.strangers} transfers between strangers passed over")
        return lines


def _pairs(text: str) -> dict[str, str]:
    try:
        return parse_pairs(text)
    except ValueError as fault:
        raise CommandError(str(fault), returncode=2) from fault
