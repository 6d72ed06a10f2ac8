"""Signs of life of a web process to its supervisor (`config/serve.py`).

A thread sends one every second. It cannot when another thread keeps the interpreter, and it does
not when requests stand still: every thread is busy and none has ended or begun for a while, or the
event loop does not turn.
"""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from systemadmin.foundation.signs_of_life import SOCKET_VARIABLE, send_sign_of_life

THREADS_VARIABLE = "ATALAYA_LIVENESS_THREADS"
BEAT_SECONDS = 1.0
# All threads busy for so long without one request that ended: nothing moves any more.
STANDSTILL_SECONDS = 90
# An event loop turns many times a second; this is one that hangs.
LOOP_SECONDS = 20


class Liveness:
    """What the beating thread knows of the requests of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.in_flight = 0
        self.moved_at = time.monotonic()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.turned_at = time.monotonic()

    def begin(self) -> None:
        """Note that a request begins."""
        with self.lock:
            self.in_flight += 1
            self.moved_at = time.monotonic()

    def end(self) -> None:
        """Note that a request ended."""
        with self.lock:
            self.in_flight -= 1
            self.moved_at = time.monotonic()

    def is_alive(self, threads: int) -> bool:
        """Return whether requests are answered, as far as this process can see."""
        now = time.monotonic()
        if self.loop is not None:
            with suppress(RuntimeError):  # it was closed: the process is about to end
                self.loop.call_soon_threadsafe(self._turned)
            return now - self.turned_at < LOOP_SECONDS
        with self.lock:
            is_full = bool(threads) and self.in_flight >= threads
            return not is_full or now - self.moved_at < STANDSTILL_SECONDS

    def _turned(self) -> None:
        self.turned_at = time.monotonic()


liveness = Liveness()


def watched_wsgi(
    application: Callable[..., Iterable[bytes]], threads: int = 0
) -> Callable[..., Iterable[bytes]]:
    """Return the application, with its requests counted while a supervisor listens.

    `threads` is how many answer requests, where granian is not told (its RSGI interface).
    """
    if not _start(threads):
        return application

    def counted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        liveness.begin()
        try:
            return application(environ, start_response)
        finally:
            liveness.end()

    return counted


def watched_asgi(application: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return the application, with its event loop watched while a supervisor listens."""
    if not _start():
        return application

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if liveness.loop is None:
            liveness.turned_at = time.monotonic()
            liveness.loop = asyncio.get_running_loop()
        await application(scope, receive, send)

    return watched


def _start(threads: int = 0) -> bool:
    path = os.environ.get(SOCKET_VARIABLE, "")
    if path:
        threading.Thread(target=_beat, args=(threads,), name="liveness", daemon=True).start()
    return bool(path)


def _beat(threads: int) -> None:
    wanted = os.environ.get(THREADS_VARIABLE, "")
    threads = int(wanted) if wanted.isdecimal() else threads
    while True:
        if liveness.is_alive(threads):
            send_sign_of_life()
        time.sleep(BEAT_SECONDS)
