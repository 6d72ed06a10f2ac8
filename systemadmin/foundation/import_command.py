"""The command line of an import: file, mapping, progress, refused rows, exit code."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Collection
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.row_files import (
    REFUSED_SUFFIX,
    RowReader,
    UnreadableFileError,
    count_rows,
    refused_folder,
)
from systemadmin.foundation.text_files import READING_ERRORS, TextTooLarge


class ImportCommand(BaseCommand):
    """A subclass names the `fields` of a row and runs the import."""

    fields: Collection[str] = ()
    epilog = ""
    batch_limit = 1000
    # Whether, beside --map, a column that is named as a field is read as that field.
    reads_named_columns = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        fields = f"Fields: {', '.join(self.fields)}. " if self.fields else ""
        parser.epilog = (
            f"{self.epilog}\n\n{fields}Exit code 0: everything was taken "
            "in or known already; 1: some rows were refused (see the file named at the end); "
            "2: the file or an option is wrong."
        )
        parser.add_argument("file", type=Path, help="CSV with a header or JSON lines, gzip too")
        parser.add_argument(
            "--map", default="", help="field=column,…; without it columns are named as fields"
        )
        parser.add_argument("--batch", type=int, default=1000, help="rows per transaction")
        parser.add_argument("--refused", type=Path, help="where refused rows go, with reasons")
        parser.add_argument(
            "--restart", action="store_true", help="read from the start, whatever was done before"
        )

    def run(self, path: Path, columns: dict[str, str], options: dict[str, Any], bar: Any) -> Any:
        """Import the file and return its `FileImport`."""
        raise NotImplementedError

    def columns(self, text: str) -> dict[str, str]:
        """Return which column each field of --map is read from; raises `CommandError`."""
        return columns_of(text, self.fields)

    def summary(self, done: Any, seconds: float) -> list[str]:
        """Return the lines that the command prints about what was imported."""
        return [
            f"{done.rows_done} rows: {done.created} created, {done.updated} updated, "
            f"{done.unchanged} unchanged, {done.refused} refused ({seconds:.1f} s)"
        ]

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.", returncode=2)
        if not 1 <= options["batch"] <= self.batch_limit:
            raise CommandError(f"--batch: 1 to {self.batch_limit}.", returncode=2)
        options["refused"] = options["refused"] or default_refused(path)
        columns, started = self.columns(options["map"]), time.monotonic()
        began = timezone.now()
        with context(source="command"), row_bar(path, self.stderr) as bar:
            try:
                columns = self._checked(columns, RowReader(path).header())
                done = self.run(path, columns, options, bar)
            except (UnreadableFileError, DomainError) as fault:
                raise CommandError(str(fault), returncode=2) from fault
        if done.finished_at is not None and done.finished_at < began:
            when = f"{done.finished_at:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(
                f"Nothing was done now: this file was imported on {when}, with this result. "
                "--restart reads it again."
            )
        self._report(done, options["refused"], time.monotonic() - started)
        if done.refused:
            sys.exit(1)

    def _checked(self, columns: dict[str, str], header: list[str] | None) -> dict[str, str]:
        """Return the mapping with the columns that need none, and name those that are left out."""
        if not columns:
            return columns
        if self.reads_named_columns:
            taken = {*columns, *columns.values()}
            columns = columns | {name: name for name in self.fields if name not in taken}
        if header is None:
            return columns
        asked = {column for name, column in columns.items() if name != column}
        missing = sorted(one for one in asked - set(header) if not one.startswith("@"))
        if missing:
            names = ", ".join(missing)
            raise CommandError(f"--map: the file has no column {names}.", returncode=2)
        unread = [name for name in header if name not in columns.values()]
        if unread:
            self.stderr.write(f"Columns that are not read: {', '.join(unread)}")
        return columns

    def _report(self, done: Any, refused: Path, seconds: float) -> None:
        for line in self.summary(done, seconds):
            self.stdout.write(line)
        if done.refused:
            self.stdout.write(f"Refused rows with their reasons: {refused}")


def columns_of(text: str, fields: Collection[str]) -> dict[str, str]:
    """Return which column each field of --map is read from; raises `CommandError`."""
    pairs: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, column = part.partition("=")
        if not equals or not column or name not in fields:
            known = ", ".join(fields)
            raise CommandError(f"--map: {part!r} is no field=column of {known}.", returncode=2)
        pairs[name] = column
    return pairs


def row_bar(path: Path, stream: Any) -> Any:
    """Return a progress bar over the rows of a file, on a command's error stream."""
    try:
        total = count_rows(path)
    except (OSError, TextTooLarge, *READING_ERRORS):
        total = 0  # reading it will say what is wrong
    return tqdm(total=total or None, unit=" rows", disable=None, file=stream._out)


def default_refused(path: Path, *, of: str = "") -> Path:
    """Return where the refused rows of a file go; `of` tells files of the same name apart.

    Beside our own data, for the file's folder may be read-only; old ones are deleted there.
    """
    folder = refused_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{path.name}{of}{REFUSED_SUFFIX}"
