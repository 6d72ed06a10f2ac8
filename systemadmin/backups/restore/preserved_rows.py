"""Copy rows that must outlive a restore from the live database into the restored one.

Plain SQL over the columns both sides have, because the restored tables may be of an older
migration state than our models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BATCH = 500
# A transaction may commit a lower key after one with a higher key, and just miss the snapshot.
LOOK_BACK = 10_000


@dataclass(frozen=True)
class PreservedTable:
    """A table whose live rows are added to the restored ones.

    `references` names columns (and the table they point to) whose row may not exist in the
    restored database: they become NULL then. `replace` drops what was restored first: the live
    rows are the truth. Otherwise rows newer than the restored ones are appended, provided that
    the `proof` columns of the newest common row agree: else the histories are not the same.

    When the live table has kept none of what was restored, that row is gone. Then the history is
    the same if the table `vouched_by`, which comes earlier in the list and loses no row, was
    shown to be the same. `retire` are the statements that remove the restored rows, as the live
    ones were removed; {0} stands for the schema's prefix.
    """

    table: str
    key: str = "id"
    references: tuple[tuple[str, str], ...] = ()
    replace: bool = False
    proof: tuple[str, ...] = ()
    vouched_by: str = ""
    retire: tuple[str, ...] = ()


class DatabaseEndpoint:
    """A database to copy rows from or to, the same for psycopg and sqlite3."""

    def __init__(self, connection: Any, kept: str = "") -> None:
        """`kept` is the prefix of temporary copies (PostgreSQL) to read in the tables' stead."""
        self.connection = connection
        self.kept = kept
        self.is_postgres = type(connection).__module__.startswith("psycopg")
        self.mark = "%s" if self.is_postgres else "?"

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(query, parameters).fetchall()]

    def table(self, name: str) -> str:
        """Return the table as this side's SQL calls it."""
        if not self.is_postgres:
            return f'"{name}"'
        return f'pg_temp."{self.kept}{name}"' if self.kept else f'public."{name}"'

    def columns(self, table: str) -> dict[str, str]:
        """Names and types; empty when the table does not exist."""
        if not self.is_postgres:
            return {row[1]: row[2] for row in self.rows(f'PRAGMA table_info("{table}")')}
        found = self.rows(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            [self.table(table)],
        )
        return dict(found)

    def select(self, names: Sequence[str]) -> str:
        """Columns to read; as text on PostgreSQL, where Python would take JSON apart."""
        cast = "::text" if self.is_postgres else ""
        return ", ".join(f'"{name}"{cast}' for name in names)

    def insert(self, table: str, types: dict[str, str], rows: Sequence[Sequence[Any]]) -> None:
        marks = ", ".join(f"%s::{k}" if self.is_postgres else "?" for k in types.values())
        names = ", ".join(f'"{name}"' for name in types)
        cursor = self.connection.cursor()
        cursor.executemany(f"INSERT INTO {self.table(table)} ({names}) VALUES ({marks})", rows)  # noqa: S608

    def newest(self, item: PreservedTable) -> int:
        query = f'SELECT coalesce(max("{item.key}"), 0) FROM {self.table(item.table)}'  # noqa: S608
        return int(self.rows(query)[0][0])

    def oldest(self, item: PreservedTable) -> int | None:
        """Return the lowest key, None in an empty table."""
        query = f'SELECT min("{item.key}") FROM {self.table(item.table)}'  # noqa: S608
        lowest = self.rows(query)[0][0]
        return None if lowest is None else int(lowest)

    def keys_after(self, item: PreservedTable, key: int) -> list[int]:
        query = (
            f'SELECT "{item.key}" FROM {self.table(item.table)} WHERE "{item.key}" > {self.mark}'  # noqa: S608
        )
        return sorted(int(row[0]) for row in self.rows(query, [key]))

    def advance_sequence(self, item: PreservedTable) -> None:
        """Rows came with their ids: the next one must not meet them (SQLite sees to it alone)."""
        if not self.is_postgres:
            return
        name = self.table(item.table)
        self.rows(
            "SELECT setval(pg_get_serial_sequence(%s, %s), greatest(%s, 1))"
            " WHERE pg_get_serial_sequence(%s, %s) IS NOT NULL",
            [name, item.key, self.newest(item), name, item.key],
        )


