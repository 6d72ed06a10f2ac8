"""Reads files of orders that happened elsewhere: JSON lines, or CSV with one product a row."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from marketplace.imported_orders import CSV_COLUMNS, from_columns
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
    first, order = 0, dict[str, Any]()
    for number, row in rows:
        told = row if isinstance(row, BrokenRow) else from_columns(row)
        if order and isinstance(told, dict) and told.get("external_id") == order["external_id"]:
            _add(order, told)
            continue
        if order:
            yield first, _whole(order)
            order = {}
        if isinstance(told, dict) and told.get("external_id"):
            first, order = number, told
        else:
            yield number, told
    if order:
        yield first, _whole(order)


def _add(order: dict[str, Any], told: dict[str, Any]) -> None:
    """Add the product of a further row; what it says of the order has to be the same."""
    order["lines"] += told.pop("lines")
    different = [name for name, value in told.items() if order.setdefault(name, value) != value]
    order.setdefault("", []).extend(different)


def _whole(order: dict[str, Any]) -> Any:
    different = order.pop("", [])
    if not different:
        return order
    told = {"order": order["external_id"], "names": ", ".join(sorted(set(different)))}
    detail = _("The rows of order %(order)s say different things of %(names)s.")
    return BrokenRow(str(order["external_id"]), detail % told)
