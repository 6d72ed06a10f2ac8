"""A document of another server, kept in this process and read again only when that is needed."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from systemadmin.foundation.outgoing_fetch import FetchFailed, fetch

logger = logging.getLogger("atalaya.remote_document")

Content = TypeVar("Content")

MOST_BYTES: Final = 256 * 1024
FRESH_SECONDS: Final = 3600.0


def _accept_any(_content: object) -> bool:
    return True


class RemoteDocument(Generic[Content]):
    """A document that is read at first use and again once an hour.

    `url` says where it is and `parse` what its bytes mean; `parse` raises `ValueError` for bytes
    that cannot be used. `seconds_between_reads` is the shortest time between two attempts, also
    after a failure. While the server is away the old content is used, for `usable_seconds` at most.
    """

    def __init__(
        self,
        name: str,
        url: Callable[[], str],
        parse: Callable[[bytes], Content],
        *,
        fetch_seconds: float,
        seconds_between_reads: float,
        usable_seconds: float = float("inf"),
    ) -> None:
        self._name, self._url, self._parse = name, url, parse
        self.fetch_seconds = fetch_seconds
        self.seconds_between_reads = seconds_between_reads
        self.usable_seconds = usable_seconds
        self.fresh_seconds = FRESH_SECONDS
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Forget what was read, so that tests start anew."""
        self._content: Content | None = None
        self._read_at = self._tried_at = float("-inf")

    def read(self, is_enough: Callable[[Content], bool] = _accept_any) -> Content | None:
        """Return the content; None if there is none, or only one that is too old to use.

        Content that is not enough for the caller is read again, like content that is an hour old.
        """
        usable = self._usable()
        has_enough = usable is not None and is_enough(usable)
        if not has_enough or time.monotonic() - self._read_at > self.fresh_seconds:
            self._read_again(waits=not has_enough)
        return self._usable()

    def _usable(self) -> Content | None:
        is_usable = time.monotonic() - self._read_at <= self.usable_seconds
        return self._content if is_usable else None

    def _read_again(self, *, waits: bool) -> None:
        # One thread asks. Another one that has nothing to go on with waits for that answer, as long
        # as an answer may take.
        if not self._lock.acquire(blocking=waits, timeout=self.fetch_seconds if waits else -1):
            return
        try:
            if time.monotonic() - self._tried_at < self.seconds_between_reads:
                return
            self._tried_at = time.monotonic()
            body = fetch(self._url(), seconds=self.fetch_seconds, most_bytes=MOST_BYTES)
            self._content = self._parse(body)
            self._read_at = time.monotonic()
        except (FetchFailed, ValueError, RecursionError) as failure:
            logger.error("%s cannot be used: %s", self._name, failure)
        finally:
            self._lock.release()
