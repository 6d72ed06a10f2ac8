"""What a PostgreSQL dump lists, sorted by how each kind of entry has to be restored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, Any

import psycopg

from systemadmin.backups.engines import process
from systemadmin.backups.engines.postgres.dump_file import path_of

# "12; 3079 16385 EXTENSION - pg_trgm" and "…; 0 0 COMMENT - EXTENSION pg_trgm"
ENTRY = re.compile(rb"^\d+; \d+ \d+ ")
SCHEMAS = (b"SCHEMA ",)
EXTENSIONS = (b"EXTENSION ",)
# Only the owner of an extension may describe it; creating it describes it.
LEFT_OUT = (b"COMMENT - EXTENSION ",)
PRIVILEGES = (b"ACL ", b"DEFAULT ACL ")
# Made by the database's administrator, often with more rights than the application's role has.
ADMINISTRATIVE = tuple(
    prefix + kind
    for kind in (b"PUBLICATION", b"SUBSCRIPTION", b"EVENT TRIGGER")
    for prefix in (b"", b"COMMENT - ")
)
LARGE_OBJECTS = (b"BLOBS ",)


@dataclass(frozen=True)
class Contents:
    """Lines of `pg_restore --list`, for `--use-list`, each group in the dump's own order."""

    schemas: list[bytes]
    extensions: list[bytes]
    objects: list[bytes]
    administrative: list[bytes]
    privileges: list[bytes]

    def owners(self) -> set[str]:
        """Names of the roles that owned what the dump holds."""
        lines = [*self.schemas, *self.objects, *self.administrative]
        return {line.rstrip(b"\n").rpartition(b" ")[2].decode() for line in lines} - {""}


def read(dump: IO[bytes], limits: process.Limits) -> Contents:
    """List the dump's entries."""
    listing = process.run(
        ["pg_restore", "--list", path_of(dump)], env={}, limits=limits, pass_fds=[dump.fileno()]
    )
    lines = [line for line in listing.splitlines(keepends=True) if ENTRY.match(line)]
    lines = [line for line in lines if not is_of(line, LEFT_OUT)]
    groups: list[list[bytes]] = []
    for kinds in (SCHEMAS, EXTENSIONS, ADMINISTRATIVE, PRIVILEGES):
        groups.append([line for line in lines if is_of(line, kinds)])
        lines = [line for line in lines if not is_of(line, kinds)]
    schemas, extensions, administrative, privileges = groups
    return Contents(schemas, extensions, lines, administrative, privileges)


def is_of(line: bytes, kinds: tuple[bytes, ...]) -> bool:
    """Return whether a line of the list is of one of these kinds."""
    match = ENTRY.match(line)
    return match is not None and line[match.end() :].startswith(kinds)


def owner_options(
    connection: psycopg.Connection[Any], contents: Contents, warnings: list[str]
) -> list[str]:
    """Return pg_restore's options about owners: none where our role may set them all.

    Otherwise everything becomes ours, and a warning names who owned something before.
    """
    is_superuser, own_name, unknown = connection.execute(
        "SELECT r.rolsuper, r.rolname, ARRAY(SELECT unnest(%s::text[])"
        " EXCEPT SELECT rolname::text FROM pg_roles) FROM pg_roles r WHERE rolname = current_user",
        [sorted(contents.owners())],
    ).fetchall()[0]
    if is_superuser and not unknown:
        return []
    others = sorted(contents.owners() - {own_name})
    if others:
        warnings.append(f"what belonged to {', '.join(others)} belongs to {own_name} now")
    return ["--no-owner"]
