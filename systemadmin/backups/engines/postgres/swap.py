"""Putting a restored PostgreSQL database in the live one's place, in one transaction."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from systemadmin.backups.engines.base import Scratch, Swap
from systemadmin.backups.engines.postgres import properties
from systemadmin.backups.engines.postgres import stored_properties as postgres_properties
from systemadmin.backups.engines.postgres.names import kept_name
from systemadmin.backups.engines.postgres.server import Server
from systemadmin.backups.errors import DatabaseBusy, PropertiesNotSet
from systemadmin.backups.format.manifest import Manifest

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
# What follows the database and not its name: it would stay with the one that is renamed aside.
ATTACHED = """
    SELECT 'The replication slot', slot_name FROM pg_replication_slots
        WHERE database = current_database()
    UNION ALL SELECT 'The subscription', s.subname FROM pg_subscription s
        JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()
    UNION ALL SELECT 'The prepared transaction', gid FROM pg_prepared_xacts
        WHERE database = current_database() LIMIT 1
"""
EXTENSIONS = """
    SELECT e.extname, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    ORDER BY e.oid
"""
ADMINISTRATIVE = """
    SELECT 'publication', pubname FROM pg_publication
    UNION ALL SELECT 'event trigger', evtname FROM pg_event_trigger
"""


def may_swap(engine: Server) -> bool:
    """Return whether our role can make a database and rename the live one."""
    with engine.admin() as admin:
        row = admin.execute(MAY_SWAP, [engine.database, engine.database]).fetchone()
    return bool(row and row[0])


def drain(engine: Server, seconds: float) -> None:
    """Wait until no other session is in a statement or a transaction, or time is over."""
    deadline = time.monotonic() + seconds
    with engine.admin() as admin:
        while admin.execute(BUSY, [engine.database]).fetchone() is not None:
            if time.monotonic() >= deadline:
                return
            time.sleep(0.1)


def obstacle(engine: Server) -> str:
    """Return why a new database could not take the live one's place unnoticed; empty when it can.

    Tried on an empty database: what a role may set depends on too much to be looked up.
    """
    if not engine.may_swap():
        return (
            "The role may not make a database beside the live one: ALTER ROLE … CREATEDB, and "
            f"make it the owner of {engine.database}."
        )
    if not engine.exists():
        return ""
    with engine.connect() as live:
        row = live.execute(ATTACHED).fetchone()
    if row:
        return f"{row[0]} {row[1]} is bound to the database itself."
    try:
        with engine.scratch("probe") as scratch:
            prepare(engine, scratch)
    except (PropertiesNotSet, psycopg.Error) as error:
        return str(error) if isinstance(error, PropertiesNotSet) else _primary(error)
    return ""


def prepare(engine: Server, scratch: Scratch) -> list[str]:
    """Give the scratch the live database's extensions and properties; return warnings.

    Raises `PropertiesNotSet`.
    """
    with engine.connect() as live, engine.connect(scratch) as restored:
        _add_extensions(live, restored)
        warnings = _administrative_differences(live, restored)
    with engine.admin() as admin:
        wanted = postgres_properties.read(admin, engine.database)
        if wanted is None:
            raise PropertiesNotSet("The live database has gone away.")
        postgres_properties.apply(admin, scratch.name, wanted)
    return warnings


def _add_extensions(live: psycopg.Connection[Any], restored: psycopg.Connection[Any]) -> None:
    """Extensions that the live database has and the dump had not, in the same schemas."""
    present = {row[0] for row in restored.execute(EXTENSIONS).fetchall()}
    for name, schema in live.execute(EXTENSIONS).fetchall():
        if name in present:
            continue
        try:
            restored.execute(
                sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema))
            )
            restored.execute(
                sql.SQL("CREATE EXTENSION {} SCHEMA {}").format(
                    sql.Identifier(name), sql.Identifier(schema)
                )
            )
        except psycopg.Error as error:
            raise PropertiesNotSet(
                f"The extension {name} cannot be made again: {_primary(error)}."
            ) from error


def _administrative_differences(
    live: psycopg.Connection[Any], restored: psycopg.Connection[Any]
) -> list[str]:
    """Say what for replication and events the live database has and the restored one lacks."""
    lost = set(live.execute(ADMINISTRATIVE).fetchall()) - set(
        restored.execute(ADMINISTRATIVE).fetchall()
    )
    return [f"the {kind} {name} is not in the backup: make it again" for kind, name in sorted(lost)]


def _primary(error: psycopg.Error) -> str:
    return error.diag.message_primary or type(error).__name__


def swap(engine: Server, scratch: Scratch, manifest: Manifest) -> Swap:
    """Rename the live database aside and the scratch into its place.

    The first rename locks the live database's name, so new sessions wait while a second
    connection ends the old ones; both renames commit together or not at all.
    """
    keep = kept_name(engine.database, datetime.now(UTC)) if engine.exists() else ""
    if keep:
        warnings = prepare(engine, scratch)
    else:
        warnings = _from_manifest(engine, scratch, manifest)
    with engine.admin() as renamer, engine.admin() as terminator:
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
    return Swap("swap", time.monotonic() - started, keep, warnings)


def _from_manifest(engine: Server, scratch: Scratch, manifest: Manifest) -> list[str]:
    """Where there is no live database, its properties are those of the backup's moment."""
    if not manifest.properties:
        return ["the backup holds no properties of the database: settings and grants are new"]
    with engine.admin() as admin:
        wanted = properties.unpack(manifest.properties)
        return postgres_properties.apply_possible(admin, scratch.name, wanted)


def _rename(admin: psycopg.Connection[Any], live: str, scratch: str, keep: str) -> None:
    with admin.transaction():
        admin.execute("SET LOCAL lock_timeout = '10s'")
        if keep:
            admin.execute(_rename_sql(live, keep))
        admin.execute(_rename_sql(scratch, live))
        if keep:
            _compare(admin, live, keep)


def _compare(admin: psycopg.Connection[Any], live: str, keep: str) -> None:
    """Undo the renames when somebody changed a property since it was copied.

    Within their transaction: both databases are locked, and either both names change or none.
    """
    wanted, found = (postgres_properties.read(admin, name) for name in (keep, live))
    differing = properties.differences(wanted, found) if wanted and found else ["it is gone"]
    if differing:
        raise PropertiesNotSet(
            "The database's properties were changed during the restore: " + "; ".join(differing)
        )


def _rename_sql(old: str, new: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
        sql.Identifier(old), sql.Identifier(new)
    )


def _busy(admin: psycopg.Connection[Any], names: list[str]) -> str:
    rows = admin.execute(HOLDERS, [names]).fetchall()
    holders = ", ".join(f"{pid} ({role}, {application})" for pid, role, application in rows)
    return f"Sessions that we may not end hold the database: {holders or 'unknown'}."
