"""A cache in the database whose counters are exact between processes, on SQLite and PostgreSQL."""

import base64
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import random
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router, transaction
from django.utils import timezone

from systemadmin.foundation.safe_pickle import load_plain_or_none

# Removing what has expired on every write, as Django does, counts the whole table each time.
CULL_PROBABILITY = 1 / 500
# The last moment both databases can hold.
NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class ExactDatabaseCache(DatabaseCache):
    """`DatabaseCache` with `add` and `incr` as single statements.

    Django's own reads, computes and writes back in separate steps, so that concurrent increments
    are lost. Here integers are stored as plain digits (a pickle in base64 never looks like that),
    and the database does the arithmetic. A statement outside a transaction is its own, short one;
    inside one it gets a savepoint, so that a failing cache never breaks the caller's transaction.
    """

    def get_many(self, keys: Any, version: int | None = None) -> dict[Any, Any]:
        names = {self.make_and_validate_key(key, version=version): key for key in keys}
        if not names:
            return {}
        marks = ", ".join(["%s"] * len(names))
        # Unlike Django's this read deletes nothing: between reading an expired counter and
        # deleting it another process may have begun it anew.
        rows = self._run(
            "SELECT cache_key, value FROM {table} WHERE cache_key IN ({marks})"
            " AND expires >= %s".replace("{marks}", marks),
            [*names, _now()],
        )
        return {names[name]: _load(value) for name, value in rows}

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return bool(self.get_many([key], version=version))

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        name = self.make_and_validate_key(key, version=version)
        # Mostly the counter is there: a look spares SQLite's one write lock.
        if self.has_key(key, version=version):
            return False
        expires = self._expiry(timeout)
        added = self._run(
            "INSERT INTO {table} (cache_key, value, expires) VALUES (%s, %s, %s)"
            " ON CONFLICT (cache_key) DO UPDATE"
            " SET value = excluded.value, expires = excluded.expires"
            " WHERE {table}.expires < %s RETURNING 1",
            [name, _dump(value), expires, _now()],
        )
        self._cull_sometimes()
        return bool(added)

    def set(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        name = self.make_and_validate_key(key, version=version)
        self._run(
            "INSERT INTO {table} (cache_key, value, expires) VALUES (%s, %s, %s)"
            " ON CONFLICT (cache_key) DO UPDATE"
            " SET value = excluded.value, expires = excluded.expires RETURNING 1",
            [name, _dump(value), self._expiry(timeout)],
        )
        self._cull_sometimes()

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        name = self.make_and_validate_key(key, version=version)
        return bool(
            self._run(
                "UPDATE {table} SET expires = %s WHERE cache_key = %s AND expires >= %s"
                " RETURNING 1",
                [self._expiry(timeout), name, _now()],
            )
        )

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        name = self.make_and_validate_key(key, version=version)
        rows = self._run(
            "UPDATE {table} SET value = CAST(CAST(value AS BIGINT) + %s AS TEXT)"
            " WHERE cache_key = %s AND expires >= %s RETURNING value",
            [delta, name, _now()],
        )
        if not rows:
            raise ValueError(f"Key '{key}' not found")
        return int(rows[0][0])

    def prune(self) -> None:
        """Delete what has expired, and a share of the rest when the table holds too much."""
        connection = self._connection()
        with _own_step(connection), connection.cursor() as cursor:
            cursor.execute(self._sql(connection, "SELECT COUNT(*) FROM {table}"))
            self._cull(connection.alias, cursor, timezone.now(), cursor.fetchone()[0])

    def _cull_sometimes(self) -> None:
        if random() < CULL_PROBABILITY:  # noqa: S311  not a secret
            self.prune()

    def _expiry(self, timeout: Any) -> datetime:
        moment = self.get_backend_timeout(timeout)
        return NEVER if moment is None else datetime.fromtimestamp(moment, tz=UTC)

    def _connection(self) -> Any:
        return connections[router.db_for_write(self.cache_model_class)]

    def _sql(self, connection: Any, sql: str) -> str:
        return sql.replace("{table}", connection.ops.quote_name(self._table))

    def _run(self, sql: str, params: list[Any]) -> list[Any]:
        connection = self._connection()
        adapt = connection.ops.adapt_datetimefield_value
        values = [adapt(value) if isinstance(value, datetime) else value for value in params]
        with _own_step(connection), connection.cursor() as cursor:
            cursor.execute(self._sql(connection, sql), values)
            return list(cursor.fetchall())


@contextmanager
def _own_step(connection: Any) -> Iterator[None]:
    if connection.in_atomic_block:
        with transaction.atomic(using=connection.alias):
            yield
    else:
        yield


def _now() -> datetime:
    return timezone.now()


def _dump(value: Any) -> str:
    if type(value) is int:
        return str(value)
    return base64.b64encode(pickle.dumps(value, pickle.HIGHEST_PROTOCOL)).decode("ascii")


def _load(text: str) -> Any:
    if text.lstrip("-").isdigit():
        return int(text)
    # Whoever can write to the database could put a pickle that runs code here.
    return load_plain_or_none(base64.b64decode(text))


def make_table_cheap(alias: str, table: str) -> None:
    """Take the cache's table out of PostgreSQL's log: counting need not wait for the disk.

    What an unlogged table holds is lost when the server crashes, as with any cache.
    """
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE oid = to_regclass(%s)", [table])
        row = cursor.fetchone()
        if row and row[0] == "p":
            cursor.execute(f"ALTER TABLE {connection.ops.quote_name(table)} SET UNLOGGED")


def make_cache_table_cheap() -> None:
    """Do so for the default cache when it is in the database."""
    if isinstance(caches["default"], ExactDatabaseCache):
        make_table_cheap("default", caches["default"]._table)
