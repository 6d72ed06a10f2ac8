"""The option --as-of of commands: a moment that lies in the past."""

from __future__ import annotations

from datetime import datetime

from django.core.management.base import CommandError
from django.utils import timezone

from systemadmin.foundation.parsing import Unreadable, parse_moment_or_day


def past_moment(text: str | None) -> datetime | None:
    """Return the moment that --as-of names, or None without one; raises `CommandError`."""
    if not text:
        return None
    try:
        found = parse_moment_or_day(text)
    except Unreadable as error:
        raise CommandError(
            "--as-of: a date or a moment, as 2026-01-31T12:00Z.", returncode=2
        ) from error
    if found > timezone.now():
        raise CommandError("--as-of lies in the future.", returncode=2)
    return found
