"""Who else has a thing of the review desk open: kept in the cache for a minute, no history."""

import time
from typing import Any, Final

from django.core.cache import cache

from systemadmin.foundation.display import display_name

FRESH: Final = 60
# The names beside a thing; more than these say no more.
MOST: Final = 8


def look(*, thing: str, user: Any) -> list[str]:
    """Note that somebody has a thing open; return the names of the others, latest first."""
    now, key = time.time(), f"review-presence:{thing}"
    seen: dict[str, list[Any]] = cache.get(key) or {}
    seen = {pk: row for pk, row in seen.items() if row[0] > now - FRESH}
    others = sorted(((row for pk, row in seen.items() if pk != str(user.pk))), reverse=True)
    seen[str(user.pk)] = [now, display_name(user)]
    # Two who write at once may lose one of each other for a heartbeat; the next brings them back.
    cache.set(key, seen, FRESH)
    return [name for _at, name in others[:MOST]]


def leave(*, thing: str, user: Any) -> None:
    """Note that somebody went on to the next thing."""
    key = f"review-presence:{thing}"
    seen: dict[str, list[Any]] = cache.get(key) or {}
    if seen.pop(str(user.pk), None) is not None:
        cache.set(key, seen, FRESH)
