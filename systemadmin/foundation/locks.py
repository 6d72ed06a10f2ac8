"""Locks by name that hold across threads, processes and, on PostgreSQL, machines."""

import fcntl
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_POLL_SECONDS: Final = 0.05
_mine = threading.local()


@contextmanager
def named_lock(name: str, *, wait: bool = False, timeout: float | None = None) -> Iterator[bool]:
    """Hold the lock while the block runs; yields whether it was got.

    Without wait the answer is immediate; with wait it comes when the lock is free or the timeout
    (seconds) is over. A thread that already holds it gets it again. Taken inside a transaction on
    PostgreSQL, it is kept until that transaction ends, so that nobody sees the state half done.
    """
    held: set[str] = _mine.__dict__.setdefault("names", set())
    if name in held:
        yield True
        return
    connection = connections[DEFAULT_DB_ALIAS]
    with _backend(connection)(connection, name, wait, timeout) as got:
        if got:
            held.add(name)
        try:
            yield got
        finally:
            held.discard(name)


def _backend(connection: BaseDatabaseWrapper) -> Callable:
    if connection.vendor != "postgresql":
        return _file_lock
    return _transaction_lock if connection.in_atomic_block else _session_lock


def _acquire(attempt: Callable[[], bool], wait: bool, timeout: float | None) -> bool:
    """Poll instead of blocking in the server, so that a time-out and a Ctrl-C both work."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while not attempt():
        if not wait or (deadline is not None and time.monotonic() >= deadline):
            return False
        time.sleep(_POLL_SECONDS)
    return True


@contextmanager
def advisory_lock(connection: psycopg.Connection[Any], name: str, timeout: float) -> Iterator[bool]:
    """Hold a session lock of the server on this connection; it ends with the connection."""

    def attempt() -> bool:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [advisory_key(name)]).fetchone()
        return bool(row and row[0])

    yield _acquire(attempt, True, timeout)


@contextmanager
def file_lock(path: Path, timeout: float | None) -> Iterator[bool]:
    """Hold a lock of the kernel on a file; it ends with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    taken: list[IO[str]] = []
    try:
        yield _acquire(lambda: _try_flock(path, taken), True, timeout)
    finally:
        for handle in taken:
            # Removed while still held, or a folder of dead files would grow for ever.
            path.unlink(missing_ok=True)
            handle.close()


def advisory_key(name: str) -> int:
    """Return the key of a named lock in PostgreSQL's advisory locks."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _try_advisory(connection: BaseDatabaseWrapper, function: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [advisory_key(name)])
        row = cursor.fetchone()
    return bool(row and row[0])


@contextmanager
def _transaction_lock(
    connection: BaseDatabaseWrapper, name: str, wait: bool, timeout: float | None
) -> Iterator[bool]:
    yield _acquire(
        lambda: _try_advisory(connection, "pg_try_advisory_xact_lock", name), wait, timeout
    )


@contextmanager
def _session_lock(
    connection: BaseDatabaseWrapper, name: str, wait: bool, timeout: float | None
) -> Iterator[bool]:
    """Hold the lock on a connection of its own: the block may close or pool the usual one."""
    own = connection.copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    got = False
    try:
        got = _acquire(lambda: _try_advisory(own, "pg_try_advisory_lock", name), wait, timeout)
        yield got
    finally:
        if got:
            # Said aloud: the server notices a closed session a moment later, and who asks in that
            # moment would be refused a lock that nobody holds. It may also have ended it itself.
            with suppress(DatabaseError):
                _try_advisory(own, "pg_advisory_unlock", name)
        own.close()


@contextmanager
def _file_lock(
    connection: BaseDatabaseWrapper, name: str, wait: bool, timeout: float | None
) -> Iterator[bool]:
    with file_lock(_lock_path(connection, name), timeout if wait else 0) as got:
        yield got


def _try_flock(path: Path, taken: list[IO[str]]) -> bool:
    handle = path.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The last holder may have removed the file between our open and our lock: a lock on
        # a file without a name keeps nobody out.
        if os.path.samestat(os.fstat(handle.fileno()), path.stat()):
            taken.append(handle)
            return True
    except (BlockingIOError, FileNotFoundError):
        pass
    handle.close()
    return False


def _lock_path(connection: BaseDatabaseWrapper, name: str) -> Path:
    """One file a lock and database: parallel test databases must not wait for each other."""
    folder = Path(settings.VAR_DIR) / "locks"
    digest = hashlib.sha256(f"{connection.settings_dict['NAME']}\0{name}".encode()).hexdigest()
    readable = re.sub(r"[^\w.-]+", "-", name)[:60]
    return folder / f"{readable}-{digest[:16]}.lock"


def _forget_after_fork() -> None:
    """Forget the locks of the parent: a child of fork() holds none of them."""
    _mine.__dict__.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
