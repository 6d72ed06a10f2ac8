"""Bulk reads: a query's columns as arrays of 64-bit integers, on both databases.

Moments become whole microseconds since 1970, missing ones NEVER. PostgreSQL gathers each column
into one array and sends that in binary, whose values all have the same length, so that neither a
row nor a value is looked at in Python: COPY took four times as long, most of it the driver's loop.
A field holds at most 1 GB, which is 89 million rows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from django.db import connection
from psycopg import Cursor

from riskops.scores.scoring import NEVER, Ints

# PostgreSQL counts from the year 2000.
EPOCH_2000 = 946_684_800_000_000
# Of a binary array: dimensions, nulls, type, length, lower bound; then length and value each.
HEADER = 20
ITEM = np.dtype([("length", ">i4"), ("value", ">i8")])


@dataclass(frozen=True, slots=True)
class Read:
    """One column to read: a whole number or a moment, by its SQL expression."""

    name: str
    sql: str
    type: Literal["int", "moment"] = "int"
    missing: int = 0


def moment(name: str, sql: str) -> Read:
    return Read(name, sql, "moment", NEVER)


def fetch(
    columns: Sequence[Read], tail: str, params: Sequence[Any], *, head: str = ""
) -> dict[str, Ints]:
    """Run `head SELECT columns tail` and return each column as an array."""
    params = [
        connection.ops.adapt_datetimefield_value(p) if isinstance(p, datetime) else p
        for p in params
    ]
    if connection.vendor == "postgresql":
        return _gather(columns, tail, params, head)
    selected = ", ".join(_sqlite(column) for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"{head} SELECT {selected} {tail}", params)
        rows = cursor.fetchall()
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return {
        column.name: _array(column, found) for column, found in zip(columns, values, strict=True)
    }


def _postgres(column: Read) -> str:
    if column.type == "moment":
        return f"COALESCE({column.sql}, '-infinity'::timestamptz)"
    return f"COALESCE({column.sql}, {column.missing})::bigint"


def _sqlite(column: Read) -> str:
    if column.type == "moment":
        # Without the concatenation the driver would parse each text into a datetime.
        return f"({column.sql}) || ''"
    return f"COALESCE({column.sql}, {column.missing})"


def _array(column: Read, values: Sequence[Any]) -> Ints:
    if column.type == "moment":
        return np.array(values, dtype="datetime64[us]").view(np.int64)
    return np.array(values, dtype=np.int64)


def _gather(
    columns: Sequence[Read], tail: str, params: Sequence[Any], head: str
) -> dict[str, Ints]:
    # Expressions and tails are written in this package, values are bound.
    selected = ", ".join(f"{_postgres(column)} AS c{i}" for i, column in enumerate(columns))
    arrays = ", ".join(f"array_agg(c{i})" for i in range(len(columns)))
    sql = f"SELECT {arrays} FROM ({head} SELECT {selected} {tail}) AS gathered"  # noqa: S608
    with connection.cursor() as bound, connection.wrap_database_errors:
        query = bound.cursor.mogrify(sql, list(params))
        # Django's own cursor binds on the client and cannot ask for binary.
        with Cursor(connection.connection) as cursor:
            result = cursor.execute(query, binary=True).pgresult
            return {
                # A SELECT always has a result.
                column.name: _column(column, result.get_value(0, i))  # type: ignore[union-attr]
                for i, column in enumerate(columns)
            }


def _column(column: Read, data: bytes | None) -> Ints:
    if data is None:  # no rows
        return np.empty(0, dtype=np.int64)
    values = np.frombuffer(data, dtype=ITEM, offset=HEADER)["value"].astype(np.int64)
    if column.type == "moment":
        values[values != NEVER] += EPOCH_2000
    return values
