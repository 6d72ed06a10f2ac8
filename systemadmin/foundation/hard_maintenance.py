"""Hard maintenance: nobody gets in, and nothing is looked up in the database to know it.

A restore replaces the tables that sessions and staff live in, so this state lies in a file
(and in Redis, when there is one, for other machines). It has an owner and an end: a crashed
restore cannot leave the house closed for ever.
"""

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache

FILE_NAME: Final = "hard_maintenance.json"
CACHE_KEY: Final = "atalaya:hard-maintenance"
REPLACED_NAME: Final = "database_replaced_at"
REPLACED_KEY: Final = "atalaya:database-replaced-at"
# How long a process may answer from what it last saw in Redis.
SHARED_SECONDS: Final = 1.0


@dataclass(frozen=True)
class HardMaintenance:
    """Who began hard maintenance, why, and when it ends at the latest (seconds since the epoch)."""

    owner: str
    message: str
    since: float
    until: float

    @property
    def retry_after(self) -> int:
        """Seconds a caller should wait before asking again."""
        return max(1, min(120, round(self.until - time.time())))


_shared: dict[str, Any] = {"seen_at": 0.0, "state": None}


def enable_hard(owner: str, seconds: float, message: str = "") -> bool:
    """Close the house, or move the end when `owner` has closed it already.

    False when somebody else holds it; nothing is changed then.
    """
    held = hard_state()
    if held and held.owner != owner:
        return False
    now = time.time()
    state = HardMaintenance(owner, message, held.since if held else now, now + seconds)
    text = json.dumps(asdict(state))
    path = _path()
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(text)
    os.replace(partial, path)
    if settings.REDIS_URL:
        # Redis being down must not stop a restore; its machine's own file still holds.
        with suppress(Exception):
            cache.set(CACHE_KEY, text, timeout=int(seconds) + 1)
        _shared["seen_at"] = 0.0
    return True


def disable_hard(owner: str, *, replaced_database: bool = False) -> bool:
    """Open the house again; False when `owner` is not who closed it.

    `replaced_database` tells workers that what they took from the queue meanwhile belongs to
    a database that is no longer the live one.
    """
    held = hard_state()
    if held and held.owner != owner:
        return False
    if replaced_database:
        _replaced_path().write_text(str(time.time()))
    _path().unlink(missing_ok=True)
    if settings.REDIS_URL:
        with suppress(Exception):
            cache.delete(CACHE_KEY)
            if replaced_database:
                cache.set(REPLACED_KEY, time.time(), timeout=None)
        _shared.update(seen_at=0.0, state=None)
    return held is not None


def hard_state() -> HardMaintenance | None:
    """Return the state in force; None when the house is open or the closing has run out."""
    return _in_force(_read_file()) or _in_force(_read_shared())


def database_replaced_at() -> float:
    """When the live database was last replaced (seconds since the epoch), 0 for never."""
    moments = [0.0]
    with suppress(FileNotFoundError, ValueError):
        moments.append(float(_replaced_path().read_text()))
    if settings.REDIS_URL:
        with suppress(Exception):
            moments.append(float(cache.get(REPLACED_KEY, 0.0)))
    return max(moments)


def _replaced_path() -> Path:
    return Path(settings.VAR_DIR) / REPLACED_NAME


def _path() -> Path:
    return _path_in(settings.VAR_DIR)


@lru_cache(maxsize=4)
def _path_in(folder: Path | str) -> Path:
    return Path(folder) / FILE_NAME


def _in_force(state: HardMaintenance | None) -> HardMaintenance | None:
    return state if state and state.until > time.time() else None


def _read_file() -> HardMaintenance | None:
    try:
        return _parse(_path().read_text())
    except FileNotFoundError:
        return None


def _read_shared() -> HardMaintenance | None:
    if not settings.REDIS_URL:
        return None
    if time.monotonic() - _shared["seen_at"] > SHARED_SECONDS:
        with suppress(Exception):
            text = cache.get(CACHE_KEY)
            _shared["state"] = _parse(text) if text else None
        _shared["seen_at"] = time.monotonic()
    state: HardMaintenance | None = _shared["state"]
    return state


def _parse(text: str) -> HardMaintenance | None:
    try:
        return HardMaintenance(**json.loads(text))
    except (ValueError, TypeError):
        # Written by hand or cut short by a full disk: closed is the safer reading, for a while.
        return HardMaintenance("unknown", "", 0.0, _path_age() + 600)


def _path_age() -> float:
    try:
        return _path().stat().st_mtime
    except FileNotFoundError:
        return 0.0
