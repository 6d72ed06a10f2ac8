"""A hint to the processes that hold event streams: someone's journal has grown.

Only a hint: every process also looks by itself now and then, so a lost one costs seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from itertools import islice
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction

from systemadmin.foundation.configuration import setting
from systemadmin.foundation.redis_cache import connection_options, guarded

logger = logging.getLogger("atalaya.messaging")

CHANNEL = "messaging_stream"
# PostgreSQL takes payloads below 8,000 bytes.
_IDS_PER_NOTICE = 400


def wake_method() -> str:
    """Return what wakes streams here: `postgresql`, `redis` or `poll`."""
    chosen = setting("messaging.stream_wake")
    has_redis = bool(settings.REDIS_URL)
    if chosen == "redis" and has_redis:
        return "redis"
    if chosen in ("auto", "postgresql") and connection.vendor == "postgresql":
        return "postgresql"
    if chosen == "auto" and has_redis:
        return "redis"
    return "poll"


def wake(user_ids: Iterable[int]) -> None:
    """Announce, with the commit, that these members have something new."""
    method = wake_method()
    if method == "postgresql":
        with connection.cursor() as cursor:
            for payload in _payloads(user_ids):
                # Delivered by the server when, and only when, the transaction commits.
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
    elif method == "redis":
        payloads = list(_payloads(user_ids))
        transaction.on_commit(lambda: _publish(payloads), robust=True)


def _payloads(user_ids: Iterable[int]) -> Iterator[str]:
    ids = iter(sorted(user_ids))
    while chunk := list(islice(ids, _IDS_PER_NOTICE)):
        yield ",".join(map(str, chunk))


@lru_cache(maxsize=1)
def _redis_client() -> Any:
    return redis.Redis.from_url(
        settings.REDIS_URL, health_check_interval=30, **connection_options()
    )


def _publish(payloads: list[str]) -> None:
    try:
        client = _redis_client()
        for payload in payloads:
            guarded(settings.REDIS_URL, partial(client.publish, CHANNEL, payload))
    except Exception:
        logger.warning("event streams were not woken; they will look by themselves", exc_info=True)
