"""Reads files of orders that happened elsewhere: JSON lines, or CSV with one product a row."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext as _

from marketplace.imported_orders import CSV_COLUMNS, from_columns
from systemadmin.foundation.text_files import bounded_lines, open_text

LONGEST_ROW: Final = 1 << 20
MAX_BYTES: Final = 64 << 30


class UnreadableOrders(ValueError):
    """The file is not what it claims to be."""


def count_lines(path: Path) -> int:
    """Return how many lines a file has, for a progress bar."""
    with open_text(path, max_bytes=MAX_BYTES) as file:
        return sum(1 for _line in bounded_lines(file, max_characters=LONGEST_ROW))


def read_orders(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield each order with the number of its line; text that is no JSON is given as it is.

    The first character tells JSON lines from CSV. Raises `UnreadableOrders` and `TextTooLarge`.
    """
    with open_text(path, max_bytes=MAX_BYTES) as file:
        lines = bounded_lines(file, max_characters=LONGEST_ROW)
        first = next(lines, "")
        if first.lstrip().startswith("{"):
            yield from _json(first, lines)
        elif first.strip():
            yield from _csv(first, lines)


def _json(first: str, lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(_chain(first, lines), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError:
                yield number, line.strip()


def _csv(first: str, lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(_chain(first, lines))
    unknown = sorted(set(reader.fieldnames or ()) - set(CSV_COLUMNS))
    if unknown or "external_id" not in (reader.fieldnames or ()):
        raise UnreadableOrders(
            _("The first line names the columns, out of: %(columns)s.")
            % {"columns": ", ".join(CSV_COLUMNS)}
        )
    try:
        for row in reader:
            extra = row.pop(None, None)
            yield reader.line_num, "too many columns" if extra else from_columns(row)
    except csv.Error as error:
        raise UnreadableOrders(f"line {reader.line_num}: {error}") from error


def _chain(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines
