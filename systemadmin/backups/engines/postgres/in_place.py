"""Replacing the contents of a PostgreSQL database in one transaction, without a second database.

For roles that may not make or rename databases. Definitions are transactional in PostgreSQL, so
emptying, loading, migrating and checking are one transaction: whatever fails or dies, the server
takes all of it back. Its price is an exclusive lock on every table until the end.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

import psycopg
from psycopg import sql

from systemadmin.backups.engines.postgres import contents as postgres_contents
from systemadmin.backups.engines.postgres.script import Loader
from systemadmin.backups.engines.postgres.server import Server
from systemadmin.backups.errors import ContentMismatch, DatabaseBusy
from systemadmin.backups.format import fingerprint
from systemadmin.backups.format.manifest import Manifest

KEPT = "kept_"
LOCK_SECONDS = 15

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

# Schemas that stay, because public and the homes of extensions cannot be emptied by dropping them.
STAYING = """
    SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.nspname = 'public'
        OR n.oid IN (SELECT extnamespace FROM pg_extension)
        OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass
            AND d.objid = n.oid AND d.deptype = 'e')
"""
# Everything that the dump will make again: kind of DROP, name, owned by us. Names are qualified
# and quoted. What extensions brought stays, and so does what others own for replication.
OBJECTS = sql.SQL("""
    WITH staying AS ({}), found AS (
        SELECT 1 AS rank, 'pg_event_trigger'::regclass AS class, oid, evtowner AS owner,
            NULL::oid AS namespace FROM pg_event_trigger WHERE pg_has_role(evtowner, 'MEMBER')
        UNION ALL SELECT 1, 'pg_publication'::regclass, oid, pubowner, NULL
            FROM pg_publication WHERE pg_has_role(pubowner, 'MEMBER')
        UNION ALL SELECT 2, 'pg_namespace'::regclass, oid, nspowner, NULL
            FROM pg_namespace WHERE nspname !~ '^pg_' AND oid NOT IN (SELECT oid FROM staying)
        UNION ALL SELECT CASE WHEN relkind IN ('r', 'p') THEN 3 ELSE 4 END,
            'pg_class'::regclass, oid, relowner, relnamespace FROM pg_class
            WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT relispartition
        UNION ALL SELECT 4, 'pg_proc'::regclass, oid, proowner, pronamespace FROM pg_proc
        UNION ALL SELECT 4, 'pg_type'::regclass, t.oid, typowner, typnamespace FROM pg_type t
            WHERE typelem = 0
            AND (typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c')
        UNION ALL SELECT 5, 'pg_operator'::regclass, oid, oprowner, oprnamespace FROM pg_operator
        UNION ALL SELECT 5, 'pg_opclass'::regclass, oid, opcowner, opcnamespace FROM pg_opclass
        UNION ALL SELECT 5, 'pg_opfamily'::regclass, oid, opfowner, opfnamespace FROM pg_opfamily
        UNION ALL SELECT 5, 'pg_collation'::regclass, oid, collowner, collnamespace
            FROM pg_collation
        UNION ALL SELECT 5, 'pg_conversion'::regclass, oid, conowner, connamespace
            FROM pg_conversion
        UNION ALL SELECT 5, 'pg_ts_config'::regclass, oid, cfgowner, cfgnamespace
            FROM pg_ts_config
        UNION ALL SELECT 5, 'pg_ts_dict'::regclass, oid, dictowner, dictnamespace FROM pg_ts_dict
        UNION ALL SELECT 6, 'pg_cast'::regclass, c.oid, t.typowner, NULL
            FROM pg_cast c JOIN pg_type t ON t.oid = c.castsource
        UNION ALL SELECT 6, 'pg_foreign_server'::regclass, oid, srvowner, NULL
            FROM pg_foreign_server
        UNION ALL SELECT 7, 'pg_foreign_data_wrapper'::regclass, oid, fdwowner, NULL
            FROM pg_foreign_data_wrapper
    )
    SELECT CASE f.class::text WHEN 'pg_proc' THEN 'ROUTINE' WHEN 'pg_type' THEN 'TYPE'
            ELSE upper(o.type) END,
        o.identity, pg_has_role(f.owner, 'MEMBER')
    FROM found f, pg_identify_object(f.class, f.oid, 0) o
    -- Objects of the server itself have lower numbers.
    WHERE f.oid >= 16384 AND (f.namespace IS NULL OR f.namespace IN (SELECT oid FROM staying))
        AND NOT EXISTS (SELECT FROM pg_depend d
            WHERE d.classid = f.class AND d.objid = f.oid AND d.deptype IN ('e', 'a', 'i'))
    ORDER BY f.rank, o.identity
""").format(sql.SQL(STAYING))
TABLES = """
    SELECT o.identity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
        pg_identify_object('pg_class'::regclass, c.oid, 0) o
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.oid >= 16384
        AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1
"""
LARGE_OBJECTS = (
    "SELECT oid, pg_has_role(lomowner, 'MEMBER') FROM pg_largeobject_metadata ORDER BY oid"
)
SUBSCRIPTIONS = """
    SELECT s.subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
    WHERE d.datname = current_database()
"""
MAY = """
    SELECT has_schema_privilege('public', 'CREATE'),
        has_database_privilege(current_database(), 'TEMPORARY')
"""
TERMINATE_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name <> 'backup'
      AND backend_type = 'client backend'
      AND (pg_has_role(usename, 'MEMBER') OR pg_has_role('pg_signal_backend', 'MEMBER'))
"""


def reason_in_place_impossible(connection: psycopg.Connection[Any]) -> str:
    """Return what keeps our role from replacing the contents in place; empty when nothing does."""
    may_create, may_keep = connection.execute(MAY).fetchall()[0]
    if not may_create:
        return "The role may not make tables: GRANT CREATE ON SCHEMA public."
    if not may_keep:
        return "The role may not make temporary tables: GRANT TEMPORARY ON DATABASE."
    names = [name for _kind, name, owned in _objects(connection) if not owned]
    foreign = [name.removeprefix("public.") for name in names]
    large = connection.execute(LARGE_OBJECTS).fetchall()
    foreign += [f"large object {oid}" for oid, owned in large if not owned]
    if foreign:
        return f"The role does not own {', '.join(foreign[:5])}: REASSIGN OWNED to it."
    subscriptions = [row[0] for row in connection.execute(SUBSCRIPTIONS).fetchall()]
    if subscriptions:
        return f"The tables belong to the subscription {subscriptions[0]}: drop it first."
    return ""


def _objects(connection: psycopg.Connection[Any]) -> list[tuple[str, str, bool]]:
    """Kind of DROP, quoted and qualified name, and whether our role owns it."""
    return connection.execute(OBJECTS).fetchall()


def lock_everything(engine: Server, connection: psycopg.Connection[Any]) -> None:
    """Keep everybody else out until the transaction ends; raises DatabaseBusy.

    Sessions that hold locks are ended meanwhile: hard maintenance is on, nobody is served by them.
    """
    connection.execute("SET application_name = 'backup'")
    # A server that waits or works does not notice that we have died: our locks must not outlive us.
    with suppress(psycopg.Error), connection.transaction():
        connection.execute("SET LOCAL client_connection_check_interval = '2s'")
    tables = [sql.SQL(row[0]) for row in connection.execute(TABLES).fetchall()]
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
def _others_ended(engine: Server) -> Iterator[None]:
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


def keep(connection: psycopg.Connection[Any], tables: Iterable[str]) -> list[str]:
    """Copy what must outlive the replacement until the transaction ends; return the tables."""
    kept = []
    for name in tables:
        row = connection.execute("SELECT to_regclass(%s)", [f'public."{name}"']).fetchone()
        if row and row[0]:
            connection.execute(
                sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS TABLE public.{}").format(
                    sql.Identifier(KEPT + name), sql.Identifier(name)
                )
            )
            kept.append(name)
    return kept


