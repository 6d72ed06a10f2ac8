"""Closing and opening the place."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.foundation.configuration import forget_stored_values, setting
from systemadmin.foundation.errors import InvalidInput, RuleViolation
from systemadmin.foundation.maintenance import STATE_KEY
from systemadmin.models import MaintenanceWindow, SystemConfig, User
from systemadmin.services.announcements import announce_maintenance


class NoMaintenance(RuleViolation):
    """There is nothing to switch off."""

    code = "no_maintenance"
    default_detail = _("Maintenance is not on and none is scheduled.")


@transaction.atomic
def enable_maintenance(
    *,
    actor: User | None,
    mode: str = MaintenanceWindow.Mode.FULL,
    message: str = "",
    message_es: str = "",
    starts_at: datetime | None = None,
    until: datetime | None = None,
    pause_queue: bool = False,
    owner: str = "",
) -> MaintenanceWindow:
    """Close now or from `starts_at`; without `until` it ends after the configured hours.

    Raises `InvalidInput` for a window that ends before it starts or has passed.
    """
    now = timezone.now()
    starts = max(starts_at or now, now)
    ends = until or starts + timedelta(hours=setting("maintenance.longest_hours"))
    if ends <= starts:
        raise InvalidInput("until", _("The end must come after the start and after now."))
    window = MaintenanceWindow.objects.create(
        mode=mode,
        starts_at=starts,
        until=ends,
        message_en=message,
        message_es=message_es,
        pause_queue=pause_queue,
        owner=owner or (actor.get_username() if actor else "system"),
        created_by=actor,
    )
    _publish()
    audit.record(
        "systemadmin.maintenance.enabled",
        actor=actor,
        target=window,
        after={"mode": mode, "starts_at": starts, "until": ends, "pause_queue": pause_queue},
        reason=message,
    )
    announce_maintenance("enabled", mode=mode, starts_at=starts, until=ends)
    return window


@transaction.atomic
def disable_maintenance(*, actor: User | None, owner: str = "") -> int:
    """End what is in force and what is scheduled; with `owner` only what that owner closed.

    Returns how many windows ended; raises `NoMaintenance` when there was none.
    """
    now = timezone.now()
    open_windows = MaintenanceWindow.objects.filter(ended_at__isnull=True, until__gt=now)
    if owner:
        open_windows = open_windows.filter(owner=owner)
    ended = open_windows.update(ended_at=now)
    if not ended:
        raise NoMaintenance
    _publish()
    audit.record("systemadmin.maintenance.disabled", actor=actor, metadata={"windows": ended})
    announce_maintenance("disabled")
    return ended


def _publish() -> None:
    """Write the open windows where every process reads its shared state."""
    rows = MaintenanceWindow.objects.filter(ended_at__isnull=True, until__gt=timezone.now())
    state = [
        {
            "id": row.pk,
            "mode": row.mode,
            "starts_at": row.starts_at.isoformat(),
            "until": row.until.isoformat(),
            "message_en": row.message_en,
            "message_es": row.message_es,
            "pause_queue": row.pause_queue,
            "owner": row.owner,
        }
        for row in rows
    ]
    SystemConfig.objects.update_or_create(key=STATE_KEY, defaults={"value": state})
    forget_stored_values()
    transaction.on_commit(forget_stored_values)
