"""Byte streams of a backup: hashed, compressed and sealed on the way, memory flat.

A sealed stream is a header and chunks of AES-256-GCM. The nonce of a chunk is its number and
whether it is the last one, the header is bound to every chunk: a flipped byte, a missing, moved
or repeated chunk, a cut or an extended file does not open.

`python -m systemadmin.backups.format.stream FILE > dump` opens a sealed file without Django or
database; the passphrase is read from BACKUP_PASSPHRASE.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import IO, Protocol

from cryptography.exceptions import InvalidTag

from systemadmin.backups.errors import StreamDamaged, WrongPassphrase
from systemadmin.backups.format import keys

MAGIC = b"ATALAYA-SEALED\x00\x01"
CHUNK = 1 << 20
MAX_CHUNK = 16 << 20
TAG_BYTES = 16
# magic, log2(n), r, p of scrypt, chunk size, salt of the passphrase, salt of the file
HEADER = struct.Struct(">16sBBBxI16s16s")
KEY_CHECK_BYTES = 16


class Sink(Protocol):
    """What a writer writes into."""

    def write(self, data: bytes) -> object: ...

    def close(self) -> None: ...


class FileSink:
    """Writes to a file, counting and hashing on the way; closing makes the bytes durable."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.size = 0
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def close(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class Compressor:
    """gzip on the way out."""

    def __init__(self, sink: Sink, level: int = 4) -> None:
        self.sink = sink
        self._zlib = zlib.compressobj(level, zlib.DEFLATED, 31)

    def write(self, data: bytes) -> None:
        if packed := self._zlib.compress(data):
            self.sink.write(packed)

    def close(self) -> None:
        self.sink.write(self._zlib.flush())
        self.sink.close()


class Sealer:
    """Seals what is written, chunk by chunk."""

    def __init__(self, sink: Sink, passphrase: str, salt: bytes | None = None) -> None:
        salt = salt or os.urandom(keys.SALT_BYTES)
        file_salt = os.urandom(keys.SALT_BYTES)
        root = keys.passphrase_key(passphrase, salt)
        self.sink = sink
        self._cipher = keys.cipher(keys.subkey(root, "stream", file_salt))
        self._header = HEADER.pack(
            MAGIC, keys.SCRYPT_LOG_N, keys.SCRYPT_R, keys.SCRYPT_P, CHUNK, salt, file_salt
        ) + _key_check(root, file_salt)
        self._buffer = bytearray()
        self._number = 0
        sink.write(self._header)

    def write(self, data: bytes) -> None:
        self._buffer += data
        # The last chunk is marked as such, so a full buffer waits until more bytes arrive.
        while len(self._buffer) > CHUNK:
            self._seal(bytes(self._buffer[:CHUNK]), last=False)
            del self._buffer[:CHUNK]

    def close(self) -> None:
        self._seal(bytes(self._buffer), last=True)
        self._buffer.clear()
        self.sink.close()

    def _seal(self, plain: bytes, *, last: bool) -> None:
        self.sink.write(self._cipher.encrypt(_nonce(self._number, last), plain, self._header))
        self._number += 1


def _nonce(number: int, last: bool) -> bytes:
    return struct.pack(">Q3xB", number, last)


def _key_check(root: bytes, file_salt: bytes) -> bytes:
    """Return the bytes that distinguish a wrong passphrase from a damaged file."""
    return keys.subkey(root, "key check", file_salt)[:KEY_CHECK_BYTES]


def unseal(source: IO[bytes], passphrase: str) -> Iterator[bytes]:
    """Return the plain chunks of a sealed stream; every byte given out has been authenticated."""
    header = _read_exactly(source, HEADER.size + KEY_CHECK_BYTES)
    if len(header) < HEADER.size + KEY_CHECK_BYTES or not header.startswith(MAGIC):
        raise StreamDamaged("This is not a sealed backup, or its beginning is damaged.")
    _, log_n, r, p, chunk, salt, file_salt = HEADER.unpack(header[: HEADER.size])
    try:
        root = keys.passphrase_key(passphrase, salt, log_n, r, p)
    except ValueError as error:
        raise StreamDamaged("The beginning of the backup is damaged.") from error
    if not 0 < chunk <= MAX_CHUNK:
        raise StreamDamaged("The beginning of the backup is damaged.")
    if _key_check(root, file_salt) != header[HEADER.size :]:
        raise WrongPassphrase("The passphrase does not open this backup, or its header is damaged.")
    return _unseal_chunks(source, keys.subkey(root, "stream", file_salt), header, chunk)


def _unseal_chunks(source: IO[bytes], key: bytes, header: bytes, chunk: int) -> Iterator[bytes]:
    cipher = keys.cipher(key)
    number = 0
    sealed = _read_exactly(source, chunk + TAG_BYTES)
    while True:
        following = _read_exactly(source, chunk + TAG_BYTES)
        try:
            plain = cipher.decrypt(_nonce(number, not following), sealed, header)
        except (InvalidTag, ValueError) as error:
            raise StreamDamaged(
                f"Chunk {number} of the backup does not open: damaged, cut short or out of order."
            ) from error
        yield plain
        if not following:
            return
        sealed, number = following, number + 1


def decompress(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """gzip on the way in; output is bounded per step, so a bomb cannot fill the memory."""
    unpacker = zlib.decompressobj(31)
    try:
        for data in chunks:
            while data:
                yield unpacker.decompress(data, CHUNK)
                data = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise StreamDamaged("The compressed stream is damaged.") from error
    if not unpacker.eof:
        raise StreamDamaged("The compressed stream is cut short.")
    if unpacker.unused_data:
        raise StreamDamaged("Bytes follow the end of the compressed stream.")


def writer(
    file: FileSink, *, passphrase: str = "", salt: bytes | None = None, compress: bool
) -> Sink:
    """Return the chain a backup is written through: compress, seal, hash, file."""
    sink: Sink = file
    if passphrase:
        sink = Sealer(sink, passphrase, salt)
    return Compressor(sink) if compress else sink


def reader(
    source: IO[bytes], *, passphrase: str = "", sealed: bool, compressed: bool
) -> Iterator[bytes]:
    """Return the way back: open, decompress."""
    chunks = unseal(source, passphrase) if sealed else read_chunks(source)
    return decompress(chunks) if compressed else chunks


def read_chunks(source: IO[bytes]) -> Iterator[bytes]:
    while data := source.read(CHUNK):
        yield data


def sha256_of(source: IO[bytes]) -> tuple[str, int]:
    """Return digest and size of a stored file."""
    digest, size = hashlib.sha256(), 0
    for data in read_chunks(source):
        digest.update(data)
        size += len(data)
    return digest.hexdigest(), size


def _read_exactly(source: IO[bytes], size: int) -> bytes:
    parts, missing = [], size
    while missing and (data := source.read(missing)):
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def main(path: str) -> None:
    """Open a sealed file to standard output."""
    with open(path, "rb") as source:
        for plain in unseal(source, os.environ["BACKUP_PASSPHRASE"]):
            sys.stdout.buffer.write(plain)


if __name__ == "__main__":
    main(sys.argv[1])