def check_kept(connection: psycopg.Connection[Any], tables: Iterable[str]) -> None:
    """Raise `ContentMismatch` unless all copies are still there.

    They are gone when something committed the transaction that was to be all or nothing.
    """
    for name in tables:
        row = connection.execute("SELECT to_regclass(%s)", [f'pg_temp."{KEPT}{name}"']).fetchone()
        if not row or not row[0]:
            raise ContentMismatch(f"The copy of {name} did not outlive the load.")


def empty(connection: psycopg.Connection[Any]) -> None:
    """Drop everything that the dump makes again; extensions stay."""
    for oid, _owned in connection.execute(LARGE_OBJECTS).fetchall():
        connection.execute("SELECT lo_unlink(%s)", [oid])
    for kind, name, _owned in _objects(connection):
        connection.execute(
            # Both come from the catalogue, which quotes what needs it.
            sql.SQL("DROP {} IF EXISTS {} CASCADE").format(sql.SQL(kind), sql.SQL(name))
        )


def fill(
    engine: Server,
    connection: psycopg.Connection[Any],
    dump: IO[bytes],
    manifest: Manifest,
) -> list[str]:
    """Load the dump into the emptied database and compare with the manifest; return warnings.

    Raises `ContentMismatch` when what was loaded is not what was dumped.
    """
    warnings: list[str] = []
    contents = postgres_contents.read(dump, engine.limits)
    owners = postgres_contents.owner_options(connection, contents, warnings)
    load = Loader(engine, connection, dump, owners, warnings)
    staying = [row[1] for row in connection.execute(STAYING).fetchall()]
    load.run([line for line in contents.schemas if not _is_schema(line, staying)])
    load.attempt_each(contents.extensions, "an extension was not created")
    load.run([line for line in contents.objects if not _is_described(line, staying)])
    load.attempt_each(contents.administrative, "not everything for replication was made")
    load.attempt(contents.privileges, "a privilege could not be granted")
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


def _is_schema(line: bytes, names: Sequence[str]) -> bool:
    """Return whether the entry makes a schema that is there already."""
    return postgres_contents.is_of(line, tuple(f"SCHEMA - {name} ".encode() for name in names))


def _is_described(line: bytes, names: Sequence[str]) -> bool:
    """Return whether the entry describes a schema that stays: only its owner could."""
    kinds = tuple(f"COMMENT - SCHEMA {name} ".encode() for name in names)
    return postgres_contents.is_of(line, kinds)
