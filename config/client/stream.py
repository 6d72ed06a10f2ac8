"""Server-sent events: what happens to me, resumed where the line broke."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from .problems import ProblemError
from .transport import Transport, read_problem


@dataclass(frozen=True)
class StreamEvent:
    """One event; docs/messaging.md lists the kinds and what `data` holds."""

    event: str
    data: Any
    id: str | None = None


class Lines:
    """Reads the event-stream format line by line."""

    def __init__(self) -> None:
        self.retry: float | None = None
        self._forget()

    def _forget(self) -> None:
        self._event = "message"
        self._data: list[str] = []
        self._id: str | None = None

    def feed(self, line: str) -> StreamEvent | None:
        """Take a line; return the event that it completes, if it does."""
        if not line:
            return self._complete()
        name, _colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            self._id = value
        elif name == "retry" and value.isdigit():
            self.retry = int(value) / 1000
        return None

    def _complete(self) -> StreamEvent | None:
        event, data, id_ = self._event, self._data, self._id
        self._forget()
        return StreamEvent(event, json.loads("\n".join(data)), id_) if data else None


def listen(
    transport: Transport,
    *,
    last_event_id: str | None = None,
    silence: float = 60.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[StreamEvent]:
    """Yield events for ever; a broken line is taken up after the last event seen.

    `silence` seconds without a byte (the service sends heartbeats) count as broken. Ends
    only with a refusal that time does not mend, such as a revoked token.
    """
    wait = 1.0
    while True:
        lines = Lines()
        try:
            for line in _connect(transport, last_event_id, silence):
                event = lines.feed(line)
                if event is not None:
                    last_event_id = event.id or last_event_id
                    yield event
        except httpx.TransportError:
            pass
        except ProblemError as refusal:
            if refusal.status not in {429, 502, 503, 504}:
                raise
            wait = refusal.retry_after or wait
        sleep(lines.retry if lines.retry is not None else wait)


def _connect(transport: Transport, last_event_id: str | None, silence: float) -> Iterator[str]:
    headers = {"Accept": "text/event-stream"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    with transport.http.stream(
        "GET",
        f"{transport.base_url}/api/messages/stream",
        headers=transport.headers(headers),
        timeout=httpx.Timeout(30.0, read=silence),
    ) as response:
        if response.status_code >= 400:
            response.read()
            raise read_problem(response)
        yield from response.iter_lines()
