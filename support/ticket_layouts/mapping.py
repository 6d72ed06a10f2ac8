"""A mapping file: how it changes a layout for one installation's own fields."""

from collections.abc import Mapping
from typing import Any

from support.ticket_layouts.layouts import PRIORITIES, STATUSES, Layout


class BadMapping(ValueError):
    """A mapping file is not what it should be; the text says where."""


def with_mapping(layout: Layout, mapping: Any) -> Layout:
    """Return a layout changed by what a mapping file says; raises `BadMapping`."""
    if not isinstance(mapping, dict):
        raise BadMapping("a JSON object")
    known = {"ticket", "message", "messages", "status", "priority", "columns"}
    if set(mapping) - known:
        raise BadMapping(f"unknown: {', '.join(sorted(map(str, set(mapping) - known)))[:200]}")
    return Layout(
        ticket={**layout.ticket, **_paths(mapping, "ticket", layout.ticket)},
        message={**layout.message, **_paths(mapping, "message", layout.message)},
        messages=_path(mapping["messages"]) if "messages" in mapping else layout.messages,
        status={**layout.status, **_words(mapping, "status", set(STATUSES))},
        priority={**layout.priority, **_words(mapping, "priority", set(PRIORITIES))},
        columns=_words(mapping, "columns", None),
    )


def _path(value: Any) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadMapping(f"a path or a list of paths: {value!r:.100}")
    return tuple(found)


def _paths(mapping: Any, part: str, known: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    pairs = mapping.get(part, {})
    if not isinstance(pairs, dict) or set(pairs) - set(known):
        raise BadMapping(f"{part}: an object of {', '.join(known)}")
    return {name: _path(value) for name, value in pairs.items()}


def _words(mapping: Any, part: str, allowed: set[str] | None) -> dict[str, str]:
    pairs = mapping.get(part, {})
    if not isinstance(pairs, dict) or not all(isinstance(one, str) for one in pairs.values()):
        raise BadMapping(f"{part}: an object of words")
    if allowed is not None and set(pairs.values()) - allowed:
        raise BadMapping(f"{part}: one of {', '.join(sorted(allowed))}")
    return {name if allowed is None else name.lower(): value for name, value in pairs.items()}
