"""Carry over blocks, holds and exemptions as they were in force just before a restore."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.utils import timezone

from systemadmin.backups.restore.preserved_rows import DatabaseEndpoint
from systemadmin.foundation.plugins import collect
from systemadmin.foundation.restrictions import DELETE, Restriction


def restricted_tables() -> list[str]:
    """Return the tables of all apps that hold restrictions."""
    return list(dict.fromkeys(item.table for item in collect("restrictions", "RESTRICTIONS")))


def carry_over(live: DatabaseEndpoint, restored: DatabaseEndpoint, unknown: Collection[int]) -> int:
    """Return how many rows were added or ended; `unknown` are accounts that live does not have."""
    return sum(
        _carry_over(live, restored, item, unknown)
        for item in collect("restrictions", "RESTRICTIONS")
    )


def sql_moment(side: DatabaseEndpoint) -> datetime | str:
    """Return now as a parameter."""
    now = timezone.now()
    return now if side.is_postgres else now.replace(tzinfo=None).isoformat(sep=" ")


def _carry_over(
    live: DatabaseEndpoint, restored: DatabaseEndpoint, item: Restriction, unknown: Collection[int]
) -> int:
    before, now = _in_force(live, item), _in_force(restored, item)
    gone = [now[one] for one in now.keys() - before.keys()] if item.end else []
    for key in gone:
        _end(restored, item, key)
    if not item.is_carried:
        return len(gone)
    added = [before[one] for one in before.keys() - now.keys()]
    return len(gone) + sum(_add(live, restored, item, key, unknown) for key in sorted(added))


def _in_force(side: DatabaseEndpoint, item: Restriction) -> dict[tuple[Any, ...], int]:
    query = f"SELECT id, {side.select(item.identity)} FROM {side.table(item.table)}"  # noqa: S608
    return {row[1:]: row[0] for row in side.rows(f"{query} WHERE {item.in_force}")}


def _end(restored: DatabaseEndpoint, item: Restriction, key: int) -> None:
    table = restored.table(item.table)
    if item.end == DELETE:
        restored.connection.execute(f"DELETE FROM {table} WHERE id = {restored.mark}", [key])  # noqa: S608
        return
    assignment = item.end.format(now=restored.mark)
    query = f"UPDATE {table} SET {assignment} WHERE id = {restored.mark}"  # noqa: S608
    restored.connection.execute(query, [sql_moment(restored), key])


def _add(
    live: DatabaseEndpoint,
    restored: DatabaseEndpoint,
    item: Restriction,
    key: int,
    unknown: Collection[int],
) -> int:
    """Add one live row under a new number; return 0 where the backup lacks whom it is about."""
    types = restored.columns(item.table)
    names = sorted(types.keys() & live.columns(item.table).keys() - {"id"})
    query = f"SELECT {live.select(names)} FROM {live.table(item.table)} WHERE id = {live.mark}"  # noqa: S608
    row = dict(zip(names, live.rows(query, [key])[0], strict=True))
    for name in item.accounts:
        if row[name] is not None and not _is_known(restored, row[name], unknown):
            return 0
    for name, table in item.references:
        if row[name] is not None and not _exists(restored, table, row[name]):
            row[name] = None
    restored.insert(item.table, {name: types[name] for name in names}, [list(row.values())])
    return 1


def _is_known(restored: DatabaseEndpoint, account: Any, unknown: Collection[int]) -> bool:
    return int(account) not in unknown and _exists(restored, "systemadmin_user", account)


def _exists(side: DatabaseEndpoint, table: str, key: Any) -> bool:
    query = f"SELECT 1 FROM {side.table(table)} WHERE id = {side.mark}"  # noqa: S608
    return bool(side.rows(query, [int(key)]))
