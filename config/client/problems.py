"""Refusals of the API (RFC 9457 problems) as exceptions, one class a meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KNOWN = {"type", "title", "status", "detail", "code", "request_id", "errors"}


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field."""

    field: str
    code: str
    detail: str


class ProblemError(Exception):
    """The API refused. Quote `request_id` when you ask about it."""

    def __init__(
        self, status: int, body: dict[str, Any] | None = None, retry_after: float | None = None
    ) -> None:
        body = body or {}
        self.status = status
        self.code = str(body.get("code", "unknown"))
        self.title = str(body.get("title", f"HTTP {status}"))
        self.detail = str(body.get("detail", self.title))
        self.request_id = str(body.get("request_id", ""))
        self.errors = [
            FieldError(str(one["field"]), str(one["code"]), str(one["detail"]))
            for one in body.get("errors", [])
        ]
        # What a rule says besides, such as the current version or what is already there.
        self.extra = {name: value for name, value in body.items() if name not in KNOWN}
        self.retry_after = retry_after
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        fields = "".join(f" {one.field}: {one.detail}" for one in self.errors)
        return f"{self.status} {self.code}: {self.detail}{fields}"


class InvalidInput(ProblemError):
    """400: a field is wrong; nothing was done. `errors` says which."""


class NotSignedIn(ProblemError):
    """401: no token, or it has expired or was revoked."""


class Forbidden(ProblemError):
    """403: this account may not."""


class NotFound(ProblemError):
    """404: it does not exist, or not for this account."""


class Conflict(ProblemError):
    """409: a rule refuses it in the present state; `code` says which rule."""


class StaleVersion(ProblemError):
    """412: someone changed it since you read it."""


class KeyReused(ProblemError):
    """422: the idempotency key was used before for another request."""


class RateLimited(ProblemError):
    """429: too many requests; `retry_after` seconds from now it is free again."""


class Unavailable(ProblemError):
    """503: maintenance, or a part is down."""


class ServerFault(ProblemError):
    """Any other 5xx: a fault of the service."""


BY_STATUS: dict[int, type[ProblemError]] = {
    400: InvalidInput,
    401: NotSignedIn,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: StaleVersion,
    422: KeyReused,
    429: RateLimited,
    503: Unavailable,
}


def problem(status: int, body: Any, retry_after: float | None = None) -> ProblemError:
    """Return the exception for an answer of 400 or more."""
    kind = BY_STATUS.get(status, ServerFault if status >= 500 else ProblemError)
    return kind(status, body if isinstance(body, dict) else None, retry_after)
