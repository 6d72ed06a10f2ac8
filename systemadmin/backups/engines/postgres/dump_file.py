"""A dump as an opened file without a name, which pg_restore reads by its descriptor."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def plain_file(chunks: Iterator[bytes]) -> Iterator[IO[bytes]]:
    """Yield the opened dump in a file without a name: even kill -9 leaves nothing readable."""
    temporary = tempfile.TemporaryFile if sys.platform == "linux" else tempfile.NamedTemporaryFile
    with temporary() as file:
        for data in chunks:
            file.write(data)
        file.flush()
        yield file


def path_of(file: IO[bytes]) -> str:
    """Return a path by which pg_restore and each of its workers opens the file anew."""
    return f"/dev/fd/{file.fileno()}" if sys.platform == "linux" else os.fspath(file.name)


@contextmanager
def listed(contents: bytes) -> Iterator[str]:
    """Yield the path of a file with these lines of a table of contents, for `--use-list`."""
    with tempfile.NamedTemporaryFile(prefix="toc-") as listing:
        listing.write(contents)
        listing.flush()
        yield listing.name
