"""Is the place open? Answered from this process's copy of the shared state.

Three modes: read-only and full are rows of the database that staff pass through; hard
(see `hard_maintenance`) lies outside of it, for restores, and nobody passes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.configuration import stored_value
from systemadmin.foundation.errors import Unavailable

write_bypassed = Signal()  # user_id, method, path: staff wrote while the place was closed

STATE_KEY = "_maintenance"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Window:
    """One closing as the processes see it."""

    id: int
    mode: str
    starts_at: datetime
    until: datetime
    message_en: str
    message_es: str
    pause_queue: bool
    owner: str

    @property
    def message(self) -> str:
        """The message in the language in force, or in the other one."""
        spanish = (get_language() or "en").startswith("es")
        first, second = (
            (self.message_es, self.message_en) if spanish else (self.message_en, self.message_es)
        )
        return first or second

    @property
    def retry_after(self) -> int:
        """Seconds until it ends."""
        return max(1, int((self.until - timezone.now()).total_seconds()))


class UnderMaintenance(Unavailable):
    """503: closed for maintenance."""

    code = "maintenance"
    title = _("Closed for maintenance.")


class ReadOnlyMaintenance(Unavailable):
    """503: reading works, writing waits."""

    code = "maintenance_read_only"
    title = _("Changes are paused for maintenance.")


def windows() -> list[Window]:
    """Return the windows that have not ended, soonest first."""
    now = timezone.now()
    found = [
        Window(
            **{
                **row,
                "starts_at": datetime.fromisoformat(row["starts_at"]),
                "until": datetime.fromisoformat(row["until"]),
            }
        )
        for row in stored_value(STATE_KEY, [])
    ]
    return sorted((w for w in found if w.until > now), key=lambda w: w.starts_at)


def window_in_force() -> Window | None:
    """Return the window in force, the full one before a read-only one."""
    now = timezone.now()
    active = [window for window in windows() if window.starts_at <= now]
    return min(active, key=lambda w: w.mode != "full", default=None)


def refusal(method: str | None) -> Unavailable | None:
    """Return the problem to answer a non-staff call with, or None when it may pass."""
    window = window_in_force()
    if window is None or (window.mode == "read_only" and method in SAFE_METHODS):
        return None
    kind: Any = ReadOnlyMaintenance if window.mode == "read_only" else UnderMaintenance
    return kind(
        window.message or None,
        retry_after=window.retry_after,
        extra={"until": window.until.isoformat()},
    )


def queue_is_paused() -> bool:
    """Return True while workers must leave the queue alone."""
    now = timezone.now()
    return any(w.pause_queue and w.starts_at <= now for w in windows())
