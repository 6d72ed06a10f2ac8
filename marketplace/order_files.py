"""Reads files of orders that happened elsewhere: JSON lines, or CSV with one product a row."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from marketplace.imported_orders import CSV_COLUMNS, MOST_LINES, from_columns
from systemadmin.foundation.row_files import BrokenRow, RowReader, UnreadableFileError


def read_orders(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield each order with the number of its first row; what is none as a `BrokenRow`.

    Rows of a CSV file that follow each other with one external id are the products of one order.
    Raises `UnreadableFileError`.
    """
    reader = RowReader(path)
    header = reader.header()
    rows = iter(RowReader(path))
    if header is None:
        return rows
    if not {"external_id"} <= set(header) <= set(CSV_COLUMNS):
        raise UnreadableFileError(
            _("The first line names the columns, out of: %(columns)s.")
            % {"columns": ", ".join(CSV_COLUMNS)}
        )
    return _orders(rows)


def _orders(rows: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    told = (
        (number, row if isinstance(row, BrokenRow) else from_columns(row)) for number, row in rows
    )
    for name, group in groupby(told, key=_external_id):
        if name is None:
            yield from group
        else:
            yield _together(name, group)


def _external_id(numbered: tuple[int, Any]) -> Any:
    _number, row = numbered
    return row.get("external_id") if isinstance(row, dict) else None


def _together(name: str, group: Iterator[tuple[int, Any]]) -> tuple[int, Any]:
    """Return the order whose products stand in a group of rows; they have to say the same of it."""
    first, order = next(group)
    different: set[str] = set()
    for _number, row in group:
        lines = row.pop("lines")
        # One more than an order may have, so that it is refused and the rest fills no memory.
        if len(order["lines"]) <= MOST_LINES:
            order["lines"] += lines
        different |= {
            field for field, value in row.items() if order.setdefault(field, value) != value
        }
    if not different:
        return first, order
    detail = _("The rows of order %(order)s say different things of %(names)s.")
    return first, BrokenRow(name, detail % {"order": name, "names": ", ".join(sorted(different))})
