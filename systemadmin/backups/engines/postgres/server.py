"""What the parts of the PostgreSQL engine need of it: its databases, connections and limits."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

import psycopg

from systemadmin.backups.engines import process
from systemadmin.backups.engines.base import Scratch
from systemadmin.backups.engines.postgres.connector import SnapshotConnector

Connection = psycopg.Connection[Any]


class Server(Protocol):
    """The live database and the server around it."""

    limits: process.Limits
    connector: SnapshotConnector

    @property
    def database(self) -> str:
        """The name of the live database."""
        ...

    def version(self) -> str:
        """Return the version of the server."""
        ...

    def exists(self) -> bool:
        """Return whether the live database is there."""
        ...

    def may_swap(self) -> bool:
        """Return whether a database can be made beside the live one and take its place."""
        ...

    def connect(self, scratch: Scratch | None = None) -> AbstractContextManager[Connection]:
        """Return a connection to a scratch database, or to the live one."""
        ...

    def admin(self) -> AbstractContextManager[Connection]:
        """Return a connection that outlives the live database."""
        ...

    def scratch(self, purpose: str, *, keep: bool = False) -> AbstractContextManager[Scratch]:
        """Return an empty database beside the live one."""
        ...
