"""What every generated group of operations can do."""

from __future__ import annotations

from typing import Any, TypeVar, cast
from urllib.parse import quote as _quote

from .base import Model, decode
from .paging import Pages
from .transport import Download, Transport

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=Model)

# What `if_match` takes: an object as it was read, its ETag, or its version.
Version = Model | str | int


def quote(value: object) -> str:
    """Return a value as one segment of a path."""
    return _quote(str(value), safe="")


def etag_of(version: Version | None) -> str | None:
    """Return the `If-Match` header for what was read; refuses an object without a version."""
    if isinstance(version, Model):
        found = version.etag or _from_field(version)
        if found is None:
            raise ValueError(f"{type(version).__name__} carries no version to compare with")
        return found
    if isinstance(version, int):
        return f'"{version}"'
    return version


def _from_field(version: Model) -> str | None:
    number = getattr(version, "version", None)
    return f'"{number}"' if isinstance(number, int) else None


class Group:
    """Operations that share the first part of their path."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _one(self, kind: type[T], method: str, path: str, **request: Any) -> T:
        """Send and return one object, with the ETag it came with."""
        response = self._transport.send(method, path, **request)
        found = decode(kind, response.json())
        if isinstance(found, Model) and "ETag" in response.headers:
            object.__setattr__(found, "etag", response.headers["ETag"])
        return cast(T, found)

    def _none(self, method: str, path: str, **request: Any) -> None:
        self._transport.send(method, path, **request)

    def _pages(self, kind: type[ModelT], path: str, query: dict[str, Any]) -> Pages[ModelT]:
        def fetch(link: str | None) -> Any:
            if link is None:
                return self._transport.send("GET", path, query=query).json()
            return self._transport.follow(link).json()

        return Pages(fetch, kind)

    def _file(self, path: str, query: dict[str, Any] | None = None) -> Download:
        return Download(self._transport, path, query)
