"""Rate limits by class (`read`, `write`, `login`, …), per user or address, exact between processes.

The figures are configuration (`ratelimit.read = "100/m"`) and hold from the next request on.
"""

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.dispatch import Signal
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError
from rest_framework.exceptions import APIException
from rest_framework.throttling import BaseThrottle

from systemadmin.foundation.addresses import network_of
from systemadmin.foundation.client_ip import client_ip
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import Unavailable
from systemadmin.foundation.parsing import parse_rate
from systemadmin.foundation.scopes import Grant

logger = logging.getLogger("atalaya.ratelimit")

# Of machines: one class for all that they read and write.
SERVICE = "service"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Without a count these could be guessed, or run over and over: they rather wait.
FAIL_CLOSED = frozenset({"login", "second_factor", "backup", "restore", "lookup"})
STORE_ERRORS = (RedisError, DatabaseError, OSError)
# After a failure the store is left alone for a moment, so that not every request waits for it.
BREAK_SECONDS = 1.0


class RateLimitUnavailable(Unavailable):
    """The store of the counters does not answer, and this kind of request must be counted."""

    code = "rate_limit_unavailable"
    default_detail = _("Requests cannot be counted now. Try again in a moment.")


flooded = Signal()  # ip, count: an address sent far more than any client does


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of one limit a caller has used."""

    name: str
    quota: int
    window: int
    remaining: int
    reset: int
    is_exceeded: bool

    def policy_header(self) -> str:
        return f'"{self.name}";q={self.quota};w={self.window}'

    def state_header(self) -> str:
        return f'"{self.name}";r={self.remaining};t={self.reset}'


class StoreFailures:
    """Counts in this process how often counting failed, and spares a dead store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self._broken_until = 0.0

    def is_broken(self) -> bool:
        return time.monotonic() < self._broken_until

    def note(self, rate_class: str, error: Exception | None) -> None:
        """Count one request that could not be counted; log once per pause, not once per request."""
        with self._lock:
            self.counts[rate_class] += 1
            is_news = not self.is_broken()
            if error is not None:
                self._broken_until = time.monotonic() + BREAK_SECONDS
        if is_news:
            logger.error("Rate limits cannot be counted: %s", error, extra={"limit": rate_class})

    def total(self) -> int:
        return self.counts.total()

    def forget(self) -> None:
        with self._lock:
            self.counts.clear()
            self._broken_until = 0.0


store_failures = StoreFailures()


def store_failure_count() -> float:
    """For the metrics: requests of this process that passed or were refused uncounted."""
    return float(store_failures.total())


def _note_uncounted(rate_class: str, error: Exception | None) -> None:
    """Note that a request could not be counted; refuse it where none may go uncounted."""
    store_failures.note(rate_class, error)
    if rate_class in FAIL_CLOSED:
        raise RateLimitUnavailable(retry_after=5) from error


def hit(
    request: HttpRequest, rate_class: str, *, user_id: int | None, rate: str = ""
) -> Usage | None:
    """Count one request and say how much is left; None when nothing was counted.

    `rate` is the caller's own, the setting's without it.

    Raises `RateLimitUnavailable` when counting fails and the class must not go uncounted.
    """
    quota, window = parse_rate(rate or setting(f"ratelimit.{rate_class}"))
    key = f"user:{user_id}" if user_id else f"ip:{network_of(client_ip(request))}"
    usage, error = None, None
    if not store_failures.is_broken():
        try:
            usage = get_usage(
                request, group=rate_class, key=lambda *_: key, rate=(quota, window), increment=True
            )
            if usage is None:  # RATELIMIT_ENABLE is off
                return None
        except STORE_ERRORS as caught:
            error = caught
    # "limit 0" is how django-ratelimit says that it got no count.
    if usage is None or usage["limit"] == 0:
        _note_uncounted(rate_class, error)
        return None
    if usage["count"] == setting("blocking.flood_per_minute") + 1 and window <= 60:
        flooded.send(sender=Usage, ip=client_ip(request), count=usage["count"])
    return Usage(
        name=rate_class,
        quota=quota,
        window=window,
        remaining=max(0, quota - usage["count"]),
        reset=max(0, usage["time_left"]),
        is_exceeded=usage["should_limit"],
    )


def ratelimit_headers(request: Any) -> dict[str, str]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers-11 for what this request used."""
    usages = getattr(getattr(request, "_request", request), "_atalaya_ratelimits", {})
    if not usages:
        return {}
    return {
        "RateLimit-Policy": ", ".join(usage.policy_header() for usage in usages.values()),
        "RateLimit": ", ".join(usage.state_header() for usage in usages.values()),
    }


def remember(request: HttpRequest, usage: Usage) -> None:
    """Keep what was used with the request, for the headers of its answer."""
    usages = request.__dict__.setdefault("_atalaya_ratelimits", {})
    usages[usage.name] = usage


def default_class(method: str | None) -> str:
    """Read may be many, write fewer."""
    return "read" if method in SAFE_METHODS else "write"


class ClassThrottle(BaseThrottle):
    """The DRF side: the view names its class by `rate_class_for(request)`."""

    usage: Usage | None = None

    def allow_request(self, request: Any, view: Any) -> bool:
        name = getattr(view, "rate_class_for", None)
        rate_class = name(request) if name else default_class(request.method)
        user_id, grant = _user_id(request), _grant(request)
        rate = ""
        if grant is not None and grant.counted_as is not None:
            user_id = grant.counted_as
            if rate_class in ("read", "write"):
                rate_class, rate = SERVICE, grant.rate
        self.usage = hit(request._request, rate_class, user_id=user_id, rate=rate)
        if self.usage is None:
            return True
        remember(request._request, self.usage)
        return not self.usage.is_exceeded

    def wait(self) -> float | None:
        # At least a second: "0" would invite an immediate retry into the same window.
        return float(max(1, self.usage.reset)) if self.usage else None


def _grant(request: Any) -> Grant | None:
    try:
        return request.auth if isinstance(request.auth, Grant) else None
    except APIException:
        return None


def _user_id(request: Any) -> int | None:
    try:
        return request.user.pk if request.user and request.user.is_authenticated else None
    except APIException:
        # A wrong token is refused later; here its sender is counted by address.
        return None
