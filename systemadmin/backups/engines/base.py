"""What both database engines offer to the services: dump, load into a scratch, swap in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from systemadmin.backups.format.manifest import Manifest, Table

Write = Callable[[bytes], object]


@dataclass(frozen=True)
class Snapshot:
    """The moment a dump shows: counts, checksums and migrations are of that very moment."""

    taken_at: datetime
    tables: dict[str, Table]
    migrations: list[str]
    extensions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scratch:
    """A database beside the live one: where it is, and how a child process reaches it."""

    name: str
    url: str


@dataclass(frozen=True)
class Swap:
    """How the restored database took the live one's place."""

    method: str
    seconds: float
    kept_as: str = ""
    warnings: list[str] = field(default_factory=list)


class Engine(Protocol):
    """The live database of one alias, seen from outside Django's connections."""

    name: str
    suffix: str
    packs_itself: bool
    swap_method: str

    @property
    def database(self) -> str: ...

    def version(self) -> str: ...

    def exists(self) -> bool: ...

    def lock(self, *, timeout: float = 0) -> AbstractContextManager[bool]:
        """Return the lock of all backup work on this database; it lives outside the database."""
        ...

    def may_swap(self) -> bool:
        """Return whether a scratch can be made and put in the live database's place."""
        ...

    def obstacle_to_swap(self) -> str:
        """Return why a scratch could not be made equal to the live database; empty when it can."""
        ...

    def obstacle_in_place(self) -> str:
        """Return why the live database's contents cannot be replaced; empty when they can."""
        ...

    def properties(self) -> dict[str, Any]:
        """Return what the live database is besides its contents, as JSON for a manifest."""
        ...

    def dump(self, write: Write) -> Snapshot: ...

    def scratch(self, purpose: str, *, keep: bool = False) -> AbstractContextManager[Scratch]:
        """Return an empty scratch database, dropped at the end whatever happens."""
        ...

    def load(self, scratch: Scratch, chunks: Iterator[bytes], manifest: Manifest) -> list[str]:
        """Fill the scratch; gives back warnings."""
        ...

    def tables(self, scratch: Scratch | None = None) -> dict[str, Table]:
        """Return counts and checksums of a scratch, or of the live database."""
        ...

    def connect(self, scratch: Scratch | None = None) -> AbstractContextManager[Any]:
        """Return a plain driver connection (autocommit) to a scratch, or to the live database."""
        ...

    def drain(self, seconds: float) -> None:
        """Wait at most this long for statements and transactions of others to end."""
        ...

    def swap(self, scratch: Scratch, manifest: Manifest) -> Swap:
        """Put the scratch in the live database's place, with the live one's properties.

        With those in the manifest where there is no live database. Raises `BackupError`; the
        live database is as it was then.
        """
        ...

    def sweep(self, *, keep_days: float) -> list[str]:
        """Drop what killed processes and old restores left behind."""
        ...
