"""Row counts and checksums of tables, the same way for a dump and for what was restored.

A table's checksum is the sum of its rows' hashes, so the order of the rows does not matter.
It guards against damage and mistakes; against tampering stand the signature and the seal.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

import psycopg
from psycopg import sql

from systemadmin.backups.format.manifest import Table

MODULUS = 1 << 64

# Hashing the record itself takes half the time of hashing its text, but needs a hash function
# for every column's type (json and xml have none) and PostgreSQL 14.
RECORD_HASH = sql.SQL("hash_record_extended(t, 0)")
TEXT_HASH = sql.SQL("hashtextextended(t::text, 0)")

TABLES_OF_POSTGRES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind = 'r' AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.relname
"""
TABLES_OF_SQLITE = """
    SELECT name FROM sqlite_master
    WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name
"""


def of_postgres(connection: psycopg.Connection[Any]) -> dict[str, Table]:
    """Return every table of the public schema, as this connection's transaction sees it."""
    with connection.cursor() as cursor:
        # Text forms depend on these; the checksum must not.
        cursor.execute("SET TimeZone = 'UTC'")
        cursor.execute("SET DateStyle = 'ISO, YMD'")
        cursor.execute("SET IntervalStyle = 'postgres'")
        cursor.execute("SET extra_float_digits = 1")
        cursor.execute("SET bytea_output = 'hex'")
        cursor.execute(TABLES_OF_POSTGRES)
        names = [row[0] for row in cursor.fetchall()]
    return {name: _postgres_table(connection, name) for name in names}


def _postgres_table(connection: psycopg.Connection[Any], name: str) -> Table:
    try:
        with connection.transaction():
            return _postgres_sum(connection, name, RECORD_HASH, "record")
    except (psycopg.errors.UndefinedFunction, psycopg.errors.FeatureNotSupported):
        with connection.transaction():
            return _postgres_sum(connection, name, TEXT_HASH, "text")


def _postgres_sum(
    connection: psycopg.Connection[Any], name: str, expression: sql.SQL, label: str
) -> Table:
    query = sql.SQL("SELECT count(*), coalesce(sum({}), 0) FROM public.{} t").format(
        expression, sql.Identifier(name)
    )
    rows, total = connection.execute(query).fetchall()[0]
    return Table(rows=rows, checksum=f"{label}:{int(total) % MODULUS:016x}")


def of_sqlite(connection: sqlite3.Connection) -> dict[str, Table]:
    """Return every table of the file, as this connection's transaction sees it."""
    names = [row[0] for row in connection.execute(TABLES_OF_SQLITE)]
    # Bytes, not text: a damaged text must give another sum, not an exception.
    factory, connection.text_factory = connection.text_factory, bytes
    try:
        return {name: _sqlite_table(connection, name) for name in names}
    finally:
        connection.text_factory = factory


def _sqlite_table(connection: sqlite3.Connection, name: str) -> Table:
    quoted = name.replace('"', '""')
    rows = total = 0
    for row in connection.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608 - quoted name
        rows += 1
        digest = hashlib.blake2b(repr(row).encode(), digest_size=8).digest()
        total += int.from_bytes(digest, "big")
    return Table(rows=rows, checksum=f"row:{total % MODULUS:016x}")


def differences(
    stated: dict[str, Table], found: dict[str, Table], *, checksums: bool = True
) -> list[str]:
    """Return what differs between a manifest and a database, one sentence each."""
    said = [f"table {name} is missing" for name in stated.keys() - found.keys()]
    said += [f"table {name} is not in the manifest" for name in found.keys() - stated.keys()]
    for name in stated.keys() & found.keys():
        one, other = stated[name], found[name]
        if one.rows != other.rows:
            said.append(f"table {name} holds {other.rows} rows instead of {one.rows}")
        elif checksums and one.checksum and one.checksum != other.checksum:
            said.append(f"table {name} has other content than the manifest says")
    return sorted(said)
