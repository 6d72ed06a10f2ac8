"""Files of rows, CSV or JSON lines, gzipped or not: read in flat memory, whatever they hold."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


class BrokenRow(str):
    """The text of a row that cannot be read, with the reason."""

    code = "unreadable_row"
    detail: str

    def __new__(cls, text: str, detail: str) -> BrokenRow:
        row = super().__new__(cls, text.rstrip("\r\n"))
        row.detail = detail
        return row


def reason_of(row: Any, code: str, detail: str) -> tuple[str, str]:
    """Return why a row was refused: a broken one knows better than who looked for an object."""
    return (row.code, row.detail) if isinstance(row, BrokenRow) else (code, detail)


class RowReader:
    """Rows with their number from 1; one that cannot be read comes as a `BrokenRow`.

    `characters` says how much of the file the rows so far have taken.
    """

    def __init__(self, path: Path, *, longest_row: int = LONGEST_ROW) -> None:
        self._path = path
        self._longest = longest_row
        self._row: list[str] = []
        self._row_began = 0
        self._lines_read = 0
        self.characters = 0

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        with self._in_words():
            yield from self._json() if is_json_lines(self._path) else self._csv()

    def header(self) -> list[str] | None:
        """Return the columns of a CSV file, None for JSON lines.

        Raises `UnreadableFileError` for a file without a line, or with a column twice.
        """
        with self._in_words():
            if is_json_lines(self._path):
                return None
            with open_text(self._path) as file:
                return self._header(csv.reader(self._records(file)))

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Say of a file that cannot be read what it should be."""
        csv.field_size_limit(self._longest)
        try:
            yield
        except UnicodeDecodeError as fault:
            raise UnreadableFileError(
                _("%(path)s is not UTF-8 text, behind line %(line)d. Save it as UTF-8.")
                % {"path": self._path, "line": self._lines_read}
            ) from fault
        except (*READING_ERRORS, csv.Error, TextTooLarge) as fault:
            raise UnreadableFileError(f"{self._path}: {fault}") from fault

    def _header(self, rows: Iterator[list[str]]) -> list[str]:
        columns = next(rows, None)
        if columns is None:
            raise UnreadableFileError(_("%(path)s is empty.") % {"path": self._path})
        twice = sorted(name for name, count in Counter(columns).items() if count > 1 and name)
        if twice:
            names = ", ".join(twice)
            raise UnreadableFileError(
                _("%(path)s: the header names a column twice: %(names)s.")
                % {"path": self._path, "names": names}
            )
        return columns

    def _lines(self, file: IO[str]) -> Iterator[str]:
        for line in bounded_lines(file, max_characters=self._longest):
            self.characters += len(line)
            self._lines_read += 1
            yield line

    def _json(self) -> Iterator[tuple[int, Any]]:
        with open_text(self._path) as file:
            for number, line in enumerate(self._lines(file), 1):
                if not line.strip():
                    continue
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError):
                    yield number, BrokenRow(line, _("The line is no JSON."))

    def _csv(self) -> Iterator[tuple[int, Any]]:
        with open_text(self._path) as file:
            rows = csv.reader(self._records(file))
            columns = self._header(rows)
            self._begin_row()
            number = 0
            for cells in rows:
                text = self._begin_row()
                if not cells:
                    continue  # an empty line
                number += 1
                if len(cells) == len(columns):
                    yield number, dict(zip(columns, cells, strict=True))
                else:
                    counts = {"found": len(cells), "columns": len(columns)}
                    detail = _("%(found)d values, where the header has %(columns)d.") % counts
                    yield number, BrokenRow(text, detail)

    def _begin_row(self) -> str:
        """Return the text of the row that ends here."""
        text, self._row = "".join(self._row), []
        self._row_began = self.characters
        return text

    def _records(self, file: IO[str]) -> Iterator[str]:
        """Yield lines; raises TextTooLarge for a row that quoted line breaks make too long."""
        for line in self._lines(file):
            self._row.append(line)
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
