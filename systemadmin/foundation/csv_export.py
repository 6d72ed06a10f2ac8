"""CSV for spreadsheets: one writer for every export, which runs no cell as a formula."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

# A spreadsheet runs a cell that begins so; the full-width signs count in East Asian settings.
FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


class _Line:
    """A file that gives each line back to its writer."""

    def write(self, text: str) -> str:
        return text


def csv_line(values: Iterable[Any]) -> str:
    """Return one line of CSV, with its line end."""
    line: str = csv.writer(_Line()).writerow([_cell(value) for value in values])
    return line


def csv_lines(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yield the header and the rows one by one, so that any number of them needs little memory."""
    yield csv_line(columns)
    for row in rows:
        yield csv_line(row)


def csv_of_mappings(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the header and those columns of the rows; what a row lacks is empty."""
    return csv_lines(columns, ([row.get(column) for column in columns] for row in rows))


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA_SIGNS):
        return f"'{value}"
    return value.isoformat() if hasattr(value, "isoformat") else value
