"""Requests are UTF-8, or they are refused before anything decodes them.

What cannot be decoded Django replaces without a word. The charset is checked before Django builds
the request (`content_type.py`), query strings and forms before anything reads them
(`Utf8Middleware`), multipart forms in `uploads.py`, JSON in `strict_json.py`. A cookie made of
escapes is refused here too: Python up to 3.11.9 takes quadratic time to read it (CVE-2024-7592).
"""

import logging
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.api.problems import plain_problem, wants_problem
from systemadmin.foundation.content_type import REFUSED_KEY, content_type_is_plain
from systemadmin.foundation.errors import DomainError, InvalidInput, TooLarge

logger = logging.getLogger("atalaya.input")

_FORM: Final = "application/x-www-form-urlencoded"
# Octets that are not ASCII, and NUL, as they are or percent-encoded: all else is UTF-8 as it is.
_NOT_PLAIN = re.compile(rb"[\x00\x80-\xff]|%(?:00|[89A-Fa-f])")
_LONGEST_NAME: Final = 100
_MOST_COOKIE_ESCAPES: Final = 100


class NotUtf8(DomainError):
    """415: the client names another encoding than UTF-8, or one that cannot be read."""

    status = 415
    code = "unsupported_charset"
    title = _("Requests are read as UTF-8 only.")


class RefusedForm(InvalidInput, BadRequest):
    """400: a form that cannot be read; to Django's handlers it is a bad request."""


def undecodable_field(raw: bytes) -> str | None:
    """Return the name of the first field of a query or form that is not UTF-8 or holds NUL."""
    if _NOT_PLAIN.search(raw) is None or _is_text(raw):
        return None
    for part in raw.split(b"&"):
        if not _is_text(part):
            name = unquote_to_bytes(part.partition(b"=")[0].replace(b"+", b" "))
            return name[:_LONGEST_NAME].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return ""


def _is_text(raw: bytes) -> bool:
    octets = unquote_to_bytes(raw)
    if b"\x00" in octets:
        return False
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


# -- inside Django -----------------------------------------------------------------------


class Utf8Middleware:
    """Refuse content types, addresses and forms that are not UTF-8, saying which field."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        refusal = _refusal_of(request)
        return self.get_response(request) if refusal is None else _refuse(request, refusal)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        # No endpoint of the API takes such forms: it refuses them unread.
        if request.content_type != _FORM or wants_problem(request):
            return None
        try:
            field = undecodable_field(request.body)
        except RequestDataTooBig:
            return _refuse(request, TooLarge())
        return None if field is None else _refuse(request, not_text(field))


def not_text(field: str) -> InvalidInput:
    """Return the refusal of a field that is not text."""
    return RefusedForm(field, _("Send text as UTF-8, without NUL."), code="not_text")


def _refusal_of(request: HttpRequest) -> DomainError | None:
    scope = getattr(request, "scope", request.META)
    named = scope.get(REFUSED_KEY)
    if named is not None or not content_type_is_plain(request.META.get("CONTENT_TYPE", "")):
        return NotUtf8()
    if request.META.get("HTTP_COOKIE", "").count("\\") > _MOST_COOKIE_ESCAPES:
        return RefusedForm("Cookie", _("Too many escapes in a cookie."), code="too_many_escapes")
    if "\x00" in request.path_info:
        return not_text("path")
    field = undecodable_field(_octets(request.META.get("QUERY_STRING", "")))
    return None if field is None else not_text(field)


def _octets(query: str) -> bytes:
    """Return the query as it came: WSGI gives octets as Latin-1, ASGI gives text."""
    try:
        return query.encode("latin-1")
    except UnicodeEncodeError:
        return query.encode("utf-8", "surrogatepass")


def _refuse(request: HttpRequest, refusal: DomainError) -> HttpResponse:
    logger.info(
        "Refused a request that cannot be read: %s", refusal.code, extra={"code": refusal.code}
    )
    if wants_problem(request):
        return plain_problem(refusal)
    return HttpResponse(
        str(refusal), status=refusal.status, content_type="text/plain; charset=utf-8"
    )
