"""Bulk reads: a query's columns as arrays of 64-bit integers, on both databases.

Moments become whole microseconds since 1970, missing ones NEVER. PostgreSQL streams them in
binary COPY, whose rows all have the same length here, so that no value is looked at in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from django.db import connection

from riskops.scoring import NEVER, Ints

# PostgreSQL counts from the year 2000.
EPOCH_2000 = 946_684_800_000_000
HEADER = 19
TRAILER = 2


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
    """Runs `head SELECT columns tail` and returns each column as an array."""
    params = [
        connection.ops.adapt_datetimefield_value(p) if isinstance(p, datetime) else p
        for p in params
    ]
    if connection.vendor == "postgresql":
        selected = ", ".join(_postgres(column) for column in columns)
        # Expressions and tails are written in this package, values are bound.
        return _copy(columns, f"{head} SELECT {selected} {tail}", params)
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


def _copy(columns: Sequence[Read], sql: str, params: Sequence[Any]) -> dict[str, Ints]:
    with connection.cursor() as cursor:
        query = cursor.cursor.mogrify(sql, list(params))
        with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
            data = b"".join(copy)
    field = [(f"{part}{i}", form) for i in range(len(columns)) for part, form in _FIELD]
    rows = np.frombuffer(data[HEADER:-TRAILER], dtype=[("fields", ">i2"), *field])
    found = {}
    for i, column in enumerate(columns):
        values = rows[f"value{i}"].astype(np.int64)
        if column.type == "moment":
            values = np.where(values == NEVER, NEVER, values + EPOCH_2000)
        found[column.name] = values
    return found


_FIELD = (("length", ">i4"), ("value", ">i8"))
