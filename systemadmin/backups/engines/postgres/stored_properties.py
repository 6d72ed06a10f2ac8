"""Reading the properties of a PostgreSQL database, and setting them on another one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from psycopg import sql

from systemadmin.backups.engines.postgres.properties import Grant, Properties, Setting, differences
from systemadmin.backups.errors import PropertiesNotSet

Connection = psycopg.Connection[Any]

CANNOT = "A property of the database cannot be set again: %s."

DATABASE = """
    SELECT (to_jsonb(d) - 'datacl' || jsonb_build_object(
            'owner', pg_get_userbyid(d.datdba),
            'encoding', pg_encoding_to_char(d.encoding),
            'tablespace', t.spcname,
            'comment', coalesce(shobj_description(d.oid, 'pg_database'), '')))::text
    FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
    WHERE d.datname = %s
"""
SETTINGS = """
    SELECT CASE WHEN s.setrole = 0 THEN '' ELSE pg_get_userbyid(s.setrole) END,
        split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1)
    FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase,
        unnest(s.setconfig) WITH ORDINALITY AS settings (entry, place)
    WHERE d.datname = %s ORDER BY 1, place
"""
GRANTS = """
    SELECT pg_get_userbyid(a.grantor),
        CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END,
        a.privilege_type, a.is_grantable
    FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE d.datname = %s ORDER BY 1, 2, 3
"""
LABELS = """
    SELECT l.provider, l.label FROM pg_shseclabel l JOIN pg_database d ON d.oid = l.objoid
    WHERE l.classoid = 'pg_database'::regclass AND d.datname = %s ORDER BY 1
"""


def read(connection: Connection, database: str) -> Properties | None:
    """Return the properties of a database of this server; None when there is no such database."""
    row = connection.execute(DATABASE, [database]).fetchone()
    if row is None:
        return None
    # As text: Django's connections leave JSON as it is, the others take it apart.
    found: dict[str, Any] = json.loads(row[0])

    def rows(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query, [database]).fetchall()

    return Properties(
        owner=found["owner"],
        encoding=found["encoding"],
        collate=found["datcollate"],
        ctype=found["datctype"],
        provider=found.get("datlocprovider", "c"),
        # The column was renamed in PostgreSQL 17.
        locale=found.get("datlocale") or found.get("daticulocale") or "",
        icu_rules=found.get("daticurules") or "",
        tablespace=found["tablespace"],
        connection_limit=found["datconnlimit"],
        is_template=found["datistemplate"],
        allows_connections=found["datallowconn"],
        comment=found["comment"],
        settings=tuple(Setting(*one) for one in rows(SETTINGS)),
        grants=tuple(Grant(*one) for one in rows(GRANTS)),
        labels=tuple((one[0], one[1]) for one in rows(LABELS)),
    )


def apply(connection: Connection, database: str, wanted: Properties) -> None:
    """Give a new database these properties; raises `PropertiesNotSet` for the first that fails."""
    for what, step in _steps(connection, database, wanted):
        try:
            with connection.transaction():
                step()
        except psycopg.Error as error:
            raise PropertiesNotSet(CANNOT % f"{what} ({_reason(error)})") from error
    found = read(connection, database)
    differing = differences(wanted, found) if found else ["the database is gone"]
    if differing:
        raise PropertiesNotSet(CANNOT % "; ".join(differing))


def apply_possible(connection: Connection, database: str, wanted: Properties) -> list[str]:
    """Give a database those of the properties that can be given here; return warnings."""
    warnings = []
    for what, step in _steps(connection, database, wanted):
        try:
            with connection.transaction():
                step()
        except psycopg.Error as error:
            warnings.append(f"a property of the database was not set: {what} ({_reason(error)})")
    return warnings


def _reason(error: psycopg.Error) -> str:
    return error.diag.message_primary or type(error).__name__


def _steps(
    connection: Connection, database: str, wanted: Properties
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what to do, each with its name, in an order in which nothing undoes an earlier step."""

    def run(pattern: str, *values: str) -> Callable[[], None]:
        return lambda: _run(connection, pattern, *values)

    # The owner first: a change of owner rewrites the grants.
    yield f"owner {wanted.owner}", run("ALTER DATABASE %I OWNER TO %I", database, wanted.owner)
    yield "no grants", lambda: _revoke_all(connection, database, wanted.owner)
    for grant in in_order(wanted.grants, wanted.owner):
        yield (
            f"{grant.privilege} granted to {grant.grantee or 'PUBLIC'} by {grant.grantor}",
            lambda grant=grant: _grant(connection, database, grant, wanted.owner),
        )
    for setting in wanted.settings:
        yield (
            f"{setting.name} = {setting.value}" + (f" for {setting.role}" if setting.role else ""),
            lambda setting=setting: _set(connection, database, setting),
        )
    if wanted.comment:
        yield "comment", run("COMMENT ON DATABASE %I IS %L", database, wanted.comment)
    for provider, label in wanted.labels:
        yield (
            f"security label of {provider}",
            run("SECURITY LABEL FOR %I ON DATABASE %I IS %L", provider, database, label),
        )
    limit = str(int(wanted.connection_limit))
    if limit != "-1":
        yield (
            f"connection limit {limit}",
            run(f"ALTER DATABASE %I CONNECTION LIMIT {limit}", database),
        )
    if wanted.is_template:
        yield "template", run("ALTER DATABASE %I IS_TEMPLATE true", database)
    if not wanted.allows_connections:
        yield "no connections", run("ALTER DATABASE %I ALLOW_CONNECTIONS false", database)


