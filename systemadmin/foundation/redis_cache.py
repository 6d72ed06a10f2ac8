"""Django's Redis cache, refused at once while the server is away.

Every call raises `redis.exceptions.RedisError` (or a subclass) then, so that a caller decides: a
limit that must be counted refuses, everything else goes on without the cache.
"""

import logging
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from systemadmin.foundation.breaker import CircuitBreaker

logger = logging.getLogger("atalaya.cache")

TIMEOUT_SECONDS: Final = 1.0

_breakers: dict[str, CircuitBreaker] = {}


class CacheAway(RedisConnectionError):
    """Redis did not answer a moment ago; this call was not sent."""


def connection_options() -> dict[str, Any]:
    """Return the time-outs of every connection to Redis.

    redis-py repeats a failed command three times by default, with growing pauses: a server that
    hangs would hold a request for seconds.
    """
    return {
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "socket_timeout": TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }


def breaker_of(url: str) -> CircuitBreaker:
    """Return this process's breaker for one Redis server."""
    return _breakers.setdefault(url, CircuitBreaker())


def guarded(url: str, call: Callable[[], Any]) -> Any:
    """Run one call to Redis; raise `CacheAway` at once while the server is known to be away."""
    breaker = breaker_of(url)
    if not breaker.may_try():
        raise CacheAway("Redis did not answer a moment ago")
    try:
        result = call()
    except (RedisConnectionError, RedisTimeoutError) as error:
        if breaker.failed():
            logger.error("Redis is away: %s", type(error).__name__)
        raise
    except Exception:
        _note_answer(breaker)
        raise
    _note_answer(breaker)
    return result


def _note_answer(breaker: CircuitBreaker) -> None:
    if breaker.is_open:
        breaker.worked()
        logger.warning("Redis answers again")


class _GuardedClient:
    """The client of Django's cache with each of its calls guarded."""

    def __init__(self, client: Any, url: str) -> None:
        self._client, self._url = client, url

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *args, **kwargs: guarded(self._url, lambda: method(*args, **kwargs))


class GuardedRedisCache(RedisCache):
    """The cache of `REDIS_URL`, with short time-outs and a circuit breaker per process."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = connection_options() | params.get("OPTIONS", {})
        super().__init__(server, {**params, "OPTIONS": options})

    @cached_property
    def _cache(self) -> Any:
        client = self._class(self._servers, **self._options)
        return _GuardedClient(client, self._servers[0])
