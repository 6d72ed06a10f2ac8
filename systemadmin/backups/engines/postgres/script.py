"""Running what pg_restore would do as SQL, inside a transaction of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import psycopg

from systemadmin.backups.engines import process
from systemadmin.backups.engines.postgres import contents as postgres_contents
from systemadmin.backups.engines.postgres.dump_file import listed, path_of
from systemadmin.backups.engines.postgres.server import Server

COPY_BYTES = 1 << 18


@dataclass
class Loader:
    """Entries of one dump, run on one connection in its transaction."""

    engine: Server
    connection: psycopg.Connection[Any]
    dump: IO[bytes]
    owners: list[str]
    warnings: list[str]

    def run(self, lines: list[bytes]) -> None:
        """Run these entries; large objects apart, whose script holds BEGIN and COMMIT."""
        kinds = postgres_contents.LARGE_OBJECTS
        large = [line for line in lines if postgres_contents.is_of(line, kinds)]
        run_script(self.connection, self._script([x for x in lines if x not in large]))
        run_script(self.connection, _without_transactions(self._script(large)))

    def attempt(self, lines: list[bytes], warning: str) -> None:
        """Run these entries, one by one when one of them fails."""
        try:
            with self.connection.transaction():
                self.run(lines)
        except psycopg.Error:
            self.attempt_each(lines, warning)

    def attempt_each(self, lines: list[bytes], warning: str) -> None:
        """Run each entry alone: one that fails becomes a warning."""
        for line in lines:
            try:
                with self.connection.transaction():
                    self.run([line])
            except psycopg.errors.DuplicateObject:
                pass  # It is not ours, and stayed.
            except psycopg.Error as error:
                reason = error.diag.message_primary or type(error).__name__
                self.warnings.append(f"{warning}: {reason}")

    def _script(self, lines: list[bytes]) -> Iterator[bytes]:
        """Yield what pg_restore would do with these entries, as SQL."""
        if not lines:
            return
        with listed(b"".join(lines)) as listing:
            yield from process.stream(
                [
                    "pg_restore",
                    *self.owners,
                    "--file=-",
                    f"--use-list={listing}",
                    path_of(self.dump),
                ],
                env={},
                limits=self.engine.limits,
                pass_fds=[self.dump.fileno()],
            )


def _without_transactions(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the script of large objects alone, in which these lines can be nothing else."""
    for line in _lines(chunks):
        if line not in (b"BEGIN;\n", b"COMMIT;\n"):
            yield line


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
