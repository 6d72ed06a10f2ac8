"""Requests that may be repeated safely are; everything else is told as it is."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from .base import Unset, encode
from .problems import ProblemError, problem

REPEATABLE = {"GET", "HEAD", "PUT", "DELETE"}
# The service has not done it: it was refused at the door, or is being done under this key.
REFUSED_FOR_NOW = {429, 503}
GATEWAYS = {502, 504}


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long: a wait that would pass `longest_wait` is not waited."""

    attempts: int = 4
    first_wait: float = 0.5
    longest_wait: float = 30.0

    def wait(self, attempt: int, asked: float | None) -> float:
        """Return seconds before the next attempt: what the service asks, else doubling."""
        if asked is not None:
            return asked
        backoff = self.first_wait * 2 ** (attempt - 1)
        # Spread, so that clients that failed together do not come back together.
        return min(backoff, self.longest_wait) * random.uniform(0.5, 1.0)  # noqa: S311


class Transport:
    """One connection pool, one token, one retry policy."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        timeout: float = 30.0,
        retry: RetryPolicy | None = None,
        language: str | None = None,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.token = token
        self.retry = retry or RetryPolicy()
        self.language = language
        self.http = http or httpx.Client(timeout=timeout)
        self.sleep = sleep

    def send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str | None] | None = None,
        keyed: bool = False,
        key: str | None = None,
    ) -> httpx.Response:
        """Send, repeat where that is safe, and return the answer; raises `ProblemError`."""
        sent = {name: value for name, value in (headers or {}).items() if value is not None}
        if keyed:
            # Made once for all attempts: that is what makes a repetition harmless.
            sent["Idempotency-Key"] = key or str(uuid.uuid4())
        request = {"headers": self.headers(sent), "params": _query(query), **_content(body)}
        safe = method in REPEATABLE or keyed
        attempt = 1
        while True:
            wait: float | None = None
            try:
                response = self.http.request(method, self.base_url + path, **request)
            except httpx.TransportError:
                if not safe or attempt >= self.retry.attempts:
                    raise
            else:
                if response.status_code < 400:
                    return response
                refusal = read_problem(response)
                if attempt >= self.retry.attempts or not self._may_repeat(refusal, safe):
                    raise refusal
                wait = refusal.retry_after
            self.sleep(self.retry.wait(attempt, wait))
            attempt += 1

    def _may_repeat(self, refusal: ProblemError, safe: bool) -> bool:
        if refusal.retry_after is not None and refusal.retry_after > self.retry.longest_wait:
            return False
        if refusal.status in REFUSED_FOR_NOW:
            return safe or refusal.retry_after is not None
        if refusal.code == "idempotency_key_in_flight":
            return True
        return safe and refusal.status in GATEWAYS

    def headers(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """Return the headers of every request."""
        found = {"Accept": "application/json", "User-Agent": "atalaya-client/1"}
        if self.token:
            found["Authorization"] = f"Bearer {self.token}"
        if self.language:
            found["Accept-Language"] = self.language
        return {**found, **(more or {})}

    def follow(self, link: str) -> httpx.Response:
        """Get a `next` link at our own address: the token goes nowhere else."""
        parts = urlsplit(link)
        own = urlsplit(self.base_url).path
        path = parts.path.removeprefix(own) if own else parts.path
        return self.send("GET", f"{path}?{parts.query}" if parts.query else path)


class Download:
    """A file of the API, fetched when it is read."""

    def __init__(self, transport: Transport, path: str, query: dict[str, Any] | None) -> None:
        self._transport, self._path, self._query = transport, path, query

    def read(self) -> bytes:
        """Return the whole file."""
        return self._transport.send("GET", self._path, query=self._query).content

    def text(self) -> str:
        """Return the whole file as text."""
        return self.read().decode()

    def save(self, target: str | Path) -> Path:
        """Write the file to `target` piece by piece, however large it is."""
        target = Path(target)
        with self._open() as response, target.open("wb") as out:
            for piece in response.iter_bytes():
                out.write(piece)
        return target

    @contextmanager
    def _open(self) -> Iterator[httpx.Response]:
        transport = self._transport
        with transport.http.stream(
            "GET",
            transport.base_url + self._path,
            params=_query(self._query),
            headers=transport.headers(),
        ) as response:
            if response.status_code >= 400:
                response.read()
                raise read_problem(response)
            yield response


def _query(query: dict[str, Any] | None) -> dict[str, Any] | None:
    found = {name: _plain(one) for name, one in encode(query or {}).items() if one is not None}
    # None and not {}: an empty dictionary would strip the query that a `next` link carries.
    return found or None


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _content(body: Any) -> dict[str, Any]:
    """Return httpx's arguments: JSON, or multipart where the body holds files."""
    if body is None:
        return {}
    fields = {name: one for name, one in body.items() if not isinstance(one, Unset)}
    files = [(name, one) for name, value in fields.items() for one in _uploads(value)]
    if not files:
        return {"json": encode(fields)}
    rest = {name: one for name, one in fields.items() if not _uploads(one) and one is not None}
    return {"files": files, "data": {name: _plain(one) for name, one in encode(rest).items()}}


def _uploads(value: Any) -> list[tuple[str, bytes]]:
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], bytes):
        return [value]
    if isinstance(value, (list, tuple)) and value and all(_uploads(one) for one in value):
        return [one for upload in value for one in _uploads(upload)]
    return []


def read_problem(response: httpx.Response) -> ProblemError:
    """Return the refusal that an answer of 400 or more is."""
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        body = None
    return problem(response.status_code, body, _seconds(response.headers.get("Retry-After")))


def _seconds(retry_after: str | None) -> float | None:
    if retry_after is None:
        return None
    if retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
