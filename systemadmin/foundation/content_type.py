"""The check of a content type that runs before Django builds the request.

Django decodes query strings and forms by the `charset` that the client names, and any codec of
Python will do for it: `bz2` and `zlib` unpack, `punycode` and `idna` are quadratic, `hex` and
`rot13` raise while the request is built, where nobody can answer. So the entry points put the
application behind these checks, and `request_encoding.py` answers what they hold back. Nothing
here needs Django: the entry points import it before the settings are loaded.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

# Where the entry points leave a content type that Django must not see.
REFUSED_KEY: Final = "atalaya.refused_content_type"
HARMLESS_TYPE: Final = "application/octet-stream"
LONGEST_CONTENT_TYPE: Final = 300
_UTF8_NAMES: Final = frozenset({"utf-8", "utf8"})

_TOKEN = r"[A-Za-z0-9!#$%&'+.^_`|~-]++"  # noqa: S105 - a token of RFC 9110, less the asterisk
_VALUE = r"""(?:"(?:[^"\\\x00-\x1f\x7f-\xff]|\\[\x20-\x7e])*+"|[^\s;"\x00-\x1f\x7f-\xff]++)"""
_PARAMETER = re.compile(rf"[ \t]*+;[ \t]*+(?:({_TOKEN})=({_VALUE}))?+")
_TYPE = re.compile(rf"[ \t]*+{_TOKEN}/{_TOKEN}")


def content_type_is_plain(raw: str) -> bool:
    """Return whether a Content-Type can be read in one way only and names no charset but UTF-8."""
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
