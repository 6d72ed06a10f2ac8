"""Filling a new PostgreSQL database from a dump: schemas, extensions, contents, privileges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import psycopg
from psycopg import sql

from systemadmin.backups.engines import process
from systemadmin.backups.engines.base import Scratch
from systemadmin.backups.engines.postgres import contents as postgres_contents
from systemadmin.backups.engines.postgres import stored_properties as postgres_properties
from systemadmin.backups.engines.postgres.dump_file import listed, path_of, plain_file
from systemadmin.backups.engines.postgres.properties import Properties
from systemadmin.backups.engines.postgres.server import Server
from systemadmin.backups.errors import ToolFailed

JOBS = 2


def create_database(admin: psycopg.Connection[Any], name: str, *, like: str) -> None:
    """Create a database from template0 with the encoding, locale and tablespace of another one.

    Of the maintenance database when that one does not exist. Nobody but its owner gets in: it
    will hold what the live one holds, before the live one's grants are set.
    """
    found = postgres_properties.read(admin, like)
    found = found or postgres_properties.read(admin, admin.info.dbname)
    if found is None:
        raise ToolFailed("The server does not know the database that we are connected to.")
    options = [("ENCODING", found.encoding), ("LC_COLLATE", found.collate)]
    options.append(("LC_CTYPE", found.ctype))
    options += _locale_options(found)
    if found.tablespace != "pg_default":
        # Naming the default one needs a privilege; leaving it out does not.
        options.append(("TABLESPACE", found.tablespace))
    settings = [sql.SQL("{} = {}").format(sql.SQL(k), _value(k, v)) for k, v in options]
    admin.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE = template0 {}").format(
            sql.Identifier(name), sql.SQL(" ").join(settings)
        )
    )
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def _locale_options(found: Properties) -> list[tuple[str, str]]:
    """Return what an ICU (or, since PostgreSQL 17, a built-in) locale needs besides."""
    if found.provider == "b":
        return [("LOCALE_PROVIDER", "builtin"), ("BUILTIN_LOCALE", found.locale)]
    if found.provider != "i":
        return []
    rules = [("ICU_RULES", found.icu_rules)] if found.icu_rules else []
    return [("LOCALE_PROVIDER", "icu"), ("ICU_LOCALE", found.locale), *rules]


def _value(option: str, value: str) -> sql.Composable:
    return sql.Identifier(value) if option == "TABLESPACE" else sql.Literal(value)


def drop_database(admin: psycopg.Connection[Any], name: str) -> None:
    """Drop it with whoever is connected; a template is made an ordinary database first."""
    row = admin.execute(
        "SELECT datistemplate FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    if row and row[0]:
        admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def load(engine: Server, scratch: Scratch, chunks: Iterator[bytes]) -> list[str]:
    """Restore the dump into the empty scratch database; return warnings."""
    warnings: list[str] = []
    with plain_file(chunks) as dump, process.password_file(_password(engine)) as secret:
        contents = postgres_contents.read(dump, engine.limits)
        with engine.connect(scratch) as connection:
            owners = postgres_contents.owner_options(connection, contents, warnings)
        tool = _PgRestore(engine, scratch, dump, secret, warnings)
        tool.run(contents.schemas, [*owners, "--exit-on-error"])
        for line in contents.extensions:
            # Each alone: one that needs a superuser (pg_stat_statements) holds no tables.
            tool.attempt([line], [], "an extension was not created")
        tool.run(contents.objects, [*owners, "--exit-on-error", f"--jobs={JOBS}"])
        tool.attempt(contents.administrative, owners, "not everything for replication was made")
        # A role that does not exist here must not stop a restore on a fresh machine.
        tool.attempt(contents.privileges, owners, "not all privileges could be granted")
    with engine.connect(scratch) as connection:
        connection.execute("ANALYZE")
    return warnings


@dataclass
class _PgRestore:
    """pg_restore from one dump into one database."""

    engine: Server
    scratch: Scratch
    dump: IO[bytes]
    secret: dict[str, str]
    warnings: list[str]

    def run(self, lines: list[bytes], options: list[str]) -> None:
        """Restore these entries; raises `ToolFailed`."""
        if not lines:
            return
        connector = self.engine.connector
        command, env = connector.command(connector.restore_cmd, self.scratch.name)
        with listed(b"".join(lines)) as listing:
            process.run(
                [*command, *options, f"--use-list={listing}", path_of(self.dump)],
                env={**connector.restore_env, **env, **self.secret},
                limits=self.engine.limits,
                pass_fds=[self.dump.fileno()],
            )

    def attempt(self, lines: list[bytes], options: list[str], warning: str) -> None:
        """Restore what can be restored of these entries; the rest is a warning."""
        try:
            self.run(lines, options)
        except ToolFailed as error:
            self.warnings.append(f"{warning}: {error}")


def _password(engine: Server) -> str | None:
    password: str | None = engine.connector.settings.get("PASSWORD")
    return password
