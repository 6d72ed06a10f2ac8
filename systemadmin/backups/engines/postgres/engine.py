"""PostgreSQL: a dump from an exported snapshot, and restores into a new database beside it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connections

from systemadmin.backups.engines import process
from systemadmin.backups.engines.base import Scratch, Snapshot, Swap, Write
from systemadmin.backups.engines.postgres import in_place as postgres_in_place
from systemadmin.backups.engines.postgres import load as postgres_load
from systemadmin.backups.engines.postgres import properties
from systemadmin.backups.engines.postgres import stored_properties as postgres_properties
from systemadmin.backups.engines.postgres import swap as postgres_swap
from systemadmin.backups.engines.postgres.connector import SnapshotConnector
from systemadmin.backups.engines.postgres.names import kept_since, scratch_name, scratch_prefix
from systemadmin.backups.errors import DatabaseBusy
from systemadmin.backups.format import fingerprint
from systemadmin.backups.format.manifest import Manifest, Table
from systemadmin.foundation.locks import advisory_lock

MIGRATIONS = "SELECT app || '.' || name FROM django_migrations ORDER BY id"
MAINTENANCE_DATABASES = ("postgres", "template1")
CONNECT_SECONDS = 10


class PostgresEngine:
    """The live database of one alias and the databases beside it."""

    name = "postgresql"
    suffix = ".pgdump"
    packs_itself = True
    swap_method = "swap"

    def __init__(
        self, alias: str = "default", url: str = "", limits: process.Limits | None = None
    ) -> None:
        self.alias = alias
        self.url = url
        self.limits = limits or process.Limits()
        self.connector = SnapshotConnector(alias)

    @property
    def database(self) -> str:
        return str(self.connector.settings["NAME"])

    # -- connections -----------------------------------------------------------

    def _parameters(self) -> dict[str, Any]:
        parameters = connections[self.alias].get_connection_params()
        for name in ("cursor_factory", "context", "prepare_threshold", "dbname"):
            parameters.pop(name, None)
        return {**parameters, "connect_timeout": CONNECT_SECONDS, "application_name": "backup"}

    def open(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(**self._parameters(), dbname=database, autocommit=True)

    @contextmanager
    def connect(self, scratch: Scratch | None = None) -> Iterator[psycopg.Connection[Any]]:
        with self.open(scratch.name if scratch else self.database) as connection:
            connection.execute("SET idle_in_transaction_session_timeout = 0")
            connection.execute("SET statement_timeout = 0")
            yield connection

    @contextmanager
    def admin(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield a connection that outlives the live database: renames and locks happen there.

        Where only the live database lets us in, it is one to that: nothing is renamed then.
        """
        with self._open_maintenance() as connection:
            yield connection

    def _open_maintenance(self) -> psycopg.Connection[Any]:
        for database in MAINTENANCE_DATABASES:
            with suppress(psycopg.OperationalError):
                return self.open(database)
        return self.open(self.database)

    def exists(self) -> bool:
        with self.admin() as admin:
            found = admin.execute("SELECT FROM pg_database WHERE datname = %s", [self.database])
            return found.fetchone() is not None

    def version(self) -> str:
        with self.admin() as admin:
            return admin.info.parameter_status("server_version") or ""

    @contextmanager
    def lock(self, *, timeout: float = 0) -> Iterator[bool]:
        """Held in the maintenance database: it survives the swap and dies with the process."""
        with (
            self.admin() as connection,
            advisory_lock(connection, f"backup {self.database}", timeout) as got,
        ):
            yield got

    # -- out -------------------------------------------------------------------

    def dump(self, write: Write) -> Snapshot:
        """Dump and count from one exported snapshot, at the same time."""
        with self.connect() as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with connection.transaction(), ThreadPoolExecutor(1) as beside:
                moment = connection.execute("SELECT now()").fetchall()[0][0]
                snapshot = connection.execute("SELECT pg_export_snapshot()").fetchall()[0][0]
                migrations, extensions = self._state(connection)
                counting = beside.submit(fingerprint.of_postgres, connection)
                try:
                    for data in self._pg_dump(snapshot):
                        write(data)
                except BaseException:
                    # The counter would go on for minutes on a large table.
                    connection.cancel()
                    raise
                tables = counting.result()
        return Snapshot(
            taken_at=moment.astimezone(UTC),
            tables=self._without_excluded(tables),
            migrations=migrations,
            extensions=extensions,
        )

    def _pg_dump(self, snapshot: str) -> Iterator[bytes]:
        connector = self.connector
        command, env = connector.command(connector.dump_cmd, self.database)
        command += ["--format=custom", f"--snapshot={snapshot}", "--lock-wait-timeout=60s"]
        command += [f"--exclude-table-data={table}" for table in connector.exclude]
        return self._with_password(command, {**connector.dump_env, **env})

    def _with_password(self, command: list[str], env: dict[str, str]) -> Iterator[bytes]:
        with process.password_file(self.connector.settings.get("PASSWORD")) as secret:
            yield from process.stream(command, env={**env, **secret}, limits=self.limits)

    def _without_excluded(self, tables: dict[str, Table]) -> dict[str, Table]:
        excluded = {name.removeprefix("public.") for name in self.connector.exclude}
        return {n: Table(0) if n in excluded else t for n, t in tables.items()}

    @staticmethod
    def _state(connection: psycopg.Connection[Any]) -> tuple[list[str], list[str]]:
        has = connection.execute("SELECT to_regclass('public.django_migrations')").fetchone()
        migrations = connection.execute(MIGRATIONS).fetchall() if has and has[0] else []
        extensions = connection.execute(
            "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname"
        ).fetchall()
        return [row[0] for row in migrations], [row[0] for row in extensions]

    # -- in --------------------------------------------------------------------

    @contextmanager
    def scratch(self, purpose: str, *, keep: bool = False) -> Iterator[Scratch]:
        """Yield an empty database with the live one's encoding and collation."""
        if not self.may_swap():
            raise DatabaseBusy(
                "The database's role may not make a database beside the live one: "
                f"ALTER ROLE … CREATEDB, and make it the owner of {self.database}."
            )
        name = scratch_name(self.database, purpose, datetime.now(UTC))
        with self.admin() as admin:
            postgres_load.create_database(admin, name, like=self.database)
        try:
            yield Scratch(name, self._url(name))
        finally:
            if not keep:
                with self.admin() as admin:
                    postgres_load.drop_database(admin, name)

    def _url(self, database: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}")) if self.url else ""

    def load(self, scratch: Scratch, chunks: Iterator[bytes], manifest: Manifest) -> list[str]:
        return postgres_load.load(self, scratch, chunks)

    def tables(self, scratch: Scratch | None = None) -> dict[str, Table]:
        with self.connect(scratch) as connection:
            return fingerprint.of_postgres(connection)

    def drain(self, seconds: float) -> None:
        postgres_swap.drain(self, seconds)

    def swap(self, scratch: Scratch, manifest: Manifest) -> Swap:
        return postgres_swap.swap(self, scratch, manifest)

    def may_swap(self) -> bool:
        return postgres_swap.may_swap(self)

    def obstacle_to_swap(self) -> str:
        return postgres_swap.obstacle(self)

    def obstacle_in_place(self) -> str:
        with self.connect() as connection:
            return postgres_in_place.reason_in_place_impossible(connection)

    def properties(self) -> dict[str, Any]:
        """Return what `pg_dump` writes with `--create` only."""
        with self.admin() as admin:
            found = postgres_properties.read(admin, self.database)
        return properties.pack(found) if found else {}

    def sweep(self, *, keep_days: float) -> list[str]:
        """Drop scratch databases nobody works on and kept ones past their days.

        Call it with the lock held: then no living process owns a scratch database.
        """
        now, dropped = datetime.now(UTC), []
        with self.admin() as admin:
            rows = admin.execute("SELECT datname FROM pg_database").fetchall()
            for name in sorted(row[0] for row in rows):
                since = kept_since(self.database, name)
                expired = since is not None and (now - since).total_seconds() > keep_days * 86400
                if expired or name.startswith(scratch_prefix(self.database)):
                    postgres_load.drop_database(admin, name)
                    dropped.append(name)
        return dropped
