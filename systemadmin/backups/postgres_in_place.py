"""Replacing the contents of a PostgreSQL database in one transaction, without a second database.

For roles that may not make or rename databases. Definitions are transactional in PostgreSQL, so
emptying, loading, migrating and checking are one transaction: whatever fails or dies, the server
takes all of it back. Its price is an exclusive lock on every table until the end.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from systemadmin.backups import fingerprint, process
from systemadmin.backups.errors import ContentMismatch, DatabaseBusy
from systemadmin.backups.manifest import Manifest
from systemadmin.backups.postgres_load import listed, path_of, table_of_contents

if TYPE_CHECKING:
    from systemadmin.backups.postgres import PostgresEngine

KEPT = "kept_"
SCHEMA_LINE = re.compile(rb"^\d+; \d+ \d+ (SCHEMA|COMMENT) - (SCHEMA )?public ")
LOCK_SECONDS = 15
COPY_BYTES = 1 << 18

# What pg_restore's script sets for the session; the session goes on to other work afterwards.
SCRIPT_SETTINGS = (
    "search_path",
    "check_function_bodies",
    "client_min_messages",
    "row_security",
    "default_table_access_method",
    "default_tablespace",
    "xmloption",
)

# Everything in the public schema but what extensions brought: kind of DROP, name, owned by us.
OBJECTS = """
    SELECT kind, name, owned FROM (
        SELECT c.oid, 'pg_class'::regclass AS class, c.oid::regclass::text AS name,
            CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind,
            pg_has_role(c.relowner, 'MEMBER') AS owned
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
            AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT c.relispartition
        UNION ALL
        SELECT p.oid, 'pg_proc'::regclass, p.oid::regprocedure::text, 'ROUTINE',
            pg_has_role(p.proowner, 'MEMBER')
        FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
        UNION ALL
        SELECT t.oid, 'pg_type'::regclass, t.oid::regtype::text, 'TYPE',
            pg_has_role(t.typowner, 'MEMBER')
        FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typelem = 0
            AND (t.typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')
    ) found
    WHERE NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = found.class AND d.objid = found.oid AND d.deptype IN ('e', 'a', 'i'))
    ORDER BY kind <> 'TABLE', name
"""
TERMINATE_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name <> 'backup'
      AND backend_type = 'client backend'
      AND (pg_has_role(usename, 'MEMBER') OR pg_has_role('pg_signal_backend', 'MEMBER'))
"""


def why_not(connection: psycopg.Connection[Any]) -> str:
    """What keeps our role from replacing the contents in place; empty when nothing does."""
    row = connection.execute("SELECT has_schema_privilege('public', 'CREATE')").fetchone()
    if not row or not row[0]:
        return "The role may not make tables: GRANT CREATE ON SCHEMA public."
    foreign = [name for _kind, name, owned in _objects(connection) if not owned]
    if foreign:
        return f"The role does not own {', '.join(foreign[:5])}: REASSIGN OWNED to it."
    return ""


def _objects(connection: psycopg.Connection[Any]) -> list[tuple[str, str, bool]]:
    """Names come quoted and qualified as far as the search path makes it necessary."""
    return connection.execute(OBJECTS).fetchall()


def lock_everything(engine: PostgresEngine, connection: psycopg.Connection[Any]) -> None:
    """Keep everybody else out until the transaction ends; raises DatabaseBusy.

    Sessions that hold locks are ended meanwhile: the house is closed, nobody is served by them.
    """
    connection.execute("SET application_name = 'backup'")
    # A server that waits or works does not notice that we have died: our locks must not outlive us.
    with suppress(psycopg.Error), connection.transaction():
        connection.execute("SET LOCAL client_connection_check_interval = '2s'")
    tables = [sql.SQL(name) for kind, name, _ in _objects(connection) if kind == "TABLE"]
    if not tables:
        return
    connection.execute(sql.SQL("SET LOCAL lock_timeout = '{}s'").format(LOCK_SECONDS))
    try:
        with _others_ended(engine):
            connection.execute(
                sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.SQL(", ").join(tables))
            )
    except psycopg.errors.LockNotAvailable as error:
        raise DatabaseBusy("Sessions that we may not end hold the database.") from error
    connection.execute("SET LOCAL lock_timeout = 0")


