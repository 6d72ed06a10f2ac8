"""SQLite: copies through its own backup interface, out of and into the live file."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbbackup.db.sqlite import SqliteBackupConnector

from systemadmin.backups.engines.base import Scratch, Snapshot, Swap, Write
from systemadmin.backups.errors import BackupError, ContentMismatch, DatabaseBusy
from systemadmin.backups.format import fingerprint
from systemadmin.backups.format.manifest import Manifest, Table
from systemadmin.backups.format.stream import read_chunks
from systemadmin.foundation.locks import file_lock

BUSY_SECONDS = 60
SCRATCH = "backup-scratch-"
COMPANIONS = ("", "-wal", "-shm", "-journal")


class SafeSqliteConnector(SqliteBackupConnector):
    """django-dbbackup's connector for its settings; it must not write over a live file."""

    def create_dump(self) -> Any:
        raise BackupError("Use `manage.py dbbackup`: a dump needs its manifest.")

    def restore_dump(self, dump: Any) -> Any:
        raise BackupError("Use `manage.py restore_backup`: writing over a live file destroys it.")


class SqliteEngine:
    """The live file of one alias and the scratch files beside it."""

    name = "sqlite"
    suffix = ".sqlite3"
    packs_itself = False
    swap_method = "sqlite"

    def __init__(self, alias: str = "default", work_dir: Path | None = None) -> None:
        self.alias = alias
        self.connector = SafeSqliteConnector(alias)
        self.path = str(self.connector.settings["NAME"])
        in_memory = self.path.startswith("file:") or self.path == ":memory:"
        beside = Path(tempfile.gettempdir()) if in_memory else Path(self.path).parent
        # Beside the live file a copy is as well protected, and on as large a disk, as that is.
        self.work_dir = work_dir or beside

    @property
    def database(self) -> str:
        return Path(self.path).name

    def version(self) -> str:
        return sqlite3.sqlite_version

    def exists(self) -> bool:
        return self.path.startswith("file:") or Path(self.path).is_file()

    def lock(self, *, timeout: float = 0) -> contextlib.AbstractContextManager[bool]:
        return file_lock(self.work_dir / f".{_safe(self.database)}.backup.lock", timeout)

    @contextmanager
    def connect(self, scratch: Scratch | None = None) -> Iterator[sqlite3.Connection]:
        path = scratch.name if scratch else self.path
        with closing(_open(path, must_exist=True)) as connection:
            yield connection

    # -- out -------------------------------------------------------------------

    def dump(self, write: Write) -> Snapshot:
        """Copy in one step, so that no writer makes it start again, then count the copy."""
        with self.scratch("dump") as copy:
            with self.connect() as live, closing(_open(copy.name)) as target:
                moment = datetime.now(UTC)
                _copy(live, target)
                # A file of one piece, whatever journal the live one uses.
                target.execute("PRAGMA journal_mode = DELETE")
            with self.connect(copy) as connection:
                tables = fingerprint.of_sqlite(connection)
                migrations = _migrations(connection, tables)
            with open(copy.name, "rb") as file:
                for data in read_chunks(file):
                    write(data)
        return Snapshot(taken_at=moment, tables=tables, migrations=migrations)

    # -- in --------------------------------------------------------------------

    @contextmanager
    def scratch(self, purpose: str, *, keep: bool = False) -> Iterator[Scratch]:
        """Yield a directory of its own, readable by us alone, swept if we die."""
        folder = tempfile.mkdtemp(
            prefix=f"{SCRATCH}{_safe(self.database)}-{purpose}-", dir=self.work_dir
        )
        path = os.path.join(folder, "database.sqlite3")
        try:
            yield Scratch(path, f"sqlite:///{path}")
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)

    def load(self, scratch: Scratch, chunks: Iterator[bytes], manifest: Manifest) -> list[str]:
        with open(scratch.name, "wb") as file:
            for data in chunks:
                file.write(data)
        try:
            with self.connect(scratch) as connection:
                said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise ContentMismatch(f"The dump is not a whole SQLite database: {error}.") from error
        if said != "ok":
            raise ContentMismatch(f"The dump is not a whole SQLite database: {said}.")
        return []

    def tables(self, scratch: Scratch | None = None) -> dict[str, Table]:
        with self.connect(scratch) as connection:
            return fingerprint.of_sqlite(connection)

    def drain(self, seconds: float) -> None:
        """Nothing to wait for: the swap takes its turn among the writers of the file."""

    def swap(self, scratch: Scratch, manifest: Manifest) -> Swap:
        """Write the scratch into the live file as one transaction: whole, or as it was."""
        started = time.monotonic()
        try:
            self._write_into_live(scratch)
            return Swap("sqlite", time.monotonic() - started)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            # What lies there is no database any more; keep it for whoever wants to look.
            kept = self._set_aside()
            self._write_into_live(scratch)
            return Swap("sqlite", time.monotonic() - started, kept)

    def _write_into_live(self, scratch: Scratch) -> None:
        with self.connect(scratch) as source, closing(_open(self.path)) as live:
            live.execute("PRAGMA synchronous = FULL")
            _copy(source, live)

    def _set_aside(self) -> str:
        kept = f"{self.path}.damaged-{datetime.now(UTC):%Y%m%d%H%M%S}"
        for companion in COMPANIONS:
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path + companion, kept + companion)
        return Path(kept).name

    def may_swap(self) -> bool:
        return True

    def obstacle_to_swap(self) -> str:
        return ""

    def obstacle_in_place(self) -> str:
        return "Only PostgreSQL is restored in place."

    def properties(self) -> dict[str, Any]:
        """Return nothing: a file has no properties besides its contents."""
        return {}

    def sweep(self, *, keep_days: float) -> list[str]:
        """Remove scratch directories nobody works on; call it with the lock held."""
        swept = []
        for folder in self.work_dir.glob(f"{SCRATCH}{_safe(self.database)}-*"):
            shutil.rmtree(folder, ignore_errors=True)
            swept.append(folder.name)
        return swept


def _open(path: str, *, must_exist: bool = False) -> sqlite3.Connection:
    """Return a connection of our own in autocommit, unaware of Django's transactions."""
    is_uri = path.startswith("file:")
    if must_exist and not is_uri:
        path, is_uri = f"{Path(path).absolute().as_uri()}?mode=rw", True
    return sqlite3.connect(path, uri=is_uri, timeout=BUSY_SECONDS, isolation_level=None)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """All pages in one step; gives up when a session holds the lock for too long."""
    deadline = time.monotonic() + BUSY_SECONDS

    def watch(status: int, remaining: int, total: int) -> None:
        if time.monotonic() > deadline:
            raise DatabaseBusy("Another process kept the database locked for too long.")

    source.backup(target, pages=-1, progress=watch, sleep=0.05)


def _migrations(connection: sqlite3.Connection, tables: dict[str, Table]) -> list[str]:
    if "django_migrations" not in tables:
        return []
    rows = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY id")
    return [row[0] for row in rows]


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)[:40]
