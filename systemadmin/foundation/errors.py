"""The ways a request can be refused; each becomes one RFC 9457 problem."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from django.utils.translation import gettext_lazy as _

FieldError = dict[str, Any]


def field_error(field: str, detail: Any, code: str = "invalid") -> FieldError:
    """Return what is wrong with a field, for `errors` of a refusal."""
    return {"field": field, "code": code, "detail": detail}


class DomainError(Exception):
    """A refusal with a status, a stable code and a sentence for the caller."""

    status: int = 400
    code: str = "error"
    title: Any = _("The request was refused.")
    default_detail: Any = ""

    def __init__(
        self,
        detail: Any = None,
        *,
        code: str | None = None,
        errors: list[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.detail = detail if detail is not None else (self.default_detail or self.title)
        self.code = code or self.code
        self.errors = errors or []
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(self.detail)

    def __str__(self) -> str:
        parts = [str(self.detail)] + [f"{e['field']}: {e['detail']}" for e in self.errors]
        return " ".join(part for part in parts if part)


class InvalidInput(DomainError):
    """400: one or more fields are wrong; nothing was done."""

    status = 400
    code = "invalid"
    title = _("The input is not valid.")

    def __init__(
        self,
        field: str | Mapping[str, Any] = "",
        detail: Any = None,
        *,
        code: str = "invalid",
        **kwargs: Any,
    ) -> None:
        messages = field if isinstance(field, Mapping) else {field: detail or self.title}
        errors = [
            field_error(name, text, code)
            for name, texts in messages.items()
            for text in (texts if isinstance(texts, list | tuple) else [texts])
        ]
        super().__init__(self.title, errors=errors, **kwargs)

    @classmethod
    def of(cls, errors: list[FieldError]) -> Self:
        """Return the refusal of several fields, each with a code of its own."""
        refusal = cls()
        refusal.errors = errors
        return refusal


@contextmanager
def noting(errors: list[FieldError]) -> Iterator[None]:
    """Add what a check refuses to `errors`, so that the next field is checked too."""
    try:
        yield
    except InvalidInput as refusal:
        errors += refusal.errors


class NotAllowed(DomainError):
    """403: the caller may not do this."""

    status = 403
    code = "permission_denied"
    title = _("You do not have permission to do this.")


class NotFound(DomainError):
    """404: it does not exist, or not for this caller."""

    status = 404
    code = "not_found"
    title = _("Not found.")


class RuleViolation(DomainError):
    """409: well-formed and permitted, but a rule of the desk refuses it now."""

    status = 409
    code = "rule_violation"
    title = _("The rules do not allow this now.")


class StaleVersion(DomainError):
    """412: someone changed the object since the caller read it."""

    status = 412
    code = "stale_version"
    title = _("The object has changed since you read it.")


class TooLarge(DomainError):
    """413: the upload or body is over the limit."""

    status = 413
    code = "too_large"
    title = _("The request is too large.")


class Unprocessable(DomainError):
    """422: understood, but contradicts something said before."""

    status = 422
    code = "unprocessable"
    title = _("The request cannot be processed.")


class Unavailable(DomainError):
    """503: try again later."""

    status = 503
    code = "unavailable"
    title = _("The service is not available now.")

    def __init__(self, detail: Any = None, *, retry_after: int = 30, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.headers.setdefault("Retry-After", str(retry_after))


class Deferred(Exception):
    """The act was rolled back whole: it waits for somebody else's decision.

    No refusal, so nothing that reports refusals may swallow it. The API, the admin and the
    commands each keep a request for it once the transaction is over.
    """

    def each(self) -> list["Deferred"]:
        """Return the acts that wait."""
        return [self]


class DeferredTogether(Deferred):
    """Several acts of one call wait."""

    def __init__(self, found: list[Deferred]) -> None:
        super().__init__()
        self.found = found

    def each(self) -> list[Deferred]:
        """Return the acts that wait."""
        return self.found
