"""Putting a restored PostgreSQL database in the live one's place, in one transaction."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from systemadmin.backups.engine import Scratch, Swap
from systemadmin.backups.errors import DatabaseBusy
from systemadmin.backups.postgres_names import kept_name

if TYPE_CHECKING:
    from systemadmin.backups.postgres import PostgresEngine

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = ANY(%s) AND pid <> pg_backend_pid() AND backend_type = 'client backend'
      AND (pg_has_role(usename, 'MEMBER') OR pg_has_role('pg_signal_backend', 'MEMBER'))
"""
BUSY = """
    SELECT FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()
      AND backend_type = 'client backend' AND state NOT IN ('idle', 'disabled') LIMIT 1
"""
HOLDERS = """
    SELECT pid, usename, application_name FROM pg_stat_activity
    WHERE datname = ANY(%s) AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
MAY_SWAP = """
    SELECT current_database() <> %s AND (r.rolcreatedb OR r.rolsuper) AND coalesce(
        (SELECT pg_has_role(d.datdba, 'MEMBER') FROM pg_database d WHERE d.datname = %s), true)
    FROM pg_roles r WHERE r.rolname = current_user
"""


def may_swap(engine: PostgresEngine) -> bool:
    """Whether our role can make a database and rename the live one."""
    with engine.admin() as admin:
        row = admin.execute(MAY_SWAP, [engine.database, engine.database]).fetchone()
    return bool(row and row[0])


def drain(engine: PostgresEngine, seconds: float) -> None:
    """Wait until no other session is in a statement or a transaction, or time is over."""
    deadline = time.monotonic() + seconds
    with engine.admin() as admin:
        while admin.execute(BUSY, [engine.database]).fetchone() is not None:
            if time.monotonic() >= deadline:
                return
            time.sleep(0.1)


def swap(engine: PostgresEngine, scratch: Scratch) -> Swap:
    """Rename the live database aside and the scratch into its place.

    The first rename locks the live database's name, so new sessions wait while a second
    connection ends the old ones; both renames commit together or not at all.
    """
    keep = kept_name(engine.database, datetime.now(UTC)) if engine.exists() else ""
    with engine.admin() as renamer, engine.admin() as terminator:
        if keep:
            _copy_settings(renamer, engine.database, scratch.name)
        started = time.monotonic()
        with ThreadPoolExecutor(1) as beside:
            renaming = beside.submit(_rename, renamer, engine.database, scratch.name, keep)
            names = [engine.database, scratch.name]
            while not renaming.done():
                terminator.execute(TERMINATE, [names])
                time.sleep(0.02)
            try:
                renaming.result()
            except (psycopg.errors.ObjectInUse, psycopg.errors.LockNotAvailable) as error:
                raise DatabaseBusy(_busy(terminator, names)) from error
    return Swap("swap", time.monotonic() - started, keep)


def _rename(admin: psycopg.Connection[Any], live: str, scratch: str, keep: str) -> None:
    with admin.transaction():
        admin.execute("SET LOCAL lock_timeout = '10s'")
        if keep:
            admin.execute(_rename_sql(live, keep))
        admin.execute(_rename_sql(scratch, live))


def _rename_sql(old: str, new: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
        sql.Identifier(old), sql.Identifier(new)
    )


def _busy(admin: psycopg.Connection[Any], names: list[str]) -> str:
    rows = admin.execute(HOLDERS, [names]).fetchall()
    holders = ", ".join(f"{pid} ({role}, {application})" for pid, role, application in rows)
    return f"Sessions that we may not end hold the database: {holders or 'unknown'}."


def _copy_settings(admin: psycopg.Connection[Any], live: str, scratch: str) -> None:
    """Settings of the database itself are not in a dump: carry them over by hand."""
    rows = admin.execute(
        "SELECT unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d"
        " ON d.oid = s.setdatabase WHERE d.datname = %s AND s.setrole = 0",
        [live],
    ).fetchall()
    for (assignment,) in rows:
        name, _, value = assignment.partition("=")
        admin.execute(
            sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                sql.Identifier(scratch), sql.Identifier(name), sql.Literal(value)
            )
        )
    row = admin.execute(
        "SELECT datconnlimit FROM pg_database WHERE datname = %s", [live]
    ).fetchone()
    if row and row[0] >= 0:
        admin.execute(
            sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
                sql.Identifier(scratch), sql.Literal(row[0])
            )
        )