@contextmanager
def _others_ended(engine: PostgresEngine) -> Iterator[None]:
    done = threading.Event()

    def end_them() -> None:
        with engine.connect() as terminator:
            while not done.wait(0.05):
                terminator.execute(TERMINATE_OTHERS)

    thread = threading.Thread(target=end_them, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def keep(connection: psycopg.Connection[Any], tables: Iterable[str]) -> None:
    """Copies of what must outlive the replacement, gone when the transaction is."""
    for name in tables:
        row = connection.execute("SELECT to_regclass(%s)", [f'public."{name}"']).fetchone()
        if row and row[0]:
            connection.execute(
                sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS TABLE public.{}").format(
                    sql.Identifier(KEPT + name), sql.Identifier(name)
                )
            )


def empty(connection: psycopg.Connection[Any]) -> None:
    """Drop everything in the public schema but extensions."""
    for kind, name, _owned in _objects(connection):
        connection.execute(
            # Both come from the catalogue, which quotes what needs it.
            sql.SQL("DROP {} IF EXISTS {} CASCADE").format(sql.SQL(kind), sql.SQL(name))
        )


def fill(
    engine: PostgresEngine,
    connection: psycopg.Connection[Any],
    dump: IO[bytes],
    manifest: Manifest,
) -> list[str]:
    """Load the dump into the emptied schema and compare with the manifest; gives back warnings.

    Raises `ContentMismatch` when what was loaded is not what was dumped.
    """
    warnings = _add_extensions(connection, manifest.extensions)
    contents, privileges = table_of_contents(dump, engine.limits)
    run_script(connection, _script(engine, dump, _without_schema(contents)))
    try:
        # A role that does not exist here must not undo the restore.
        with connection.transaction():
            run_script(connection, _script(engine, dump, privileges))
    except psycopg.Error as error:
        warnings.append(f"not all privileges could be granted: {type(error).__name__}")
    for name in SCRIPT_SETTINGS:
        connection.execute(sql.SQL("SET {} TO DEFAULT").format(sql.SQL(name)))
    connection.execute("ANALYZE")
    same_major = manifest.engine_version.split(".")[0] == engine.version().split(".")[0]
    if not same_major:
        warnings.append("another major version of the server: only row counts were compared")
    found = fingerprint.differences(
        manifest.tables, fingerprint.of_postgres(connection), checksums=same_major
    )
    if found:
        raise ContentMismatch("What was loaded is not what was dumped: " + "; ".join(found[:10]))
    return warnings


def _add_extensions(connection: psycopg.Connection[Any], names: Sequence[str]) -> list[str]:
    warnings = []
    for name in names:
        try:
            with connection.transaction():
                connection.execute(
                    sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
                )
        except psycopg.Error as error:
            warnings.append(f"extension {name} was not created: {type(error).__name__}")
    return warnings


def _without_schema(contents: bytes) -> bytes:
    """The schema itself is there and stays; only its owner could make or describe it anew."""
    lines = contents.splitlines(keepends=True)
    return b"".join(line for line in lines if not SCHEMA_LINE.match(line))


def _script(engine: PostgresEngine, dump: IO[bytes], contents: bytes) -> Iterator[bytes]:
    """What pg_restore would do with these entries, as SQL."""
    if not contents.strip():
        return
    with listed(contents) as listing:
        yield from process.stream(
            ["pg_restore", "--no-owner", "--file=-", f"--use-list={listing}", path_of(dump)],
            env={},
            limits=engine.limits,
            pass_fds=[dump.fileno()],
        )


def run_script(connection: psycopg.Connection[Any], chunks: Iterable[bytes]) -> None:
    """Run a plain dump as psql would: statements, and the rows that follow each COPY."""
    statements: list[bytes] = []
    lines = _lines(chunks)
    for line in lines:
        if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
            _run(connection, statements)
            _copy(connection, line, lines)
        # psql's own commands, and a setting that servers before 17 do not know.
        elif not line.startswith((b"\\restrict", b"\\unrestrict", b"SET transaction_timeout")):
            statements.append(line)
    _run(connection, statements)


def _run(connection: psycopg.Connection[Any], statements: list[bytes]) -> None:
    text = b"".join(statements)
    statements.clear()
    if text.strip():
        # Without parameters psycopg sends the text as it is, any number of statements at once.
        connection.execute(text)


def _copy(connection: psycopg.Connection[Any], command: bytes, lines: Iterator[bytes]) -> None:
    rows: list[bytes] = []
    size = 0
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for line in lines:
            if line == b"\\.\n":
                break
            rows.append(line)
            size += len(line)
            if size >= COPY_BYTES:
                copy.write(b"".join(rows))
                rows, size = [], 0
        copy.write(b"".join(rows))


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest
