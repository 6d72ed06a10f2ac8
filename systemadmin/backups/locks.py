"""The lock of all backup work, outside the database that a restore replaces."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

POLL_SECONDS = 0.1


@contextmanager
def advisory_lock(connection: psycopg.Connection[Any], name: str, timeout: float) -> Iterator[bool]:
    """A session lock of the server: gone when the process or its machine is."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)

    def attempt() -> bool:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
        return bool(row and row[0])

    yield _poll(attempt, timeout)


@contextmanager
def file_lock(path: Path, timeout: float) -> Iterator[bool]:
    """A lock of the kernel on a file: gone when the process is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:

        def attempt() -> bool:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield _poll(attempt, timeout)


def _poll(attempt: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not attempt():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
