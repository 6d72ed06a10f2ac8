"""Periodic job: clean up after dead processes, start due backups, alert when one is late."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext_noop

from systemadmin.backups.create import request_backup
from systemadmin.backups.interrupted import mark_interrupted
from systemadmin.backups.records import notify_failure
from systemadmin.backups.slots import last_slot, next_slot
from systemadmin.backups.vault import Vault, open_vault
from systemadmin.backups.verification import request_verification, verification_is_due
from systemadmin.errors import BackupInProgress
from systemadmin.foundation.configuration import setting
from systemadmin.models import Backup
from systemadmin.querysets.backups import CLOCK_TOLERANCE
from systemadmin.services.alerts import raise_alert, resolve_alert
from systemadmin.services.installation import current_installation

logger = logging.getLogger("atalaya.backups")

ATTEMPTS_PER_SLOT = 3
RETRY_MINUTES = 30


@dataclass(frozen=True)
class Outlook:
    """The state of the schedule, for the admin page, the status page and the alerts."""

    is_enabled: bool
    last: Backup | None
    next_at: datetime | None
    is_late: bool


def outlook(now: datetime | None = None) -> Outlook:
    """Return the last good backup, when the next one is due, and whether one is late."""
    now = now or timezone.now()
    own = Backup.objects.of_installation(current_installation())
    last, is_enabled = own.last_complete(now), setting("backups.enabled")
    if not is_enabled:
        return Outlook(False, last, None, False)
    # The newest slot whose grace is over: a run missed yesterday stays missed when today's slot
    # has just begun.
    slot = last_slot(now - timedelta(hours=setting("backups.grace_hours")), **_slots())
    is_late = last is None or last.taken_at < slot
    return Outlook(True, last, next_slot(now, **_slots()), is_late)


def run_schedule() -> None:
    """Run one round; a failing part does not stop the others."""
    vault = open_vault()
    for part in (mark_interrupted, _notify_lateness, _start_due_backup, _start_due_verification):
        try:
            part(vault)
        except Exception as error:
            logger.exception("backup schedule failed", extra={"part": part.__name__})
            notify_failure(
                "backup.tending_failed", gettext_noop("The upkeep of backups failed."), error
            )


def _notify_lateness(vault: Vault) -> None:
    state = outlook()
    if not state.is_late:
        resolve_alert(rule="backup.late")
        return
    taken_at = state.last.taken_at if state.last else None
    raise_alert(
        rule="backup.late",
        severity="critical",
        summary=gettext_noop("The scheduled backup is late."),
        detail=gettext_noop("Last good backup: %(since)s")
        if taken_at
        else gettext_noop("There is no good backup."),
        facts={"since": taken_at.isoformat() if taken_at else ""},
    )


def _start_due_backup(vault: Vault) -> None:
    if not setting("backups.enabled"):
        return
    now = timezone.now()
    slot = last_slot(now, **_slots())
    # What states a later moment was made while the clock was wrong: it is of no slot so far.
    span = (slot, now + CLOCK_TOLERANCE)
    tried = Backup.objects.filter(trigger=Backup.Trigger.SCHEDULE, created_at__range=span)
    if tried.filter(status=Backup.Status.COMPLETE).exists():
        return
    recent = tried.filter(created_at__gt=now - timedelta(minutes=RETRY_MINUTES))
    if recent.exists() or tried.count() >= ATTEMPTS_PER_SLOT:
        return
    try:
        request_backup(actor=None, trigger=Backup.Trigger.SCHEDULE)
    except BackupInProgress:
        logger.info("scheduled backup waits: another one is queued or running")


def _start_due_verification(vault: Vault) -> None:
    backup = verification_is_due()
    if backup is not None:
        request_verification(actor=None, backup=backup)


def _slots() -> dict[str, int]:
    return {"hour": setting("backups.hour"), "every_hours": setting("backups.every_hours")}
