"""Batches: due rows worked through one by one, where a row that raises holds up no other.

Each row has a transaction of its own. What raises is rolled back alone, its error goes on a list
that staff see, and it is tried again after a growing wait until it is given up. Rows that wait or
were given up are left out when the next ones are chosen, so that they cannot fill every batch.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

logger = logging.getLogger("atalaya.batches")
K = TypeVar("K")
T = TypeVar("T")

# More keys than this are not listed in one query; whoever has so many has an alert, too.
MOST_HELD = 5000


class State(StrEnum):
    """Where a row stands that failed."""

    DUE = "due"
    WAITING = "waiting"
    GIVEN_UP = "given_up"


class FailureList(Protocol):
    """Where failures are kept; the base app has the table (`settings.BATCH_FAILURES`)."""

    def known(self, batch: str) -> dict[str, State]:
        """Return the keys that failed, each with its state."""

    def failed(self, batch: str, key: str, error: BaseException) -> None:
        """Record one more failure of a row."""

    def succeeded(self, batch: str, key: str) -> None:
        """Forget the failures of a row that went through."""


def _failures() -> FailureList:
    return cast(FailureList, import_module(settings.BATCH_FAILURES))


_registered: dict[str, "Batch"] = {}


def registered() -> dict[str, "Batch"]:
    """Return every batch of the loaded modules by name."""
    return dict(_registered)


@dataclass(frozen=True)
class Batch:
    """One kind of work on rows. `name` is `app.what_it_does`, the same for ever."""

    name: str
    # False for work that must not run inside a transaction (it talks to others meanwhile).
    is_atomic: bool = True

    def __post_init__(self) -> None:
        _registered[self.name] = self

    def known(self, *states: State) -> list[str]:
        """Return the keys of rows that failed and are in one of these states."""
        return [key for key, state in _failures().known(self.name).items() if state in states]

    def held(self) -> list[str]:
        """Return the keys that are not to be tried now."""
        return self.known(State.WAITING, State.GIVEN_UP)[:MOST_HELD]

    def due(self, rows: QuerySet[Any], limit: int | None = None) -> list[Any]:
        """Return primary keys in the order of `rows`, without those that are held back."""
        if held := self.held():
            rows = rows.exclude(pk__in=held)
        return list(rows.values_list("pk", flat=True)[:limit])

    def each(
        self, keys: Iterable[K], act: Callable[[K], T], *, ends: tuple[type[Exception], ...] = ()
    ) -> list[T]:
        """Return `act(key)` of every key that did not raise; those that failed before come last.

        An exception of `ends` is noted and raised again: with it nothing else can go on (a
        connection that broke).
        """
        keys = list(keys)
        known = _failures().known(self.name) if keys else {}
        results = []
        for key in sorted(keys, key=lambda key: str(key) in known):
            if known.get(str(key), State.DUE) == State.DUE:
                results += self._one(key, act, str(key) in known, ends)
        return results

    def parts(self, **parts: Callable[[], T]) -> dict[str, T]:
        """Call each function and return what those that did not raise returned, by name.

        For the few parts of one job: they are on the list as rows are, and tried every time.
        """
        known = _failures().known(self.name)
        return {
            name: result
            for name, part in parts.items()
            for result in self._one(name, lambda _name, part=part: part(), name in known, ())
        }

    def together(
        self, items: Sequence[K], act: Callable[[Sequence[K]], Any], key: Callable[[K], Any] = str
    ) -> int:
        """Act on all at once; when that raises, on each half, down to the items that raise.

        For work that is quick only in bulk. Items held back are left out. Returns how many went
        through.
        """
        held = set(self.held())
        items = [item for item in items if str(key(item)) not in held]
        return self._together(items, act, key)

    def _together(
        self, items: Sequence[K], act: Callable[[Sequence[K]], Any], key: Callable[[K], Any]
    ) -> int:
        if len(items) < 2:
            by_key = {str(key(item)): item for item in items}
            return len(self.each(by_key, lambda name: act([by_key[name]])))
        try:
            with transaction.atomic():
                act(items)
            return len(items)
        except Exception:
            logger.warning("a batch goes on in halves", extra={"batch": self.name}, exc_info=True)
        middle = len(items) // 2
        halves = (items[:middle], items[middle:])
        return sum(self._together(half, act, key) for half in halves)

    def _one(
        self, key: K, act: Callable[[K], T], has_failed: bool, ends: tuple[type[Exception], ...]
    ) -> list[T]:
        try:
            with transaction.atomic() if self.is_atomic else nullcontext():
                result = act(key)
        except Exception as error:
            self._note(key, error)
            if isinstance(error, ends):
                raise
            return []
        except BaseException as stop:
            # The queue's time-out: this row took the time of all the others.
            self._note(key, stop)
            raise
        if has_failed:
            _failures().succeeded(self.name, str(key))
        return [result]

    def _note(self, key: object, error: BaseException) -> None:
        logger.error(
            "a row of a batch raised",
            extra={"batch": self.name, "row": str(key)},
            exc_info=error,
        )
        _failures().failed(self.name, str(key), error)
