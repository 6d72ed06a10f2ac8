"""Requests are UTF-8, or they are refused before anything decodes them.

Django decodes query strings and forms by the `charset` that the client names, and any codec of
Python will do for it: `bz2` and `zlib` unpack, `punycode` and `idna` are quadratic, `hex` and
`rot13` raise. What cannot be decoded is replaced without a word. So the charset is checked before
Django builds the request (`utf8_only_wsgi`, `utf8_only_asgi`), and query strings and forms before
anything reads them (`Utf8Middleware`). Multipart forms are checked in `uploads.py`, JSON in
`strict_json.py`.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.api.problems import plain_problem, wants_problem
from systemadmin.foundation.errors import DomainError, InvalidInput, TooLarge

logger = logging.getLogger("atalaya.input")

# Where the entry points leave a content type that Django must not see.
REFUSED_KEY: Final = "atalaya.refused_content_type"
HARMLESS_TYPE: Final = "application/octet-stream"
LONGEST_CONTENT_TYPE: Final = 300
_UTF8_NAMES: Final = frozenset({"utf-8", "utf8"})
_FORM: Final = "application/x-www-form-urlencoded"

_TOKEN = r"[A-Za-z0-9!#$%&'+.^_`|~-]++"  # noqa: S105 - a token of RFC 9110, less the asterisk
_VALUE = r"""(?:"(?:[^"\\\x00-\x1f\x7f-\xff]|\\[\x20-\x7e])*+"|[^\s;"\x00-\x1f\x7f-\xff]++)"""
_PARAMETER = re.compile(rf"[ \t]*+;[ \t]*+(?:({_TOKEN})=({_VALUE}))?+")
_TYPE = re.compile(rf"[ \t]*+{_TOKEN}/{_TOKEN}")
# Octets that are not ASCII, and NUL, as they are or percent-encoded: all else is UTF-8 as it is.
_NOT_PLAIN = re.compile(rb"[\x00\x80-\xff]|%(?:00|[89A-Fa-f])")
_LONGEST_NAME: Final = 100


class NotUtf8(DomainError):
    """415: the client names another encoding than UTF-8, or one that cannot be read."""

    status = 415
    code = "unsupported_charset"
    title = _("Requests are read as UTF-8 only.")


class RefusedForm(InvalidInput, BadRequest):
    """400: a form that cannot be read; to Django's handlers it is a bad request."""


def content_type_is_plain(raw: str) -> bool:
    """Whether a Content-Type can be read in one way only and names no charset but UTF-8."""
    if not raw.strip():
        return True
    if len(raw) > LONGEST_CONTENT_TYPE:
        return False
    parameters = header_parameters(raw, _TYPE, _PARAMETER)
    return parameters is not None and parameters.get("charset", "utf-8").lower() in _UTF8_NAMES


def header_parameters(
    raw: str, main: re.Pattern[str], parameter: re.Pattern[str]
) -> dict[str, str] | None:
    """Return the parameters of a header by name; None for a header that is not plain.

    A name that stands twice is not plain: one reader would take the first, another the last.
    """
    raw = raw.rstrip(" \t")
    found, read = main.match(raw), dict[str, str]()
    while found is not None and found.end() < len(raw):
        found = parameter.match(raw, found.end())
        name = (found[1] or "").lower() if found else ""
        if found is None or name in read:
            return None
        if name:
            read[name] = found[2].removeprefix('"').removesuffix('"')
    return None if found is None else read


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


# -- before Django -----------------------------------------------------------------------


def utf8_only_wsgi(application: Callable[..., Any]) -> Callable[..., Any]:
    """Return the application behind the check of the content type."""

    def door(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        named = environ.get("CONTENT_TYPE", "")
        if not content_type_is_plain(named):
            environ[REFUSED_KEY] = named
            environ["CONTENT_TYPE"] = HARMLESS_TYPE
        return application(environ, start_response)

    return door


def utf8_only_asgi(application: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return the application behind the check of the content type and of the raw query."""

    async def door(scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if scope["type"] == "http":
            scope = _harmless(scope)
        return await application(scope, receive, send)

    return door


def _harmless(scope: dict[str, Any]) -> dict[str, Any]:
    headers = list(scope.get("headers", []))
    types = [value for name, value in headers if name.lower() == b"content-type"]
    named = b",".join(types).decode("latin-1")
    # Octets that are no ASCII are percent-encoded: Django would answer them without a request id.
    query = bytes(scope.get("query_string", b""))
    scope = {**scope, "query_string": re.sub(rb"[\x80-\xff]", _percent, query)}
    if not content_type_is_plain(named):
        kept = [(name, value) for name, value in headers if name.lower() != b"content-type"]
        scope["headers"] = [*kept, (b"content-type", HARMLESS_TYPE.encode())]
        scope[REFUSED_KEY] = named
    return scope


def _percent(octet: re.Match[bytes]) -> bytes:
    return b"%%%02X" % octet[0][0]


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
    if "\x00" in request.path_info:
        return not_text("path")
    field = undecodable_field(_octets(request.META.get("QUERY_STRING", "")))
    return None if field is None else not_text(field)


def _octets(query: str) -> bytes:
    """The query as it came: WSGI gives octets as Latin-1, ASGI gives text."""
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
