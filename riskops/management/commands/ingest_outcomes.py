"""`manage.py ingest_outcomes FILE`: load what became of events, counterparties and accounts."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from riskops.scores.event_outcomes import ACCOUNT, FIELDS
from riskops.scores.outcome_rows import record_outcomes
from systemadmin import audit
from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.import_command import columns_of, default_refused
from systemadmin.foundation.row_files import (
    RefusedFile,
    RowReader,
    UnreadableFileError,
    reason_of,
)

EPILOG = """
Columns are named event (or counterparty, or account_external_id), fraud and known_at, or mapped;
others are passed over. The source is that of the events. Loaded again, a file changes nothing.

examples:
  manage.py ingest_outcomes judged.csv           accounts: account_external_id,fraud
  manage.py ingest_outcomes payments.csv.gz --source shop --map event=external_id --known-after 7

Exit code 0: everything was taken in; 1: some rows were refused (see the file named at the end);
2: the file or an option is wrong.
"""
REFUSED_COLUMNS = ("row", "field", "code", "detail", "content")
SUBJECTS = ("event", "counterparty", ACCOUNT)
Numbered = tuple[int, Any]


class Command(BaseCommand):
    help = "Load what became of events and accounts from a CSV or JSON-lines file, gzipped or not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = EPILOG
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", default="", help="source of the events; accounts need none")
        parser.add_argument("--map", default="", help="field=column,…")
        parser.add_argument(
            "--known-after",
            type=int,
            metavar="DAYS",
            help="what has no known_at became known so many days after its event (default: now)",
        )
        parser.add_argument("--batch", type=int, default=1000, help="rows a transaction")
        parser.add_argument("--refused", type=Path, help="where refused rows go, with reasons")

    def handle(self, *args: Any, **options: Any) -> None:
        _check(options)
        refused_path = options["refused"] or default_refused(options["file"], of=".outcomes")
        with context(source="command"):
            try:
                recorded, failed = self._load(options, refused_path)
            except (UnreadableFileError, DomainError) as fault:
                raise CommandError(str(fault), returncode=2) from fault
            audit.record(
                "riskops.event_outcomes.recorded",
                metadata={"source": options["source"], "recorded": recorded, "refused": failed},
            )
        self.stdout.write(f"{recorded} outcomes recorded, {failed} rows refused")
        if failed:
            self.stdout.write(f"Refused rows with their reasons: {refused_path}")
            sys.exit(1)

    def _load(self, options: dict[str, Any], refused_path: Path) -> tuple[int, int]:
        """Take in the file; return how many outcomes were recorded and how many rows refused."""
        days = options["known_after"]
        columns = _columns(options["map"])
        refused = RefusedFile(refused_path, 0, REFUSED_COLUMNS)
        recorded = failed = 0
        for batch in self._batches(options["file"], options["batch"]):
            taken = record_outcomes(
                [_row(row, columns) for _number, row in batch],
                source=options["source"],
                known_after=None if days is None else timedelta(days=days),
            )
            refused.write([_line(batch[one.index], one) for one in taken.refused])
            recorded += taken.recorded
            failed += len(taken.refused)
        return recorded, failed

    def _batches(self, path: Path, size: int) -> Iterator[list[Numbered]]:
        with tqdm(unit=" rows", disable=None, file=self.stderr._out) as bar:
            for batch in _in_batches(RowReader(path), size):
                yield batch
                bar.update(len(batch))


def _check(options: dict[str, Any]) -> None:
    if not options["file"].is_file():
        raise CommandError(f"There is no file {options['file']}.", returncode=2)
    if not 1 <= options["batch"] <= 20_000:
        raise CommandError("--batch: 1 to 20000.", returncode=2)
    days = options["known_after"]
    if days is not None and not 0 <= days <= 366:
        raise CommandError("--known-after: 0 to 366.", returncode=2)


def _in_batches(rows: Iterable[Numbered], size: int) -> Iterator[list[Numbered]]:
    reader = iter(rows)
    while batch := list(islice(reader, size)):
        yield batch


def _columns(text: str) -> dict[str, str]:
    """Return which column each field is read from."""
    mapped = columns_of(text, sorted(FIELDS))
    # A payment has a counterparty, and yet the row is about the payment.
    subject = {} if mapped.keys() & set(SUBJECTS) else {name: name for name in SUBJECTS}
    return {"fraud": "fraud", "known_at": "known_at", **subject, **mapped}


def _row(row: Any, columns: dict[str, str]) -> Any:
    if not isinstance(row, dict):
        return row
    found = {name: row[column] for name, column in columns.items() if row.get(column) is not None}
    if ACCOUNT in found and (found.get("event") or found.get("counterparty")):
        # An event has an account, and yet the row is about the event.
        del found[ACCOUNT]
    return found


def _line(numbered: Numbered, refusal: Any) -> tuple[Any, ...]:
    number, row = numbered
    code, detail = reason_of(row, refusal.code, refusal.detail)
    content = row if isinstance(row, str) else json.dumps(row, default=str)
    return (number, refusal.field, code, detail, content[:2000].rstrip("\n"))