def in_order(grants: tuple[Grant, ...], owner: str) -> list[Grant]:
    """Grants so that whoever grants has been granted the option before."""
    waiting, sorted_ones, may_grant = list(grants), [], {(owner, p) for p in _privileges(grants)}
    while waiting:
        ready = [one for one in waiting if (one.grantor, one.privilege) in may_grant]
        # A chain that leads nowhere cannot be made; the server then says what is wrong with it.
        ready = ready or waiting
        sorted_ones += ready
        may_grant |= {(one.grantee, one.privilege) for one in ready if one.with_option}
        waiting = [one for one in waiting if one not in ready]
    return sorted_ones


def _privileges(grants: tuple[Grant, ...]) -> set[str]:
    return {one.privilege for one in grants}


def _revoke_all(connection: Connection, database: str, owner: str) -> None:
    _run(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", database)
    _run(connection, "REVOKE ALL ON DATABASE %I FROM %I", database, owner)


def _grant(connection: Connection, database: str, grant: Grant, owner: str) -> None:
    """Within a transaction: the grantor is whoever executes, or the owner."""
    option = " WITH GRANT OPTION" if grant.with_option else ""
    if grant.grantor != owner:
        _run(connection, "SET LOCAL ROLE %I", grant.grantor)
    if grant.grantee:
        # The privilege is one of the three words that the server gave us.
        pattern = f"GRANT {grant.privilege} ON DATABASE %I TO %I{option}"
        _run(connection, pattern, database, grant.grantee)
    else:
        _run(connection, f"GRANT {grant.privilege} ON DATABASE %I TO PUBLIC", database)
    if grant.grantor != owner:
        connection.execute("RESET ROLE")


def _set(connection: Connection, database: str, setting: Setting) -> None:
    elements = setting.elements()
    values = [setting.value] if elements is None else elements or [""]
    marks = ", ".join(["%L"] * len(values))
    if setting.role:
        pattern = f"ALTER ROLE %I IN DATABASE %I SET %I TO {marks}"
        _run(connection, pattern, setting.role, database, setting.name, *values)
    else:
        _run(connection, f"ALTER DATABASE %I SET %I TO {marks}", database, setting.name, *values)


def _run(connection: Connection, pattern: str, *values: str) -> None:
    """Let the server quote the values, then run the statement."""
    row = connection.execute(
        "SELECT format(%s, VARIADIC %s::text[])", [pattern, list(values)]
    ).fetchall()[0]
    connection.execute(sql.SQL(row[0]))
