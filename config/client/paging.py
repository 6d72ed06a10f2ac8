"""Lists: iterate and the pages come by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from .base import decode

T = TypeVar("T")


class Pages(Generic[T]):
    """A list of the API, by page number or by cursor: both end when `next` is null.

    for ticket in client.admin.tickets.list(status=["new"]): …   # all of them, page by page
    client.admin.tickets.list(page_size=10).first_page()          # ten of them, one request
    """

    def __init__(self, fetch: Callable[[str | None], dict[str, Any]], kind: type[T]) -> None:
        self._fetch = fetch
        self._kind = kind

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[list[T]]:
        """Yield page by page; a page is fetched when it is asked for."""
        following: str | None = None
        while True:
            body = self._fetch(following)
            yield self._items(body)
            following = body.get("next")
            if not following:
                return

    def first_page(self) -> list[T]:
        """Return the first page only."""
        return self._items(self._fetch(None))

    def first(self) -> T | None:
        """Return the first object, or None of an empty list."""
        return next(iter(self.first_page()), None)

    def count(self) -> int | None:
        """Return how many there are in all; None for cursor lists, which do not count."""
        return self._fetch(None).get("count")

    def _items(self, body: dict[str, Any]) -> list[T]:
        return [decode(self._kind, one) for one in body["results"]]