def copy(source: Any, target: Any, tables: Sequence[PreservedTable]) -> list[str]:
    """Copy what the target lacks, all or nothing; gives back warnings."""
    live, restored = DatabaseEndpoint(source), DatabaseEndpoint(target)
    restored.connection.execute("BEGIN")
    try:
        warnings = copy_tables(live, restored, tables)
    except BaseException:
        restored.connection.execute("ROLLBACK")
        raise
    restored.connection.execute("COMMIT")
    return warnings


def copy_tables(
    live: DatabaseEndpoint, restored: DatabaseEndpoint, tables: Sequence[PreservedTable]
) -> list[str]:
    """Return the same within a transaction that the caller has begun."""
    proven: set[str] = set()
    return [said for item in tables for said in _copy_table(live, restored, item, proven)]


def _copy_table(
    live: DatabaseEndpoint, restored: DatabaseEndpoint, item: PreservedTable, proven: set[str]
) -> list[str]:
    """Copy one table; add its name to `proven` when a row on both sides shows one history."""
    there, here = restored.columns(item.table), live.columns(item.table)
    if item.key not in there or item.key not in here:
        return [f"{item.table} was not carried over: one side does not have it"]
    newest = restored.newest(item)
    if item.replace:
        restored.connection.execute(f"DELETE FROM {restored.table(item.table)}")  # noqa: S608 - our own name
    elif newest and item.proof and not _continues(live, restored, item, newest, proven):
        return [f"{item.table} was not carried over: the backup is of another history"]
    shared = sorted(there.keys() & here.keys() - {item.key})
    _copy_rows(live, restored, item, {name: there[name] for name in [item.key, *shared]})
    _clear_references(restored, item, shared)
    restored.advance_sequence(item)
    return []


def _clear_references(
    restored: DatabaseEndpoint, item: PreservedTable, columns: Sequence[str]
) -> None:
    for column, target in item.references:
        if column in columns:
            restored.connection.execute(
                f'UPDATE {restored.table(item.table)} SET "{column}" = NULL'  # noqa: S608
                f' WHERE "{column}" IS NOT NULL'
                f' AND "{column}" NOT IN (SELECT id FROM {restored.table(target)})'
            )


def _continues(
    live: DatabaseEndpoint,
    restored: DatabaseEndpoint,
    item: PreservedTable,
    newest: int,
    proven: set[str],
) -> bool:
    """Return whether the live rows continue the restored ones.

    A row on both sides proves it. A live table that has outlived every restored row is believed
    through the table that vouches for it, and what its restored rows held is retired.
    """
    if _proof(live, item, newest) == _proof(restored, item, newest):
        proven.add(item.table)
        return True
    if item.vouched_by not in proven or not _has_outlived(live, item, newest):
        return False
    for statement in item.retire:
        restored.connection.execute(statement.format("public." if restored.is_postgres else ""))
    return True


def _proof(side: DatabaseEndpoint, item: PreservedTable, key: int) -> list[tuple[Any, ...]]:
    query = f"SELECT {side.select(item.proof)} FROM {side.table(item.table)}"  # noqa: S608
    return side.rows(f'{query} WHERE "{item.key}" = {key}')


def _has_outlived(live: DatabaseEndpoint, item: PreservedTable, newest: int) -> bool:
    """Return whether the live table has kept nothing up to the newest restored row."""
    oldest = live.oldest(item)
    return oldest is not None and oldest > newest


def _copy_rows(
    live: DatabaseEndpoint, restored: DatabaseEndpoint, item: PreservedTable, types: dict[str, str]
) -> None:
    floor = max(0, restored.newest(item) - LOOK_BACK)
    present = set(restored.keys_after(item, floor))
    wanted = [key for key in live.keys_after(item, floor) if key not in present]
    for start in range(0, len(wanted), BATCH):
        keys = wanted[start : start + BATCH]
        marks = ", ".join([live.mark] * len(keys))
        rows = live.rows(
            f"SELECT {live.select(list(types))} FROM {live.table(item.table)}"  # noqa: S608
            f' WHERE "{item.key}" IN ({marks}) ORDER BY "{item.key}"',
            keys,
        )
        restored.insert(item.table, types, rows)
