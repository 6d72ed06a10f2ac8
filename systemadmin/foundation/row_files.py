"""Files of rows, CSV or JSON lines, gzipped or not: read in flat memory, whatever they hold."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _

from systemadmin.foundation import text_files
from systemadmin.foundation.csv_export import csv_line
from systemadmin.foundation.text_files import READING_ERRORS, TextTooLarge, bounded_lines

LONGEST_ROW = 1 << 20
# A log of a thousand million events.
MAX_BYTES = 256 << 30
REFUSED_SUFFIX = ".refused.csv"


def refused_folder() -> Path:
    """Return the folder of refused rows beside our own data; loads may name another file."""
    return Path(settings.VAR_DIR) / "refused"


class UnreadableFileError(Exception):
    """The file cannot be read as what it claims to be."""


def fingerprint(path: Path, options: Any) -> str:
    """Return what tells a file with its options from any other, without reading all of it."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    digest.update(str(path.stat().st_size).encode())
    with path.open("rb") as file:
        digest.update(file.read(1 << 20))
    return digest.hexdigest()


def open_text(path: Path) -> IO[str]:
    """Return the file as text; gzip is known by its first bytes, whatever the name."""
    return text_files.open_text(path, max_bytes=MAX_BYTES)


def count_rows(path: Path) -> int:
    """Return the lines of the file for the progress bar; a quoted line break counts as one too."""
    lines = 0
    with open_text(path) as file:
        while block := file.read(1 << 20):
            lines += block.count("\n")
    return lines


def is_json_lines(path: Path) -> bool:
    """Return whether the file begins with a brace, as JSON lines do, and not with a column."""
    with open_text(path) as file:
        return file.read(200).lstrip().startswith("{")


class RowReader:
    """Rows with their number from 1; a line that is no JSON comes as its text.

    `characters` says how much of the file the rows so far have taken.
    """

    def __init__(self, path: Path, *, longest_row: int = LONGEST_ROW) -> None:
        self._path = path
        self._longest = longest_row
        self.characters = 0

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        csv.field_size_limit(self._longest)
        try:
            yield from self._json() if is_json_lines(self._path) else self._csv()
        except (*READING_ERRORS, csv.Error, TextTooLarge) as fault:
            raise UnreadableFileError(f"{self._path}: {fault}") from fault

    def _lines(self, file: IO[str]) -> Iterator[str]:
        for line in bounded_lines(file, max_characters=self._longest):
            self.characters += len(line)
            yield line

    def _json(self) -> Iterator[tuple[int, Any]]:
        with open_text(self._path) as file:
            for number, line in enumerate(self._lines(file), 1):
                if not line.strip():
                    continue
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError):
                    yield number, line

    def _csv(self) -> Iterator[tuple[int, Any]]:
        with open_text(self._path) as file:
            reader = csv.DictReader(self._records(file))
            for number, row in enumerate(reader, 1):
                self._row_began = self.characters
                if None in row or None in row.values():
                    yield number, "row with another number of columns than the header"
                else:
                    yield number, row

    def _records(self, file: IO[str]) -> Iterator[str]:
        """Yield lines; raises TextTooLarge for a row that quoted line breaks make too long."""
        self._row_began = 0
        for line in self._lines(file):
            if self.characters - self._row_began > self._longest + len(line):
                raise TextTooLarge(
                    _("A row is longer than %(most)d characters.") % {"most": self._longest}
                )
            yield line


class RefusedFile:
    """Refused rows with their reasons, as CSV. Made when the first row is refused."""

    def __init__(self, path: Path, size: int, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = columns
        self.size = size
        if path.exists():
            # What a killed batch wrote after the last checkpoint was never committed.
            with path.open("r+b") as file:
                file.truncate(min(size, path.stat().st_size))

    def __enter__(self) -> RefusedFile:
        return self

    def __exit__(self, *_exc: object) -> None:
        return None

    def write(self, lines: list[tuple[Any, ...]]) -> None:
        if not lines:
            return
        # JSON can name half a character (\ud800), which no file can hold.
        with self.path.open("a", encoding="utf-8", errors="replace", newline="") as file:
            if self.size == 0:
                file.write(csv_line(self.columns))
            file.writelines(csv_line(line) for line in lines)
            file.flush()
            self.size = file.tell()
