"""Django's PostgreSQL backend whose pool fails fast while the server is away.

psycopg's pool lets every caller wait its whole `timeout`, one after the other on a web server's few
threads: with the database gone a request would hang for minutes before it gets its 503. Here the
first caller that waits in vain asks the server directly. If that fails too, the circuit opens:
callers are refused at once, and one of them a second tries again.
"""

from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import PoolClosed, PoolTimeout

from systemadmin.foundation.breaker import PROBE_SECONDS, CircuitBreaker

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
