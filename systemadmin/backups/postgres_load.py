"""Filling a new PostgreSQL database from a dump: extensions, contents, then privileges."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from systemadmin.backups import process
from systemadmin.backups.engine import Scratch
from systemadmin.backups.errors import ToolFailed
from systemadmin.backups.manifest import Manifest

if TYPE_CHECKING:
    from systemadmin.backups.postgres import PostgresEngine

JOBS = 2
# "12; 3079 16385 EXTENSION - pg_trgm" and "…; 0 0 COMMENT - EXTENSION pg_trgm"
EXTENSION_LINE = re.compile(rb"^\d+; \d+ \d+ (EXTENSION |COMMENT - EXTENSION )")
PRIVILEGE_LINE = re.compile(rb"^\d+; \d+ \d+ (ACL|DEFAULT ACL) ")


def create_database(admin: psycopg.Connection[Any], name: str, *, like: str) -> None:
    """A database from template0 with the encoding and locale of another one, if that exists."""
    found = admin.execute(
        "SELECT to_jsonb(d) || jsonb_build_object('enc', pg_encoding_to_char(d.encoding))"
        " FROM pg_database d WHERE datname IN (%s, current_database())"
        " ORDER BY (datname = %s) DESC LIMIT 1",
        [like, like],
    ).fetchall()[0][0]
    options = [("ENCODING", found["enc"]), ("LC_COLLATE", found["datcollate"])]
    options.append(("LC_CTYPE", found["datctype"]))
    if found.get("datlocprovider") == "i":
        options.append(("LOCALE_PROVIDER", "icu"))
        # The column was renamed in PostgreSQL 17.
        options.append(("ICU_LOCALE", found.get("daticulocale") or found.get("datlocale")))
    settings = [sql.SQL("{} = {}").format(sql.SQL(k), sql.Literal(v)) for k, v in options]
    admin.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE = template0 {}").format(
            sql.Identifier(name), sql.SQL(" ").join(settings)
        )
    )


def drop_database(admin: psycopg.Connection[Any], name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def load(
    engine: PostgresEngine, scratch: Scratch, chunks: Iterator[bytes], manifest: Manifest
) -> list[str]:
    """Restore the dump into the empty scratch database; gives back warnings."""
    warnings = _create_extensions(engine, scratch, manifest.extensions)
    with plain_file(chunks) as dump, process.password_file(_password(engine)) as secret:
        contents, privileges = table_of_contents(dump, engine.limits)
        parallel = ["--exit-on-error", f"--jobs={JOBS}"]
        _pg_restore(engine, scratch, dump, contents, parallel, secret)
        try:
            # A role that does not exist here must not stop a restore on a fresh machine.
            _pg_restore(engine, scratch, dump, privileges, [], secret)
        except ToolFailed as error:
            warnings.append(f"not all privileges could be granted: {error}")
    with engine.connect(scratch) as connection:
        connection.execute("ANALYZE")
    return warnings


def _create_extensions(
    engine: PostgresEngine, scratch: Scratch, extensions: list[str]
) -> list[str]:
    """Each alone: one that needs a superuser (pg_stat_statements) is seldom needed by tables."""
    warnings = []
    with engine.connect(scratch) as connection:
        for name in extensions:
            try:
                connection.execute(
                    sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
                )
            except psycopg.Error as error:
                warnings.append(f"extension {name} was not created: {error}".strip())
    return warnings


def _pg_restore(
    engine: PostgresEngine,
    scratch: Scratch,
    dump: IO[bytes],
    contents: bytes,
    options: list[str],
    secret: dict[str, str],
) -> None:
    if not contents.strip():
        return
    connector = engine.connector
    command, env = connector.command(connector.restore_cmd, scratch.name)
    with listed(contents) as listing:
        process.run(
            [*command, "--no-owner", *options, f"--use-list={listing}", path_of(dump)],
            env={**connector.restore_env, **env, **secret},
            limits=engine.limits,
            pass_fds=[dump.fileno()],
        )


@contextmanager
def listed(contents: bytes) -> Iterator[str]:
    """The path of a file with these lines of a table of contents, for `--use-list`."""
    with tempfile.NamedTemporaryFile(prefix="toc-") as listing:
        listing.write(contents)
        listing.flush()
        yield listing.name


def table_of_contents(dump: IO[bytes], limits: process.Limits) -> tuple[bytes, bytes]:
    """The archive's list without extensions, split into contents and privileges."""
    listing = process.run(
        ["pg_restore", "--list", path_of(dump)], env={}, limits=limits, pass_fds=[dump.fileno()]
    )
    contents, privileges = [], []
    for line in listing.splitlines(keepends=True):
        if line.startswith(b";") or EXTENSION_LINE.match(line):
            continue
        (privileges if PRIVILEGE_LINE.match(line) else contents).append(line)
    return b"".join(contents), b"".join(privileges)


@contextmanager
def plain_file(chunks: Iterator[bytes]) -> Iterator[IO[bytes]]:
    """The opened dump in a file without a name, so that even kill -9 leaves nothing readable."""
    temporary = tempfile.TemporaryFile if sys.platform == "linux" else tempfile.NamedTemporaryFile
    with temporary() as file:
        for data in chunks:
            file.write(data)
        file.flush()
        yield file


def path_of(file: IO[bytes]) -> str:
    """A path by which pg_restore and each of its workers opens the file anew."""
    return f"/dev/fd/{file.fileno()}" if sys.platform == "linux" else os.fspath(file.name)


def _password(engine: PostgresEngine) -> str | None:
    password: str | None = engine.connector.settings.get("PASSWORD")
    return password
