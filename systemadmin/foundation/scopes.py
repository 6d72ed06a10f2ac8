"""What a caller with less than a sign-in may do: the scope that a call needs, and what it holds.

A scope is the first part of the path below `/api/` and `read` (GET) or `write` (the rest), such as
`tickets:read`. Sign-in itself (`/api/auth/…`) has none: nothing but a sign-in opens it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.translation import gettext as _

from systemadmin.foundation.parsing import Unreadable

ACT_FOR: Final = "Act-For"
READ: Final = ("GET", "HEAD", "OPTIONS")
_CLOSED: Final = frozenset({"auth", "admin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """`request.auth` of a call that is no sign-in.

    `scopes` are what it may do as a member; None is a service itself, which is no member.
    `acts_for`: the member was named by `Act-For`.
    `counted_as` is the account that its calls are counted under, at `rate` where it has its own.
    """

    scopes: frozenset[str] | None
    acts_for: bool = False
    counted_as: int | None = None
    rate: str = ""
    source: object = None


def scope_of(method: str | None, path: str) -> str | None:
    """Return the scope that a call needs; None where no scope opens it."""
    parts = path.strip("/").split("/")
    area = parts[1].strip("$") if len(parts) > 1 else ""
    if parts[0] != "api" or not area or area in _CLOSED:
        return None
    return f"{area}:{'read' if method in READ else 'write'}"


@lru_cache(maxsize=1)
def known_scopes() -> tuple[str, ...]:
    """Return every scope that some endpoint asks for, in order."""
    return tuple(sorted(_scopes_below(get_resolver().url_patterns, "")))


def _scopes_below(patterns: Any, prefix: str) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            found |= _scopes_below(pattern.url_patterns, route)
        elif route.startswith("api/"):
            found |= _scopes_of(pattern, route)
    return found


def _scopes_of(pattern: URLPattern, route: str) -> set[str]:
    view = getattr(pattern.callback, "cls", None)
    access = getattr(view, "access", {})
    actions = getattr(pattern.callback, "actions", None) or {}
    methods = [
        method.upper()
        for method, action in actions.items()
        if getattr(access.get(action, access.get("default")), "value", "") == "member"
    ]
    scopes = {scope_of(method, f"/{route}") for method in methods}
    return {scope for scope in scopes if scope is not None}


def parse_scopes(scopes: list[str]) -> list[str]:
    """Return scopes in order, each once; raises `Unreadable` for one that nothing asks for."""
    unknown = sorted(set(scopes) - set(known_scopes()))
    if unknown:
        raise Unreadable(_("One of: %(known)s.") % {"known": ", ".join(known_scopes())})
    return sorted(set(scopes))
