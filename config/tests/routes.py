"""All API routes, read from the resolver: what exists, not what someone listed."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

NOT_OURS = ("api/schema", "api/docs")


def walk(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield every leaf pattern with its full route."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, route)
        else:
            yield route, pattern


def readable(route: str) -> str:
    """`admin/users/(?P<pk>[0-9]{1,18})/risk$` -> `/api/admin/users/{pk}/risk`."""
    text, depth, name = "", 0, ""
    index = 0
    while index < len(route):
        if route.startswith("(?P<", index) and depth == 0:
            name = route[index + 4 : route.index(">", index)]
            depth, index = 1, route.index(">", index) + 1
            continue
        char = route[index]
        if depth:
            depth += (char == "(") - (char == ")")
            if depth == 0:
                text += "{" + name + "}"
        elif route.startswith("<", index):
            end = route.index(">", index)
            text += "{" + route[index + 1 : end].split(":")[-1] + "}"
            index = end
        elif char not in "^$\\":
            text += char
        index += 1
    return "/" + text.rstrip("/?")


def normal(path: str) -> str:
    """Paths are compared whatever their placeholders are called."""
    parts = ["{}" if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


def api_routes() -> Iterator[tuple[str, str, type, str]]:
    """Yield (method, path, view class, action) of every API endpoint."""
    for route, pattern in walk(get_resolver().url_patterns):
        if not route.lstrip("^").startswith("api/") or route.startswith(NOT_OURS):
            continue
        callback = pattern.callback
        view = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
        actions = getattr(callback, "actions", None) or {}
        for method, action in actions.items():
            if method != "head":
                yield method.upper(), readable(route.replace("^", "")), view, action
