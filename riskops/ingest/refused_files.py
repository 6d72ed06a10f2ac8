"""Retention of the files of refused rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from systemadmin.foundation.configuration import setting
from systemadmin.foundation.row_files import REFUSED_SUFFIX, refused_folder


def _old_files() -> Iterator[Path]:
    days = int(setting("retention.refused_file_days"))
    if not days:
        return
    cutoff = (timezone.now() - timedelta(days=days)).timestamp()
    for path in sorted(refused_folder().glob(f"*{REFUSED_SUFFIX}")):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < cutoff:
                yield path


def delete_refused_files() -> int:
    """Delete files of refused rows that nothing was written to for long; returns how many."""
    deleted = 0
    for path in _old_files():
        path.unlink(missing_ok=True)
        deleted += 1
    return deleted


def due_refused_files() -> int:
    """Return how many files of refused rows are old enough."""
    return sum(1 for _path in _old_files())
