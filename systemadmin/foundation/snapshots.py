"""One view of the database for reads that belong together: an export, a check, a report.

Under READ COMMITTED every statement sees what was committed before it, so two statements of one
report disagree whenever something is written between them.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.http import FileResponse

_is_open: ContextVar[bool] = ContextVar("read_snapshot_is_open", default=False)


@contextmanager
def read_snapshot(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Let every statement in the block see the database as it was at the first one.

    Nothing can be written in the block. On PostgreSQL it is a REPEATABLE READ, READ ONLY
    transaction; on SQLite a deferred one, which keeps its view without the write lock, so that
    writers go on. Inside an open snapshot it is that one; inside any other transaction it raises
    `RuntimeError`, because that one's earlier statements have another view.
    """
    if _is_open.get():
        yield
        return
    connection = connections[using]
    # True under a test case's own transaction, too; `durable` refuses every other one.
    is_nested = connection.in_atomic_block
    token = _is_open.set(True)
    try:
        with _deferred(connection), transaction.atomic(using, durable=True):
            if connection.vendor == "postgresql" and not is_nested:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    finally:
        _is_open.reset(token)


@contextmanager
def use_open_transaction() -> Iterator[None]:
    """Take the transaction in force for the snapshot.

    For a caller that keeps everybody else from writing, such as a restore in place.
    """
    token = _is_open.set(True)
    try:
        yield
    finally:
        _is_open.reset(token)


@contextmanager
def _deferred(connection: Any) -> Iterator[None]:
    """Begin without SQLite's write lock, and refuse writes as PostgreSQL does."""
    if connection.vendor != "sqlite":
        yield
        return
    # The mode is known once there is a connection.
    connection.ensure_connection()
    # Our settings say IMMEDIATE; a reader would keep every writer waiting with it.
    mode, connection.transaction_mode = connection.transaction_mode, "DEFERRED"
    try:
        connection.connection.execute("PRAGMA query_only = ON")
        yield
    finally:
        connection.transaction_mode = mode
        connection.connection.execute("PRAGMA query_only = OFF")


def snapshot_download(
    lines: Callable[[], Iterable[str]], *, name: str, content_type: str
) -> FileResponse:
    """Return a file of lines that were all read in one snapshot.

    They are written to a temporary file first: the snapshot lasts as long as the reading and not
    as long as a slow client, an error is an answer with a status, and the length is known, so
    that a connection which breaks is noticed.
    """
    file = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - the response closes it
    try:
        with read_snapshot():
            file.writelines(line.encode() for line in lines())
    except BaseException:
        file.close()
        raise
    file.seek(0)
    response = FileResponse(
        file, as_attachment=True, filename=name, content_type=f"{content_type}; charset=utf-8"
    )
    response["X-Content-Type-Options"] = "nosniff"
    return response
