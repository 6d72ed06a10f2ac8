"""Where backups are kept: any Django storage, with whole files only."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from systemadmin.backups.errors import ManifestInvalid, StoreFailed, StreamDamaged
from systemadmin.backups.format import manifest as manifests
from systemadmin.backups.format.manifest import NAME, SUFFIX, Manifest, Part
from systemadmin.backups.format.stream import FileSink, sha256_of

PARTIAL = ".partial"


class Store:
    """Writes under a temporary name, moves when whole, lists what a manifest vouches for."""

    def __init__(self, storage: Storage, work_dir: Path) -> None:
        self.storage = storage
        self.local = self._local_root()
        # On the storage's own disk the last step is a rename; elsewhere it is an upload.
        self.partial_dir = (self.local or work_dir) / PARTIAL
        self.partial_dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _local_root(self) -> Path | None:
        try:
            root = Path(self.storage.path(""))
        except NotImplementedError:
            return None
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return root

    @contextmanager
    def new_file(self, name: str) -> Iterator[FileSink]:
        """Yield a sink whose bytes get their name only when the block ends well."""
        partial = self.partial_dir / name
        try:
            with open(partial, "xb", opener=_private) as file:
                _lock(file)
                sink = FileSink(file)
                yield sink
                sink.close()
            self._publish(partial, name, sink.size)
        except OSError as error:
            raise StoreFailed(f"{name} could not be written: {error.strerror or error}.") from error
        finally:
            with suppress(FileNotFoundError):
                partial.unlink()

    def _publish(self, partial: Path, name: str, size: int) -> None:
        if self.local:
            os.replace(partial, self.local / name)
            _sync_folder(self.local)
            return
        with partial.open("rb") as file:
            given = self.storage.save(name, File(file, name=name))
        if given != name:
            self.storage.delete(given)
            raise StoreFailed(f"{name} exists already.")
        if self.storage.size(name) != size:
            raise StoreFailed(f"The storage keeps another size of {name} than was sent.")

    def write_manifest(self, manifest: Manifest, data: bytes) -> None:
        """Write the manifest, the commit mark: from here on the backup counts as whole."""
        self.write_file(manifest.name + SUFFIX, data)

    def write_file(self, name: str, data: bytes) -> None:
        """Write a small file that is there wholly or not at all; raises `StoreFailed`."""
        if self.local:
            with self.new_file(name) as sink:
                sink.write(data)
            return
        try:
            given = self.storage.save(name, ContentFile(data))
        except Exception as error:
            # Each storage has its own exceptions.
            raise StoreFailed(f"{name} could not be written: {error}") from error
        if given != name:
            self.storage.delete(given)
            raise StoreFailed(f"{name} exists already.")

    def read_manifest(self, name: str) -> bytes:
        try:
            with self.open(name + SUFFIX) as file:
                return file.read(manifests.MAX_BYTES + 1)
        except StoreFailed as error:
            raise ManifestInvalid(
                f"{name} has no manifest: the backup is incomplete and cannot be used."
            ) from error

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        with self.open_for_download(name) as file:
            yield file

    def open_for_download(self, name: str) -> Any:
        """Return the stored file; whoever asks closes it."""
        if not NAME.fullmatch(name):
            raise StoreFailed(f"{name!r} cannot be the name of a stored file.")
        try:
            return self.storage.open(name, "rb")
        except Exception as error:
            # Each storage has its own exceptions; all mean that the file cannot be had.
            raise StoreFailed(f"{name} cannot be read: {error}") from error

    def check(self, part: Part) -> None:
        """Read the whole stored file and compare it with what the manifest says."""
        with self.open(part.name) as file:
            digest, size = sha256_of(file)
        if size != part.size:
            raise StreamDamaged(f"{part.name} has {size} bytes instead of {part.size}.")
        if digest != part.sha256:
            raise StreamDamaged(f"{part.name} is not what was written: its SHA-256 differs.")

    def files(self) -> list[str]:
        """Names of all stored files."""
        return list(self.storage.listdir("")[1])

    def names(self) -> list[str]:
        """Names of backups that have a manifest, valid or not, oldest first."""
        files = self.files()
        return sorted(f.removesuffix(SUFFIX) for f in files if f.endswith(SUFFIX))

    def incomplete(self, prefix: str) -> list[str]:
        """Return files of ours without a manifest: a process died before the commit mark."""
        files = self.storage.listdir("")[1]
        whole = {f.removesuffix(SUFFIX) for f in files if f.endswith(SUFFIX)}
        ours = [f for f in files if f.startswith(prefix) and not f.endswith(SUFFIX)]
        return sorted(f for f in ours if f.split(".")[0] not in whole)

    def delete(self, name: str, parts: list[Part]) -> None:
        """Delete the manifest first: what a crash leaves is incomplete, never half usable."""
        self.delete_file(name + SUFFIX)
        for part in parts:
            self.delete_file(part.name)

    def delete_file(self, name: str) -> None:
        try:
            self.storage.delete(name)
        except FileNotFoundError:
            pass
        except Exception as error:
            raise StoreFailed(f"{name} cannot be deleted: {error}") from error

    def sweep_partials(self) -> list[str]:
        """Remove what killed processes left half written; call it with the lock held.

        The folder may be shared with another installation, whose lock is another one: what a
        living process writes to is locked, and stays.
        """
        swept = []
        for partial in self.partial_dir.iterdir():
            with suppress(FileNotFoundError), partial.open("rb") as file:
                if _lock(file):
                    partial.unlink()
                    swept.append(partial.name)
        return sorted(swept)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.partial_dir).free


def _lock(file: IO[bytes]) -> bool:
    """Take the kernel's lock on an opened file, if nobody has it; it ends with the process."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def work_dir(var_dir: Path) -> Path:
    """Scratch space of ours; the system's own temporary directory may be small or shared."""
    folder = var_dir / "work" if var_dir else Path(tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
