"""Large text files, gzipped or not, read in flat memory whatever they hold."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

from django.utils.translation import gettext as _

GZIP: Final = b"\x1f\x8b"
# Text of events shrinks to a tenth or a thirtieth. What shrinks to less than this is made to
# fill a disk or the memory; small files may be as regular as they like.
MAX_RATIO: Final = 200
SMALL: Final = 10 << 20

# What reading can raise for a file that is not what it claims to be.
READING_ERRORS: Final = (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError)


class TextTooLarge(ValueError):
    """A file, or a line of it, is larger than its reader takes."""


class _Bounded(io.RawIOBase):
    """A binary file that ends with an error where it becomes too large."""

    def __init__(self, source: IO[bytes], *, packed: int, max_bytes: int) -> None:
        self._source = source
        self._packed = packed
        self._max_bytes = max_bytes
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        self._total += len(data)
        if self._total > self._max_bytes:
            raise TextTooLarge(
                _("The file is larger than %(size)d MB.") % {"size": self._max_bytes >> 20}
            )
        if self._packed and self._total > max(SMALL, self._packed * MAX_RATIO):
            raise TextTooLarge(
                _("The file unpacks to more than %(ratio)d times its size: it is no list of rows.")
                % {"ratio": MAX_RATIO}
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._source.close()
        super().close()


def open_text(path: Path, *, max_bytes: int) -> IO[str]:
    """Open a text file; gzip is known by its first bytes, whatever the name.

    Reading raises `TextTooLarge` behind `max_bytes` of text, or where gzip unpacks to more than
    `MAX_RATIO` times the size of the file.
    """
    with path.open("rb") as file:
        is_packed = file.read(2) == GZIP
    packed = path.stat().st_size if is_packed else 0
    source = gzip.GzipFile(path) if is_packed else path.open("rb")
    bounded = _Bounded(cast(IO[bytes], source), packed=packed, max_bytes=max_bytes)
    return io.TextIOWrapper(io.BufferedReader(bounded, 1 << 16), encoding="utf-8-sig", newline="")


def bounded_lines(file: IO[str], *, max_characters: int) -> Iterator[str]:
    """Yield the lines of a file; raises `TextTooLarge` for one that is longer."""
    number = 0
    while line := file.readline(max_characters + 1):
        number += 1
        if len(line) > max_characters:
            raise TextTooLarge(
                _("Line %(line)d is longer than %(most)d characters.")
                % {"line": number, "most": max_characters}
            )
        yield line
