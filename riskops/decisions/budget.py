"""A time limit for the statements of one block, kept by the database itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

# Until this part of the time is over the limit set at the beginning is good enough.
EASY = 0.25


class OutOfTime(Exception):
    """The time is over before everything was asked."""


@contextmanager
def time_limit(seconds: float, *, first: str = "") -> Iterator[None]:
    """Run the statements of a transaction within so many seconds.

    `first` is a statement that PostgreSQL runs in the same round trip, within the limit.

    Raises `OutOfTime` before a statement for which no time is left; PostgreSQL cancels the one
    that runs. On SQLite waiting for the lock of another writer ends in time.
    """
    if connection.vendor == "postgresql":
        limit = _Limit(seconds)
        limit.set(seconds * (1 - EASY), first)
        with connection.execute_wrapper(limit):
            yield
        if connection.savepoint_ids:  # the transaction goes on with other things
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
        return
    with _sqlite_patience(seconds):
        yield


class _Limit:
    """Gives each statement the time that is left."""

    def __init__(self, seconds: float) -> None:
        self.started = time.monotonic()
        self.seconds = seconds
        self.is_setting = False

    def set(self, seconds: float, first: str = "") -> None:
        self.is_setting = True
        try:
            with connection.cursor() as cursor:
                limit = f"SET LOCAL statement_timeout = {max(int(seconds * 1000), 1)}"
                cursor.execute(f"{limit}; {first}" if first else limit)
        finally:
            self.is_setting = False

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if not self.is_setting:
            spent = time.monotonic() - self.started
            if spent >= self.seconds:
                raise OutOfTime
            if spent > self.seconds * EASY:
                self.set(self.seconds - spent)
        return execute(sql, params, many, context)


@contextmanager
def _sqlite_patience(seconds: float) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual,) = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {max(int(seconds * 1000), 1)}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")
