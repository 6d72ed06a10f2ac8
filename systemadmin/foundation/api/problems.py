"""RFC 9457: every refusal and every failure of the API as `application/problem+json`."""

import logging
import sys
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from systemadmin.foundation.context import current
from systemadmin.foundation.errors import (
    Deferred,
    DomainError,
    InvalidInput,
    NotAllowed,
    NotFound,
    RuleViolation,
    TooLarge,
    Unavailable,
    field_error,
)
from systemadmin.foundation.parsing import Unreadable

logger = logging.getLogger("atalaya.api")

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:atalaya:problem:"
# DRF's own texts of these have places for what was sent; a title is the same for all of a kind.
TITLES: dict[type[Exception], Any] = {
    exceptions.MethodNotAllowed: gettext_lazy("This method is not allowed here."),
    exceptions.UnsupportedMediaType: gettext_lazy("This type of content is not taken here."),
}


def problem_body(
    *, status: int, code: str, title: str, detail: str = "", errors: Any = None, **extra: Any
) -> dict[str, Any]:
    """Return one problem object with the members that docs/api.md lists."""
    body = {
        "type": TYPE_PREFIX + code,
        "title": str(title),
        "status": status,
        "detail": str(detail or title),
        "code": code,
        "request_id": current().request_id,
        **extra,
    }
    if errors:
        body["errors"] = errors
    return body


def problem_response(error: DomainError) -> Response:
    """Return the DRF response for a domain error."""
    body = problem_body(
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=[{**item, "detail": str(item["detail"])} for item in error.errors],
        **error.extra,
    )
    return Response(body, status=error.status, headers=error.headers, content_type=CONTENT_TYPE)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Turn any exception of a view into a problem; nothing escapes as HTML or plain text."""
    set_rollback()
    request = context.get("request")
    if isinstance(exc, Deferred):
        return _deferred(exc, request)
    if isinstance(exc, DomainError):
        return problem_response(exc)
    if isinstance(exc, exceptions.APIException):
        return _from_drf(exc)
    translated = _translate(exc)
    if translated is not None:
        return problem_response(translated)
    return _unexpected(exc, getattr(request, "_request", request))


def _deferred(exc: Deferred, request: Any) -> Response:
    """Keep a request for an act that waits for somebody else, and answer 202 with it."""
    try:
        response: Response = import_module(settings.DEFERRED_ACTS).keep_and_answer(exc, request)
    except DomainError as refusal:
        return problem_response(refusal)
    return response


def _translate(exc: Exception) -> DomainError | None:
    if isinstance(exc, ValidationError):
        return from_validation_error(exc)
    if isinstance(exc, Http404):
        return NotFound()
    if isinstance(exc, PermissionDenied):
        return NotAllowed()
    if isinstance(exc, RequestDataTooBig):
        return TooLarge()
    if isinstance(exc, SuspiciousOperation | Unreadable):
        return InvalidInput("", str(exc) or None, code=getattr(exc, "code", "suspicious"))
    if isinstance(exc, IntegrityError):
        logger.warning("integrity error answered as 409", exc_info=exc)
        return RuleViolation(_("It conflicts with what is already stored."), code="conflict")
    if isinstance(exc, DataError):
        return InvalidInput("", _("A value is out of range."), code="out_of_range")
    if isinstance(exc, OperationalError | InterfaceError):
        logger.error("database not available", exc_info=exc)
        return database_down()
    return None


def from_validation_error(exc: ValidationError) -> InvalidInput:
    """Translate Django's validation error, field by field."""
    errors = []
    by_field = exc.error_dict if hasattr(exc, "error_dict") else {"": exc.error_list}
    for field, items in by_field.items():
        name = "" if field == "__all__" else field
        for item in items:
            message = " ".join(str(text) for text in item.messages)
            errors.append(field_error(name, message, item.code or "invalid"))
    return InvalidInput.of(errors)


def flatten(detail: Any, prefix: str = "") -> list[dict[str, str]]:
    """Flatten DRF's nested error detail into `[{field, code, detail}]`, dotted names."""
    if isinstance(detail, dict):
        return [
            error
            for name, item in detail.items()
            for error in flatten(item, _join(prefix, str(name)))
        ]
    if isinstance(detail, list):
        found = []
        for position, item in enumerate(detail):
            nested = isinstance(item, dict | list)
            found += flatten(item, _join(prefix, str(position)) if nested else prefix)
        return found
    return [field_error(prefix, str(detail), getattr(detail, "code", "invalid"))]


