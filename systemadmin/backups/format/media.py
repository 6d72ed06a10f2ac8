"""Uploaded files: one archive out, file by file back in; a restore deletes nothing."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any, cast

from django.core.files import File
from django.core.files.storage import Storage

from systemadmin.backups.errors import StreamDamaged
from systemadmin.backups.format.stream import Sink

SPOOL = 8 << 20
# Exports of accounts are copies of what a backup holds, and are deleted after some days.
LEFT_OUT = ("private/exports/",)


def walk(storage: Storage, folder: str = "") -> Iterator[str]:
    """Yield every file of a storage, in a stable order."""
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in sorted(files):
        yield f"{folder}/{name}" if folder else name
    for name in sorted(folders):
        if name:
            yield from walk(storage, f"{folder}/{name}" if folder else name)


def dump(storages: Mapping[str, Storage], sink: Sink) -> int:
    """Write a tar of all storages into the sink; gives back the number of files.

    A file that disappears meanwhile is left out: the database's snapshot is older than this
    walk, and what is deleted after it is deleted on purpose.
    """
    count = 0
    with tarfile.open(mode="w|", fileobj=cast(IO[bytes], sink), format=tarfile.PAX_FORMAT) as tar:
        for label, storage in storages.items():
            for name in walk(storage):
                if f"{label}/{name}".startswith(LEFT_OUT):
                    continue
                try:
                    file = storage.open(name)
                    size = file.size
                except (FileNotFoundError, OSError):
                    continue
                with file:
                    _add(tar, f"{label}/{name}", file, size)
                count += 1
    return count


def _add(tar: tarfile.TarFile, name: str, file: File, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    # A file that grows meanwhile is cut at its stated size, one that shrinks is a fault.
    tar.addfile(member, cast(IO[bytes], file))


class _Chunks:
    """A readable file over an iterator of bytes, as tarfile's stream mode wants it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            data = next(self._chunks, None)
            if data is None:
                break
            self._rest += data
        given, self._rest = self._rest[:size], self._rest[size:]
        return given

    def drain(self) -> None:
        """Read to the end: only then has the seal's last chunk been checked."""
        for _ in self._chunks:
            pass


def members(chunks: Iterator[bytes]) -> Iterator[tuple[str, str, int, IO[bytes]]]:
    """Yield label, name, size and content of each file of an archive."""
    source = _Chunks(chunks)
    try:
        with tarfile.open(mode="r|", fileobj=cast(Any, source)) as tar:
            for member in tar:
                label, _, name = member.name.partition("/")
                content = tar.extractfile(member)
                if not member.isfile() or content is None or not _is_safe(name):
                    raise StreamDamaged(f"The archive holds an impossible file: {member.name!r}.")
                yield label, name, member.size, content
    except tarfile.TarError as error:
        raise StreamDamaged("The archive of files is damaged.") from error
    source.drain()


def load(
    storages: Mapping[str, Storage],
    chunks: Iterator[bytes],
    *,
    named: Collection[str] | None = None,
) -> int:
    """Put back what is missing or differs; gives back how many files were written.

    Private files that are not among the named ones are left out, where names are given.
    """
    written = 0
    for label, name, size, content in members(chunks):
        storage = storages.get(label)
        is_unwanted = label == "private" and named is not None and name not in named
        if storage is None or is_unwanted:
            continue
        with tempfile.SpooledTemporaryFile(SPOOL) as copy:
            while data := content.read(1 << 20):
                copy.write(data)
            copy.seek(0)
            if _is_same(storage, name, size, copy):
                continue
            if storage.exists(name):
                storage.delete(name)
            copy.seek(0)
            storage.save(name, File(copy, name=name))
            written += 1
    return written


def _is_same(storage: Storage, name: str, size: int, copy: IO[bytes]) -> bool:
    if not storage.exists(name) or storage.size(name) != size:
        return False
    with storage.open(name) as file:
        while data := file.read(1 << 20):
            if data != copy.read(len(data)):
                return False
    return True


def _is_safe(name: str) -> bool:
    return bool(name) and not name.startswith("/") and ".." not in name.split("/")
