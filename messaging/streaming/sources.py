"""What wakes the hub: PostgreSQL notifications, Redis, or looking every second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

import psycopg
import redis.asyncio
from django.conf import settings
from django.db import connection

from messaging.services.wake import CHANNEL, wake_method

logger = logging.getLogger("atalaya.messaging.stream")

POLL_SECONDS = 1.0
_RECONNECT_SECONDS = 2.0


class Wakeable(Protocol):
    """The part of the hub that a source needs."""

    def wake(self, user_ids: Iterable[int]) -> None: ...

    async def look(self) -> None: ...

    async def run(self, function: Any, *args: Any) -> Any: ...


async def listen(hub: Wakeable) -> None:
    """Wake the hub for as long as the process lives; a lost connection is made again."""
    method = await hub.run(wake_method)
    source = {"postgresql": _from_postgresql, "redis": _from_redis}.get(method, _by_polling)
    while True:
        try:
            await source(hub)
        except (psycopg.Error, redis.RedisError, OSError):
            logger.warning("the %s listener is down; trying again", method, exc_info=True)
        await asyncio.sleep(_RECONNECT_SECONDS)
        # Whatever was announced meanwhile has been missed.
        await _look(hub)


async def _look(hub: Wakeable) -> None:
    try:
        await hub.look()
    except Exception:
        logger.warning("positions could not be read", exc_info=True)


async def _by_polling(hub: Wakeable) -> None:
    while True:
        await asyncio.sleep(POLL_SECONDS)
        await _look(hub)


async def _from_postgresql(hub: Wakeable) -> None:
    """One connection for the whole process, outside the pool."""
    parameters = {
        name: value
        for name, value in connection.get_connection_params().items()
        if name in {"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"}
    }
    async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as listener:
        await listener.execute(f"LISTEN {CHANNEL}")
        await _look(hub)
        async for notice in listener.notifies():
            hub.wake(_ids(notice.payload))


async def _from_redis(hub: Wakeable) -> None:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    async with client, client.pubsub() as channel:
        await channel.subscribe(CHANNEL)
        await _look(hub)
        async for notice in channel.listen():
            if notice["type"] == "message":
                hub.wake(_ids(notice["data"].decode()))


def _ids(payload: str) -> list[int]:
    return [int(part) for part in payload.split(",") if part.isdecimal()]
