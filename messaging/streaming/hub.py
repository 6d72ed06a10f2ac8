"""The hub of a process: open streams, what wakes them, and one reader for all of them.

Streams pull: a woken one asks the hub for what comes after its own cursor, and the hub answers
everyone who asks at the same moment with one read. Nothing is buffered for a slow client, so
nothing can overflow.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.db import connections

from messaging import stream_format
from messaging.streaming.journal import Asked, News, positions_of, read_news, still_valid
from messaging.streaming.sources import listen
from systemadmin.foundation.configuration import setting

logger = logging.getLogger("atalaya.messaging.stream")

Result = TypeVar("Result")

RETRY_MS = 3000
# Readers of the database for all streams of a process.
_READERS = 2
_LARGEST_READ = 100


@dataclass(eq=False, slots=True)
class Stream:
    """One open connection of a member."""

    user_id: int
    token_id: str | None
    position: int | None
    expires: float
    session_key: str | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_closing: bool = False

    def may_go_on(self, users: set[int], valid: set[str]) -> bool:
        """Return whether the account and what it signed in with are among those that stand."""
        access = self.token_id or self.session_key
        return self.user_id in users and (not access or access in valid)

    def close(self) -> None:
        """End the stream at its next step; the client comes back with its cursor."""
        self.is_closing = True
        self.woken.set()


class Hub:
    """All streams of one event loop."""

    def __init__(self) -> None:
        self.streams: dict[int, list[Stream]] = defaultdict(list)
        # Read by the threads of requests too, which must not walk through `streams`.
        self.open_count = 0
        self.readers = ThreadPoolExecutor(_READERS, thread_name_prefix="stream-reader")
        self.asked: dict[Asked, asyncio.Future[News]] = {}
        self.has_asked = asyncio.Event()
        self.tasks: list[asyncio.Task] = []

    # -- life of a stream ------------------------------------------------------------

    async def serve(self, stream: Stream) -> AsyncIterator[bytes]:
        """Yield everything one connection is sent, until it ends."""
        self.most_streams = await self.run(setting, "messaging.streams_per_member")
        heartbeat = float(await self.run(setting, "messaging.stream_heartbeat_seconds"))
        self._open(stream)
        try:
            yield stream_format.retry(RETRY_MS)
            while not stream.is_closing and time.monotonic() < stream.expires:
                stream.woken.clear()
                async for frame in self._catch_up(stream):
                    yield frame
                try:
                    await asyncio.wait_for(stream.woken.wait(), heartbeat)
                except TimeoutError:
                    yield stream_format.comment("alive")
        finally:
            self._drop(stream)

    async def _catch_up(self, stream: Stream) -> AsyncIterator[bytes]:
        while True:
            news = await self._ask(Asked(stream.user_id, stream.position))
            if news.frames:
                yield b"".join(news.frames)
            stream.position = news.position
            if not news.has_more:
                return

    def _open(self, stream: Stream) -> None:
        self._start()
        mine = self.streams[stream.user_id]
        mine.append(stream)
        self.open_count += 1
        most = self.most_streams
        for oldest in mine[: max(0, len(mine) - most)]:
            oldest.close()

    most_streams = 8

    def _drop(self, stream: Stream) -> None:
        mine = self.streams.get(stream.user_id, [])
        if stream in mine:
            mine.remove(stream)
            self.open_count -= 1
        if not mine:
            self.streams.pop(stream.user_id, None)

    def wake(self, user_ids: Iterable[int]) -> None:
        """Wake the streams of these members: they have something new."""
        for user_id in user_ids:
            for stream in self.streams.get(user_id, ()):
                stream.woken.set()

    # -- reading ---------------------------------------------------------------------

    async def run(self, function: Callable[..., Result], *args: Any) -> Result:
        """Run a blocking read in the hub's own few threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.readers, _call, function, args)

    def _ask(self, asked: Asked) -> asyncio.Future[News]:
        future = self.asked.get(asked)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self.asked[asked] = future
            self.has_asked.set()
        # One stream that goes away must not cancel the answer of another.
        return asyncio.shield(future)

    async def _answer(self) -> None:
        while True:
            await self.has_asked.wait()
            batch = dict(list(self.asked.items())[:_LARGEST_READ])
            for asked in batch:
                del self.asked[asked]
            if not self.asked:
                self.has_asked.clear()
            try:
                news = await self.run(read_news, list(batch))
            except Exception:
                logger.exception("the journal could not be read; these streams end")
                self._end(batch)
                continue
            for asked, future in batch.items():
                if not future.done():
                    future.set_result(news[asked])

    def _end(self, batch: dict[Asked, asyncio.Future[News]]) -> None:
        for asked, future in batch.items():
            for stream in self.streams.get(asked.user_id, ()):
                stream.close()
            if not future.done():
                future.set_result(News(asked.after or 0))

    # -- background ------------------------------------------------------------------

    def _start(self) -> None:
        if not any(task.done() for task in self.tasks) and self.tasks:
            return
        for task in self.tasks:
            task.cancel()
        self.tasks = [
            asyncio.create_task(self._answer()),
            asyncio.create_task(listen(self)),
            asyncio.create_task(self._look_after()),
        ]

    async def _look_after(self) -> None:
        """Every few seconds: what a lost hint left behind, and whose right to listen has ended."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                await self.look()
                await self._check_rights()
            except Exception:
                logger.warning("streams could not be looked after", exc_info=True)

    async def look(self) -> None:
        """Wake every stream that is behind its journal."""
        if not self.streams:
            return
        positions = await self.run(positions_of, list(self.streams))
        self.wake(
            user_id
            for user_id, position in positions.items()
            if any(stream.position != position for stream in self.streams.get(user_id, ()))
        )

    async def _check_rights(self) -> None:
        self.most_streams = await self.run(setting, "messaging.streams_per_member")
        streams = [stream for mine in self.streams.values() for stream in mine]
        if not streams:
            return
        tokens = [stream.token_id for stream in streams if stream.token_id]
        keys = [stream.session_key for stream in streams if stream.session_key]
        users, valid = await self.run(still_valid, [s.user_id for s in streams], tokens, keys)
        for stream in streams:
            if not stream.may_go_on(users, valid):
                stream.close()


# An ended session, token or account loses its streams within this time.
_LOOK_EVERY = 5.0
_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def open_streams() -> int:
    """Return how many streams this process holds open."""
    return sum(one.open_count for one in list(_hubs.values()))


def _call(function: Callable[..., Result], args: tuple[Any, ...]) -> Result:
    try:
        return function(*args)
    finally:
        # With a pool this gives the connection back; without, an idle one may have gone stale.
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
