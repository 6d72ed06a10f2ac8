"""Reads account events from CSV and JSON-lines files, gzipped or not, with column mapping."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.utils.translation import gettext as _

from riskops.ingest.validate import FIELDS
from systemadmin.foundation import text_files
from systemadmin.foundation.text_files import READING_ERRORS, TextTooLarge, bounded_lines

# What a row of any file may be mapped from besides its columns.
LINE = "@line"
LONGEST_ROW = 1 << 20
# A log of a thousand million events.
MAX_BYTES = 256 << 30


class UnreadableFileError(Exception):
    """The file cannot be read as what it claims to be."""


@dataclass(frozen=True, slots=True)
class RowMap:
    """How columns become fields of an event."""

    columns: Mapping[str, str] = field(default_factory=dict)  # field -> column
    constants: Mapping[str, str] = field(default_factory=dict)  # field -> value
    id_prefix: str = ""
    both_ends: bool = False

    def rows(self, number: int, source: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The events that one row of the file stands for."""
        row = dict(self.constants)
        if self.columns:
            for name, column in self.columns.items():
                row[name] = str(number) if column == LINE else source.get(column, "")
        else:
            row.update({name: value for name, value in source.items() if name})
        if not row.get("external_id"):
            row["external_id"] = f"{self.id_prefix}{number}"
        if not self.both_ends:
            return [row]
        return [_end(row, "wallet", "counterparty_wallet", "a"), self._other_end(row)]

    def _other_end(self, row: dict[str, Any]) -> dict[str, Any]:
        return _end(row, "counterparty_wallet", "wallet", "b")


def _end(row: dict[str, Any], own: str, other: str, mark: str) -> dict[str, Any]:
    """A transfer as the owner of one of its wallets sees it."""
    return {
        **row,
        "wallet": row.get(own, ""),
        "counterparty_wallet": row.get(other, ""),
        "account_external_id": row.get(own, ""),
        "external_id": f"{row['external_id']}:{mark}",
    }


def parse_pairs(text: str) -> dict[str, str]:
    """`field=column,field=column` as a dictionary; raises ValueError with the reason."""
    pairs: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError(_("Write field=column, not “%(part)s”.") % {"part": part})
        if name not in FIELDS:
            known = ", ".join(sorted(FIELDS))
            raise ValueError(
                _("“%(name)s” is no field of an event; there are: %(known)s.")
                % {"name": name, "known": known}
            )
        pairs[name] = value
    return pairs


def fingerprint(path: Path, options: Any) -> str:
    """What tells a file with its options from any other, without reading all of it."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    digest.update(str(path.stat().st_size).encode())
    with path.open("rb") as file:
        digest.update(file.read(1 << 20))
    return digest.hexdigest()


def open_text(path: Path) -> IO[str]:
    """The file as text; gzip is known by its first bytes, whatever the name."""
    return text_files.open_text(path, max_bytes=MAX_BYTES)


def count_rows(path: Path) -> int:
    """Lines of the file, for the progress bar (a quoted line break counts as one too many)."""
    lines = 0
    with open_text(path) as file:
        while block := file.read(1 << 20):
            lines += block.count("\n")
    return lines


def is_json_lines(path: Path) -> bool:
    """JSON lines begin with a brace, CSV with the name of a column."""
    with open_text(path) as file:
        return file.read(200).lstrip().startswith("{")


class RowReader:
    """Rows with their number from 1; a line that is no JSON comes as its text.

    `characters` says how much of the file the rows so far have taken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.characters = 0

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        csv.field_size_limit(LONGEST_ROW)
        try:
            yield from self._json() if is_json_lines(self._path) else self._csv()
        except (*READING_ERRORS, csv.Error, TextTooLarge) as fault:
            raise UnreadableFileError(f"{self._path}: {fault}") from fault

    def _lines(self, file: IO[str]) -> Iterator[str]:
        for line in bounded_lines(file, max_characters=LONGEST_ROW):
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
        """Lines of which quoted breaks make longer rows, though not without end."""
        self._row_began = 0
        for line in self._lines(file):
            if self.characters - self._row_began > LONGEST_ROW + len(line):
                raise TextTooLarge(
                    _("A row is longer than %(most)d characters.") % {"most": LONGEST_ROW}
                )
            yield line
