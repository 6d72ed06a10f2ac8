"""Making a backup: dump, files, then the manifest that makes it count."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from systemadmin.backups.engines.base import Snapshot
from systemadmin.backups.errors import StoreFailed
from systemadmin.backups.format import manifest as manifests
from systemadmin.backups.format import media
from systemadmin.backups.format.manifest import Manifest, Part
from systemadmin.backups.format.stream import FileSink, Sink, writer
from systemadmin.backups.vault import Vault

Progress = Callable[[int], None]
PROGRESS_SECONDS = 1.0


@dataclass(frozen=True)
class BackupOptions:
    """Who wants this backup and why."""

    name: str
    trigger: str = "manual"
    note: str = ""
    actor: str = ""
    app_version: str = ""
    installation: str = ""
    installation_name: str = ""
    with_media: bool = True
    audit_head: dict[str, Any] = field(default_factory=dict)


class ProgressStream:
    """Counts the plain bytes that pass, and tells about once a second."""

    def __init__(self, sink: Sink, progress: Progress) -> None:
        self.sink, self.progress = sink, progress
        self.size, self._reported_at = 0, time.monotonic()

    def write(self, data: bytes) -> None:
        self.sink.write(data)
        self.size += len(data)
        if time.monotonic() - self._reported_at > PROGRESS_SECONDS:
            self.progress(self.size)
            self._reported_at = time.monotonic()

    def close(self) -> None:
        self.sink.close()


def create(
    vault: Vault, options: BackupOptions, progress: Progress = lambda size: None
) -> Manifest:
    """Make a whole backup or none; call it with the engine's lock held."""
    started = time.monotonic()
    parts: list[Part] = []
    try:
        database, snapshot = _dump_database(vault, options, progress)
        parts.append(database)
        files = 0
        if options.with_media and vault.media:
            archive, files = _dump_media(vault, options, progress)
            parts.append(archive)
        manifest = _describe(vault, options, snapshot, parts, files, time.monotonic() - started)
        salt = vault.signing_salt()
        vault.store.write_manifest(manifest, manifests.dump(manifest, vault.signer, salt))
        return manifest
    except BaseException:
        for part in parts:
            with suppress(StoreFailed):
                vault.store.delete_file(part.name)
        raise


def _dump_database(
    vault: Vault, options: BackupOptions, progress: Progress
) -> tuple[Part, Snapshot]:
    compress = not vault.engine.packs_itself
    name = options.name + vault.engine.suffix + _endings(vault, compress)
    with vault.store.new_file(name) as file:
        sink = ProgressStream(_writer(vault, file, compress), progress)
        snapshot = vault.engine.dump(sink.write)
        sink.close()
    part = Part("database", name, file.size, file.sha256, bool(vault.passphrase), compress)
    return part, snapshot


def _dump_media(vault: Vault, options: BackupOptions, progress: Progress) -> tuple[Part, int]:
    name = f"{options.name}.media.tar{_endings(vault, True)}"
    with vault.store.new_file(name) as file:
        sink = ProgressStream(_writer(vault, file, True), progress)
        count = media.dump(vault.media, sink)
        sink.close()
    return Part("media", name, file.size, file.sha256, bool(vault.passphrase), True), count


def _writer(vault: Vault, file: FileSink, compress: bool) -> Sink:
    salt = vault.signing_salt() if vault.passphrase else None
    return writer(file, passphrase=vault.passphrase, salt=salt, compress=compress)


def _endings(vault: Vault, compressed: bool) -> str:
    return (".gz" if compressed else "") + (".sealed" if vault.passphrase else "")


def _describe(
    vault: Vault,
    options: BackupOptions,
    snapshot: Snapshot,
    parts: list[Part],
    files: int,
    seconds: float,
) -> Manifest:
    return Manifest(
        name=options.name,
        taken_at=snapshot.taken_at,
        engine=vault.engine.name,
        engine_version=vault.engine.version(),
        database=vault.engine.database,
        app_version=options.app_version,
        migrations=snapshot.migrations,
        tables=snapshot.tables,
        parts=parts,
        extensions=snapshot.extensions,
        trigger=options.trigger,
        note=options.note,
        actor=options.actor,
        media_files=files,
        duration_seconds=round(seconds, 3),
        audit_head=options.audit_head,
        properties=vault.engine.properties(),
        installation=options.installation,
        installation_name=options.installation_name,
    )
