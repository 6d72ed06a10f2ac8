"""The steps of a restore: load into a scratch, compare with the manifest, migrate, swap."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError
from django.db.migrations.loader import MigrationLoader
from django.db.models import FileField

from systemadmin.backups import tombstones
from systemadmin.backups.engines import process
from systemadmin.backups.engines.base import Scratch, Swap
from systemadmin.backups.errors import ContentMismatch, IncompatibleBackup, ManifestInvalid
from systemadmin.backups.format import media
from systemadmin.backups.format.fingerprint import differences
from systemadmin.backups.format.manifest import Manifest, Part
from systemadmin.backups.format.stream import reader
from systemadmin.backups.restore import preserved_rows
from systemadmin.backups.restore.narrowing import narrow_in_transaction
from systemadmin.backups.restore.preserved_rows import DatabaseEndpoint
from systemadmin.backups.tombstones import Tombstone
from systemadmin.backups.vault import Vault
from systemadmin.services.installation import current_installation, known_here

SETTLE_SECONDS = 3600
CHECK_SECONDS = 3600


@dataclass
class Findings:
    """What a restore or a verification learned."""

    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    load_seconds: float = 0.0


def check_compatible(vault: Vault, manifest: Manifest) -> None:
    """Refuse another engine, and a backup of a newer application than this one."""
    if manifest.engine != vault.engine.name:
        raise IncompatibleBackup(
            f"The backup is of {manifest.engine}, this database is {vault.engine.name}."
        )
    unknown = unknown_migrations(manifest)
    if unknown:
        raise IncompatibleBackup(
            f"The backup is of a newer application: {', '.join(unknown[:5])} and so on are "
            "unknown here. Deploy that version first."
        )


def unknown_migrations(manifest: Manifest) -> list[str]:
    """Return migrations applied in the backup that this code has no file of."""
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    known |= {
        f"{app}.{name}"
        for migration in MigrationLoader(None, replace_migrations=False).disk_migrations.values()
        for app, name in migration.replaces
    }
    return [name for name in manifest.migrations if name not in known]


def database_part(manifest: Manifest) -> Part:
    part = manifest.part("database")
    if part is None:
        raise ManifestInvalid(f"{manifest.name} holds no database.")
    return part


@contextmanager
def opened(vault: Vault, part: Part) -> Iterator[Iterator[bytes]]:
    """Yield what a stored file held before compression and sealing; checks its SHA-256 first."""
    vault.store.check(part)
    with vault.store.open(part.name) as file:
        yield reader(
            file, passphrase=vault.passphrase, sealed=part.sealed, compressed=part.compressed
        )


def load_verified(vault: Vault, manifest: Manifest, scratch: Scratch) -> Findings:
    """Fill the scratch from the stored dump; ContentMismatch unless it equals the manifest."""
    part, started = database_part(manifest), time.monotonic()
    with opened(vault, part) as chunks:
        warnings = vault.engine.load(scratch, chunks, manifest)
    same_major = manifest.engine_version.split(".")[0] == vault.engine.version().split(".")[0]
    if not same_major:
        warnings.append("another major version of the server: only row counts were compared")
    found = differences(manifest.tables, vault.engine.tables(scratch), checksums=same_major)
    if found:
        raise ContentMismatch("The restored copy is not what was dumped: " + "; ".join(found[:10]))
    return Findings(warnings=warnings, load_seconds=time.monotonic() - started)


def migrate_and_check_in_child(
    vault: Vault, manifest: Manifest, scratch: Scratch, *, purge: bool
) -> Findings:
    """In a process of its own that takes the scratch for its database: migrate, purge, check.

    With `purge` accounts that were erased since the backup are erased again.

    A process, because models, signals and checks of every app use the default connection.
    """
    command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "settle_restored"]
    command += ["--scratch"] + (["--purge"] if purge else [])
    stones = erased_accounts(vault, manifest) if purge else []
    with tombstones.handed_over(stones) as handed:
        answer = process.run(
            command,
            env={**environment(), **handed, "DATABASE_URL": scratch.url},
            limits=process.Limits(total=SETTLE_SECONDS),
        )
    said = json.loads(answer.splitlines()[-1])
    return Findings(warnings=said["warnings"], problems=said["problems"])


def erased_accounts(vault: Vault, manifest: Manifest) -> list[Tombstone]:
    """Return the accounts of a backup's installation that were ever erased, as a whole or in part.

    Older ones too: a backup may have been taken while an erasure was on its way. Of parts those
    that were erased since.
    """
    installation = manifest.installation or known_here() or _installation_of_database()
    return tombstones.found(vault.store, vault.signer, installation, taken_at=manifest.taken_at)


def _installation_of_database() -> str:
    """Return what the database says, or "" for one of an older release, or that does not answer."""
    try:
        return current_installation()
    except DatabaseError:
        return ""


def environment() -> dict[str, str]:
    """Return what the child must share with us even where settings are not in the environment."""
    return {
        "DJANGO_SECRET_KEY": settings.SECRET_KEY,
        "DJANGO_SECRET_KEY_FALLBACKS": ",".join(settings.SECRET_KEY_FALLBACKS),
        "AUDIT_KEYS": ",".join(settings.AUDIT_KEYS),
        "DJANGO_DEBUG": "1" if settings.DEBUG else "",
        "VAR_DIR": str(settings.VAR_DIR),
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH")])),
    }


def swap_in(
    vault: Vault,
    scratch: Scratch,
    manifest: Manifest,
    tables: Sequence[preserved_rows.PreservedTable],
    commit_mark: Callable[[Any, list[str]], None],
) -> tuple[Swap, list[str]]:
    """Carry over what must survive, take away what was taken since, mark as done, and swap.

    The mark lies in the database that is swapped in, so it is true exactly when the swap
    has happened, whatever dies when.
    """
    warnings = ["there was no live database to carry records over from"]
    if vault.engine.exists():
        with vault.engine.connect() as live, vault.engine.connect(scratch) as restored:
            warnings = preserved_rows.copy(live, restored, tables)
            warnings += narrow_in_transaction(DatabaseEndpoint(live), DatabaseEndpoint(restored))
            commit_mark(restored, warnings)
    swap = vault.engine.swap(scratch, manifest)
    return swap, [*warnings, *swap.warnings]


def restore_media(vault: Vault, manifest: Manifest) -> int:
    """Put back files that are missing or differ; gives back how many.

    After erasures only private files that a row names: the others were erased with their rows.
    """
    part = manifest.part("media")
    if part is None or not vault.media:
        return 0
    named = _named_files() if erased_accounts(vault, manifest) else None
    with opened(vault, part) as chunks:
        return media.load(vault.media, chunks, named=named)


def _named_files() -> set[str]:
    return {
        name
        for model in apps.get_models()
        for column in model._meta.concrete_fields
        if isinstance(column, FileField)
        for name in model._base_manager.exclude(**{column.name: ""})
        .values_list(column.name, flat=True)
        .iterator()
    }


def check_media(vault: Vault, manifest: Manifest) -> list[str]:
    """Read the archive of files to its end; gives back problems."""
    part = manifest.part("media")
    if part is None:
        return []
    with opened(vault, part) as chunks:
        found = sum(1 for _ in media.members(chunks))
    if found != manifest.media_files:
        return [f"the archive holds {found} files instead of {manifest.media_files}"]
    return []


def verify(vault: Vault, manifest: Manifest) -> Findings:
    """Verification: a whole restore into a scratch database that is dropped afterwards."""
    check_compatible(vault, manifest)
    with vault.engine.scratch("verify") as scratch:
        findings = load_verified(vault, manifest, scratch)
        reset = migrate_and_check_in_child(vault, manifest, scratch, purge=False)
    findings.warnings += reset.warnings
    findings.problems += reset.problems + check_media(vault, manifest)
    return findings
