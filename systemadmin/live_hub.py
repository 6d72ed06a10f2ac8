"""Telling open pages of the admin that something changed, so that they ask for what they show.

One thread of a process looks at the newest rows of each topic that a page waits for, once in
`LOOK_EVERY` seconds, however many pages are open. Nothing is announced by whoever writes, so no
change can be forgotten, and it is the same on PostgreSQL and SQLite, with and without Redis.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from django.db import connections

from systemadmin.foundation.live_topics import Topic
from systemadmin.models import User, UserSession

logger = logging.getLogger("atalaya.live")
Result = TypeVar("Result")
Rows = frozenset[tuple[int, int]]

LOOK_EVERY: Final = 0.7
CHECK_EVERY: Final = 10.0
ALIVE_EVERY: Final = 25.0
# After this a page opens its stream anew, and its rights are read again.
LASTS: Final = 600.0
MOST_PAGES: Final = 5000
# Without an event loop a page comes back after this time and asks whether anything changed.
COME_BACK_MS: Final = 1500


@dataclass(eq=False, slots=True)
class Page:
    """One open page: the topics it waits for, and of a topic the one row that it shows."""

    user_id: int
    session_key: str | None
    topics: dict[str, Topic]
    watched: int | None = None
    marks: dict[str, int] = field(default_factory=dict)
    news: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ends_at: float = field(default_factory=lambda: time.monotonic() + LASTS)
    is_closing: bool = False

    def notify(self, names: Iterable[str]) -> None:
        """Let the page know at its next step."""
        self.news.update(names)
        self.woken.set()


def newest(rows: Rows) -> int:
    """Return the mark of a topic: the key of its newest row."""
    return max((key for key, _about in rows), default=0)


def parse_marks(text: str) -> dict[str, int]:
    """Return the marks that a page has seen, as we sent them: `tickets:12,work:34`."""
    pairs = (part.partition(":") for part in text[:200].split(","))
    return {name: int(mark) for name, _colon, mark in pairs if mark.isdecimal() and len(mark) < 19}


def frame(names: Iterable[str], marks: dict[str, int]) -> bytes:
    """Return the events of these topics with the marks to come back with."""
    mark = ",".join(f"{name}:{value}" for name, value in sorted(marks.items()))
    events = [f"event: {name}\nid: {mark}\ndata: {{}}\n\n" for name in sorted(names)]
    return "".join(events or [f"event: ready\nid: {mark}\ndata: {{}}\n\n"]).encode()


class LiveHub:
    """All open pages of one event loop."""

    def __init__(self) -> None:
        self.pages: set[Page] = set()
        self.known: dict[str, Rows] = {}
        self.reader = ThreadPoolExecutor(1, thread_name_prefix="live-reader")
        self.task: asyncio.Task | None = None

    async def serve(self, page: Page) -> AsyncIterator[bytes]:
        """Yield everything that one page is sent until it ends."""
        self.pages.add(page)
        self._start()
        try:
            yield f"retry: {COME_BACK_MS}\n\n".encode()
            yield frame(await self._missed(page), self._marks(page))
            while not page.is_closing and time.monotonic() < page.ends_at:
                try:
                    await asyncio.wait_for(page.woken.wait(), ALIVE_EVERY)
                except TimeoutError:
                    yield b": alive\n\n"
                    continue
                page.woken.clear()
                names, page.news = page.news, set()
                if names:
                    yield frame(names, self._marks(page))
        finally:
            self.pages.discard(page)

    async def _missed(self, page: Page) -> set[str]:
        """Return the topics that moved on since the page last had a stream."""
        for name, topic in page.topics.items():
            if name not in self.known:
                self.known[name] = await self._run(_rows, topic)
        return {
            name for name, mark in self._marks(page).items() if page.marks.get(name, mark) < mark
        }

    def _marks(self, page: Page) -> dict[str, int]:
        return {name: newest(self.known.get(name, frozenset())) for name in page.topics}

    async def _run(self, function: Callable[..., Result], *args: Any) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.reader, partial(_call, function, args))

    def _start(self) -> None:
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._look_on())

    async def _look_on(self) -> None:
        checked_at = time.monotonic()
        while self.pages:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self._look()
                if time.monotonic() - checked_at > CHECK_EVERY:
                    checked_at = time.monotonic()
                    await self._check_rights()
            except Exception:
                logger.warning("open pages could not be told", exc_info=True)
        # Whoever comes next begins with what is true then.
        self.known.clear()

    async def _look(self) -> None:
        topics = {name: one for page in self.pages for name, one in page.topics.items()}
        for name, topic in topics.items():
            rows = await self._run(_rows, topic)
            before = self.known.get(name)
            self.known[name] = rows
            # Rows that a slower transaction committed behind a newer one count as well.
            added = rows - before if before is not None else frozenset()
            if added:
                self._tell(name, {about for _key, about in added})

    def _tell(self, name: str, about: set[int]) -> None:
        for page in list(self.pages):
            if name in page.topics:
                is_shown = page.watched in about
                page.notify([name, f"{name}-shown"] if is_shown else [name])

    async def _check_rights(self) -> None:
        pages = list(self.pages)
        valid = await self._run(_still_valid, {(p.user_id, p.session_key) for p in pages})
        for page in pages:
            if (page.user_id, page.session_key) not in valid:
                page.is_closing = True
                page.woken.set()


def _rows(topic: Topic) -> Rows:
    return frozenset(topic.read())


def _still_valid(asked: set[tuple[int, str | None]]) -> set[tuple[int, str | None]]:
    """Return which of these accounts and sessions still stand."""
    users = set(
        User.objects.staff().filter(pk__in={pk for pk, _key in asked}).values_list("pk", flat=True)
    )
    keys = {key for _pk, key in asked if key}
    sessions = set(
        UserSession.objects.filter(session_key__in=keys).values_list("session_key", flat=True)
    )
    return {(pk, key) for pk, key in asked if pk in users and (key is None or key in sessions)}


def brief(page: Page) -> Iterator[bytes]:
    """Without an event loop: what changed, and when to come back. No thread waits."""
    known = {name: newest(_rows(topic)) for name, topic in page.topics.items()}
    missed = {name for name, mark in known.items() if page.marks.get(name, mark) < mark}
    if page.watched is not None:
        # Which row it was is not worth a second read: the page asks for what it shows.
        missed |= {f"{name}-shown" for name in missed}
    yield f"retry: {COME_BACK_MS}\n\n".encode()
    yield frame(missed, known)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, LiveHub] = WeakKeyDictionary()


def live_hub() -> LiveHub:
    """Return the hub of the running event loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), LiveHub())


def open_pages() -> int:
    """Return how many pages this process tells."""
    return sum(len(one.pages) for one in list(_hubs.values()))


def _call(function: Callable[..., Result], args: tuple[Any, ...]) -> Result:
    try:
        return function(*args)
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
