"""Names of the databases beside the live one, recognisable when their maker has died."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime

MAX_NAME = 63
STAMP = "%Y%m%d%H%M%S"
KEPT = re.compile(r"_before_(\d{14})$")


def _stem(database: str) -> str:
    """Return the live database's name, shortened so that what follows fits PostgreSQL's limit."""
    if len(database.encode()) <= 30:
        return database
    digest = hashlib.sha256(database.encode()).hexdigest()[:8]
    return database.encode()[:20].decode(errors="ignore") + digest


def scratch_prefix(database: str) -> str:
    return f"{_stem(database)}_scratch_"


def scratch_name(database: str, purpose: str, now: datetime) -> str:
    stamp = now.strftime(STAMP)
    return f"{scratch_prefix(database)}{purpose[:7]}_{stamp}{os.getpid() % 1000:03d}"


def kept_name(database: str, now: datetime) -> str:
    """Return the name under which the database replaced by a restore waits for a way back."""
    return f"{_stem(database)}_before_{now.strftime(STAMP)}"


def kept_since(database: str, name: str) -> datetime | None:
    """When a kept database of this live one was put aside; None for any other name."""
    match = KEPT.search(name)
    if not match or name != f"{_stem(database)}_before_{match[1]}":
        return None
    return datetime.strptime(match[1], STAMP).replace(tzinfo=UTC)
