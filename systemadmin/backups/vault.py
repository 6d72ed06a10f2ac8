"""Everything a run of the machinery needs, put together from the project's settings."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import DEFAULT_DB_ALIAS, connections

from systemadmin.backups.engines.base import Engine
from systemadmin.backups.engines.postgres.engine import PostgresEngine
from systemadmin.backups.engines.process import Limits
from systemadmin.backups.engines.sqlite import SqliteEngine
from systemadmin.backups.errors import IncompatibleBackup
from systemadmin.backups.format.keys import SALT_BYTES
from systemadmin.backups.format.manifest import Manifest, Signer, load, salt_of
from systemadmin.backups.store import Store, work_dir

PREFIX = "atalaya-"


@dataclass
class Vault:
    """One database, the place its backups go to, and the keys."""

    engine: Engine
    store: Store
    signer: Signer
    passphrase: str = field(default="", repr=False)
    media: dict[str, Storage] = field(default_factory=dict)
    salt: bytes = b""

    def manifest(self, name: str) -> Manifest:
        """Return the verified manifest of a stored backup; ManifestInvalid otherwise."""
        data = self.store.read_manifest(name)
        manifest = load(data, self.signer)
        if manifest.name != name:
            # A valid manifest under another backup's name would pass off its files as that one.
            raise IncompatibleBackup(f"The manifest of {name} speaks of {manifest.name}.")
        return manifest

    def signing_salt(self) -> bytes:
        """Return the newest backup's salt again, so that a listing pays for one scrypt in all."""
        if not self.salt:
            names = self.store.names()
            self.salt = (names and salt_of(self.store.read_manifest(names[-1]))) or os.urandom(
                SALT_BYTES
            )
        return self.salt


def open_vault(
    alias: str = DEFAULT_DB_ALIAS,
    *,
    storage: Storage | None = None,
    passphrase: str | None = None,
) -> Vault:
    """Return the vault of a database as the settings describe it."""
    var_dir = Path(settings.VAR_DIR)
    phrase = settings.BACKUP_PASSPHRASE if passphrase is None else passphrase
    return Vault(
        engine=make_engine(alias, var_dir),
        store=Store(storage or storages["backups"], work_dir(var_dir)),
        signer=Signer(phrase, settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS)),
        passphrase=phrase,
        media={name: storages[name] for name in settings.BACKUP_MEDIA},
    )


def make_engine(alias: str, var_dir: Path) -> Engine:
    """Return the engine of the database behind an alias."""
    vendor = connections[alias].vendor
    if vendor == "postgresql":
        limits = Limits(settings.BACKUP_TOOL_SECONDS, settings.BACKUP_SILENCE_SECONDS)
        return PostgresEngine(alias, settings.DATABASE_URL, limits)
    if vendor == "sqlite":
        return SqliteEngine(alias, work_dir(var_dir))
    raise IncompatibleBackup(f"There is no way to back up a {vendor} database.")


def new_name(now: datetime | None = None) -> str:
    """Sortable by time, in UTC, never twice."""
    moment = now or datetime.now(UTC)
    return f"{PREFIX}{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
