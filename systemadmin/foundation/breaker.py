"""A circuit breaker: after a failure callers are refused at once, and one at a time tries again."""

import threading
import time
from typing import Final

# How long after a failed attempt everybody is refused without another.
RETRY_SECONDS: Final = 1.0
# How long one attempt may take.
PROBE_SECONDS: Final = 3


class CircuitBreaker:
    """Whether a server was away at the last attempt; one per server and process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = False
        self._retry_at = 0.0

    def may_try(self) -> bool:
        """Say whether the caller may connect: everybody if closed, one per second if open."""
        if not self._is_open:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._retry_at:
                return False
            self._retry_at = now + PROBE_SECONDS + RETRY_SECONDS
            return True

    @property
    def is_open(self) -> bool:
        """Whether callers are being refused."""
        return self._is_open

    def failed(self) -> bool:
        """Refuse everybody for a moment; True when the server was there until now."""
        with self._lock:
            was_closed = not self._is_open
            self._is_open = True
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return was_closed

    def worked(self) -> None:
        """Close the breaker after a success, so that calls go through again."""
        self._is_open = False