def _join(prefix: str, name: str) -> str:
    if name == "non_field_errors":
        return prefix
    return f"{prefix}.{name}" if prefix else name


def _from_drf(exc: exceptions.APIException) -> Response:
    headers: dict[str, str] = {}
    auth_header = getattr(exc, "auth_header", None)
    if auth_header:
        headers["WWW-Authenticate"] = auth_header
    wait = getattr(exc, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(max(1, int(wait + 0.999)))
    title: Any
    detail: Any
    if isinstance(exc, exceptions.ValidationError):
        title, detail, code = InvalidInput.title, InvalidInput.title, "invalid"
        errors = flatten(exc.detail)
    else:
        title, errors = TITLES.get(type(exc), exc.default_detail), None
        detail = exc.detail
        code = str(exc.get_codes()) if isinstance(exc.get_codes(), str) else exc.default_code
    body = problem_body(
        status=exc.status_code, code=code, title=title, detail=detail, errors=errors
    )
    return Response(body, status=exc.status_code, headers=headers, content_type=CONTENT_TYPE)


def database_down() -> Unavailable:
    """Return the refusal for a database that does not answer."""
    return Unavailable(
        _("The database is not available."), code="database_unavailable", retry_after=10
    )


def _unexpected(exc: Exception, request: HttpRequest | None) -> Response:
    logger.error("unhandled error", exc_info=exc)
    # Django's own signal, so that the alert is raised as for any other failure.
    got_request_exception.send(sender=None, request=request)
    body = problem_body(
        status=500, code="internal_error", title=_("Something went wrong on our side.")
    )
    return Response(body, status=500, content_type=CONTENT_TYPE)


# -- outside DRF: unknown paths, lock-out, failures in middleware ---------------------


def plain_problem(error: DomainError) -> JsonResponse:
    """Return a problem from plain Django code (middleware, error handlers)."""
    body = problem_body(
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=[{**item, "detail": str(item["detail"])} for item in error.errors],
    )
    return JsonResponse(body, status=error.status, headers=error.headers, content_type=CONTENT_TYPE)


def wants_problem(request: HttpRequest) -> bool:
    """Return True where a client, not a browser, is asking."""
    return request.path.startswith("/api/")


@csrf_exempt
def unknown_call(request: HttpRequest) -> HttpResponse:
    """Answer every other address below `/api/`; with DEBUG Django would show a page of its own."""
    return plain_problem(NotFound(_("There is no such call. See /api/docs.")))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    if wants_problem(request):
        return plain_problem(NotFound())
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400."""
    if wants_problem(request):
        if isinstance(exception, DomainError):
            return plain_problem(exception)
        error = TooLarge() if isinstance(exception, RequestDataTooBig) else InvalidInput("", "")
        error.errors = []
        return plain_problem(error)
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    if wants_problem(request):
        return plain_problem(NotAllowed())
    return defaults.permission_denied(request, exception)


def maintenance_response(request: HttpRequest, refusal: DomainError) -> HttpResponse:
    """Answer while hard maintenance is in force: a problem for clients, a page for browsers."""
    if wants_problem(request):
        return plain_problem(refusal)
    context = {"title": refusal.title, "message": refusal.detail, **refusal.extra}
    response = render(request, "maintenance.html", context, status=refusal.status)
    for name, value in refusal.headers.items():
        response[name] = value
    return response


def is_database_down() -> bool:
    """Return whether the failure being handled is a database that does not answer."""
    return isinstance(sys.exc_info()[1], OperationalError | InterfaceError)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: a database that does not answer is a 503 that says so."""
    if is_database_down():
        return maintenance_response(request, database_down())
    if wants_problem(request):
        error = DomainError(code="internal_error")
        error.status, error.title = 500, _("Something went wrong on our side.")
        error.detail = error.title
        return plain_problem(error)
    return defaults.server_error(request)


class LockedOut(DomainError):
    """429: too many failed sign-ins for this name from this address."""

    status = 429
    code = "locked_out"


def locked_out(
    request: HttpRequest, original_response: Any = None, credentials: Any = None
) -> HttpResponse:
    """django-axes' answer to a locked name and address: a problem, not plain text."""
    if original_response is not None and original_response.status_code == LockedOut.status:
        return original_response  # the sign-in itself said so, and knows for how long
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    error = LockedOut(
        _("Too many failed sign-ins. Try again later."), headers={"Retry-After": str(seconds)}
    )
    error.title = _("Too many failed sign-ins.")
    if wants_problem(request):
        return plain_problem(error)
    return HttpResponse(str(error.detail), status=429, headers=error.headers)
