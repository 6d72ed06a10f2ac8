"""Many rows in one statement, in the same words on PostgreSQL and SQLite.

A set of columns becomes a FROM item named `v`; INSERT … SELECT … ON CONFLICT and
UPDATE … FROM read from it. PostgreSQL gets one array a column, SQLite a VALUES list.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection

# SQLite refuses more bound values than this in one statement.
SQLITE_VARIABLES = 30_000


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one column with their PostgreSQL type."""

    name: str
    type: str
    values: Sequence[Any] | np.ndarray


# Whole microseconds since 1970 (an array, the smallest number for none) become moments.
_TYPES = {"micros": "timestamptz"}


def _number(value: Any) -> str:
    return "NULL" if value is None else str(int(value))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: str | None) -> str:
    return "NULL" if value is None else _quoted(value)


def _moment(value: datetime | None) -> str:
    return "NULL" if value is None else f'"{value.isoformat()}"'


def _document(value: Any) -> str:
    return "NULL" if value is None else _quoted(_json_text(value))


def _json_text(value: Any) -> str:
    """Return a document as JSON; text is taken as JSON already."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _real(value: float | None) -> str:
    return "NULL" if value is None else repr(float(value))


_WRITERS: dict[str, Callable[[Any], str]] = {
    "float8": _real,
    "text": _text,
    "timestamptz": _moment,
    "jsonb": _document,
}


def _array(column: Column) -> str:
    if column.type == "micros":
        texts = np.datetime_as_string(_moments(column), timezone="UTC")
        return "{" + ",".join(texts.tolist()).replace("NaT", "NULL") + "}"
    write = _WRITERS.get(column.type, _number)
    return "{" + ",".join(map(write, column.values)) + "}"


def _moments(column: Column) -> np.ndarray:
    return np.asarray(column.values, dtype=np.int64).view("datetime64[us]")


def _sqlite_values(column: Column) -> Iterable[Any]:
    if column.type == "micros":
        return (None if v is None else str(v) for v in _moments(column).tolist())
    if column.type == "timestamptz":
        return (
            None if v is None else str(v.astimezone(UTC).replace(tzinfo=None))
            for v in column.values
        )
    if column.type == "jsonb":
        return (None if v is None else _json_text(v) for v in column.values)
    return column.values


def _sources(columns: Sequence[Column]) -> Iterator[tuple[str, list[Any]]]:
    """FROM items holding the rows: one on PostgreSQL, slices on SQLite."""
    names = ", ".join(column.name for column in columns)
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{_TYPES.get(column.type, column.type)}[]" for column in columns)
        yield f"unnest({arrays}) AS v({names})", [_array(column) for column in columns]
        return
    rows = list(zip(*(_sqlite_values(column) for column in columns), strict=True))
    step = SQLITE_VARIABLES // len(columns)
    picked = ", ".join(f"column{i} AS {c.name}" for i, c in enumerate(columns, 1))
    mark = "(" + ",".join(["%s"] * len(columns)) + ")"
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        values = ",".join([mark] * len(part))
        # The names are column names written in this repository, the values are bound.
        yield (
            f"(SELECT {picked} FROM (VALUES {values})) AS v",  # noqa: S608
            [value for row in part for value in row],
        )


def _run(
    statement: str,
    columns: Sequence[Column],
    *,
    returning: bool,
    before: Sequence[Any] = (),
) -> list[tuple[Any, ...]]:
    """Execute a statement in which `{source}` stands for the rows, `before` for values ahead."""
    if not len(columns[0].values):
        return []
    found: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for source, params in _sources(columns):
            cursor.execute(statement.replace("{source}", source), [*before, *params])
            if returning:
                found.extend(cursor.fetchall())
    return found


def newer(column: str, value: str) -> str:
    """Return SQL for the later of two moments, either of which may be missing."""
    if connection.vendor == "postgresql":
        return f"GREATEST({column}, {value})"
    return f"COALESCE(MAX({column}, {value}), {column}, {value})"


def older(column: str, value: str) -> str:
    """Return SQL for the earlier of two moments, either of which may be missing."""
    if connection.vendor == "postgresql":
        return f"LEAST({column}, {value})"
    return f"COALESCE(MIN({column}, {value}), {column}, {value})"


def insert(
    table: str,
    columns: Sequence[Column],
    *,
    same: Sequence[Column] = (),
    conflict: str = "",
    conflict_where: str = "",
    update: Sequence[str] = (),
    order_by: str = "",
    returning: str = "",
) -> list[tuple[Any, ...]]:
    """Insert rows; those that exist already are left alone or updated.

    `conflict_where` is the condition of a partial unique index. Columns of `same` hold one value,
    for all the rows. `order_by` makes every writer take row locks in the same order, so none waits
    in a circle.
    """
    into = ", ".join(column.name for column in (*columns, *same))
    picked = ", ".join([*(column.name for column in columns), *map(_single, same)])
    sql = f"INSERT INTO {table} ({into}) SELECT {picked} FROM {{source}} WHERE true"  # noqa: S608
    if order_by:
        sql += f" ORDER BY {order_by}"
    if conflict:
        action = f"UPDATE SET {', '.join(update)}" if update else "NOTHING"
        where = f" WHERE {conflict_where}" if conflict_where else ""
        sql += f" ON CONFLICT ({conflict}){where} DO {action}"
    if returning:
        sql += f" RETURNING {returning}"
    before = [next(iter(_sqlite_values(column))) for column in same]
    return _run(sql, columns, returning=bool(returning), before=before)


def _single(column: Column) -> str:
    return f"%s::{column.type}" if connection.vendor == "postgresql" else "%s"


def update(
    table: str,
    columns: Sequence[Column],
    *,
    assign: Sequence[str],
    where: str,
    returning: str = "",
) -> list[tuple[Any, ...]]:
    """Update rows of a table (`t`) from the given ones (`v`)."""
    sql = f"UPDATE {table} AS t SET {', '.join(assign)} FROM {{source}} WHERE {where}"  # noqa: S608
    if returning:
        # PostgreSQL finds the bare name ambiguous, SQLite knows no alias here.
        alias = "t." if connection.vendor == "postgresql" else ""
        sql += f" RETURNING {alias}{returning}"
    return _run(sql, columns, returning=bool(returning))


def delete(table: str, columns: Sequence[Column], *, where: str) -> None:
    """Delete the rows of a table (`t`) that match some given one (`v`)."""
    sql = f"DELETE FROM {table} AS t WHERE EXISTS (SELECT 1 FROM {{source}} WHERE {where})"  # noqa: S608
    _run(sql, columns, returning=False)


def select(
    what: str, columns: Sequence[Column], *, join: str, where: str = ""
) -> list[tuple[Any, ...]]:
    """Look up rows that match the given ones (`v`)."""
    sql = f"SELECT {what} FROM {{source}} JOIN {join}"  # noqa: S608
    if where:
        sql += f" WHERE {where}"
    return _run(sql, columns, returning=True)
