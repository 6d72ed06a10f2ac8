"""Django's PostgreSQL backend whose pool fails fast while the server is away.

psycopg's pool lets every caller wait its whole `timeout`, one after the other on a web server's few
threads: with the database gone a request would hang for minutes before it gets its 503. Here the
first caller that waits in vain asks the server directly. If that fails too, the circuit opens:
callers are refused at once, and one of them a second tries again.
"""

import threading
import time
from typing import Any, Final

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import PoolClosed, PoolTimeout

# How long after a failed attempt everybody is refused without another.
RETRY_SECONDS: Final = 1.0
# How long one attempt may take.
PROBE_SECONDS: Final = 3


class CircuitBreaker:
    """Whether the server was away the last time anybody looked; one for each alias of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = False
        self._retry_at = 0.0

    def may_try(self) -> bool:
        """Say whether the caller may connect: everybody if closed, one a second if open."""
        if not self._is_open:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._retry_at:
                return False
            self._retry_at = now + PROBE_SECONDS + RETRY_SECONDS
            return True

    @property
    def is_open(self) -> bool:
        """Whether callers are being refused."""
        return self._is_open

    def failed(self) -> None:
        """Refuse everybody for a moment."""
        with self._lock:
            self._is_open = True
            self._retry_at = time.monotonic() + RETRY_SECONDS

    def worked(self) -> None:
        """Let everybody through again."""
        self._is_open = False


_breakers: dict[str, CircuitBreaker] = {}


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection by way of the pool, refused at once while the server is known to be away."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Take a connection from the pool; `OperationalError` when there is none."""
        breaker = _breakers.setdefault(self.alias, CircuitBreaker())
        if not breaker.may_try():
            raise psycopg.OperationalError("the database did not answer a moment ago")
        if breaker.is_open:
            self._probe(conn_params, breaker)
        try:
            return super().get_new_connection(conn_params)
        except PoolClosed:
            # Somebody else found the server away while this caller was waiting.
            raise psycopg.OperationalError("the database does not answer") from None
        except PoolTimeout:
            # Either all connections are busy or the server is away.
            self._probe(conn_params, breaker)
            raise

    def _probe(self, conn_params: dict[str, Any], breaker: CircuitBreaker) -> None:
        try:
            psycopg.connect(**{**conn_params, "connect_timeout": PROBE_SECONDS}).close()
        except psycopg.OperationalError:
            breaker.failed()
            # Lets all who wait go, and the next pool start with new connections.
            if pool := self._connection_pools.pop(self.alias, None):
                pool.close(timeout=0)
            raise
        breaker.worked()
