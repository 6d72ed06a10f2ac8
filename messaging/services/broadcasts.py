"""Broadcasts: from draft to the last member, once each, whatever happens to the workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.errors import (
    BroadcastNotCancellable,
    BroadcastNotEditable,
    BroadcastNotSendable,
)
from messaging.models import Broadcast, BroadcastStatus
from messaging.services.audience import members_of
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.queue import enqueue
from systemadmin.models import User

DELIVER = "messaging.tasks.deliver_broadcast"
_EDITABLE = ("kind", "title", "body", "roles", "countries", "risk_levels", "is_verified")


@dataclass(frozen=True, slots=True)
class Preview:
    """Whom a broadcast would reach now."""

    recipients: int
    by_telegram: int
    sample: list[str]


@transaction.atomic
def create_broadcast(*, actor: User, **fields: Any) -> Broadcast:
    """Draft a broadcast; nothing is sent."""
    broadcast = Broadcast(created_by=actor, **_checked(fields))
    broadcast.full_clean(exclude=["created_by"])
    broadcast.save()
    audit.record(
        "messaging.broadcast.created",
        actor=actor,
        target=broadcast,
        after={name: getattr(broadcast, name) for name in _EDITABLE},
    )
    return broadcast


@transaction.atomic
def edit_broadcast(
    *, actor: User, broadcast: Broadcast, expected_version: int | None = None, **fields: Any
) -> Broadcast:
    """Change a draft."""
    locked = lock_row(Broadcast.objects.all(), pk=broadcast.pk, expected_version=expected_version)
    if locked.status != BroadcastStatus.DRAFT:
        raise BroadcastNotEditable
    before = {name: getattr(locked, name) for name in fields}
    for name, value in _checked(fields).items():
        setattr(locked, name, value)
    locked.full_clean(exclude=["created_by"])
    locked.bump()
    locked.save()
    audit.record(
        "messaging.broadcast.edited", actor=actor, target=locked, before=before, after=fields
    )
    return locked


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    unknown = set(fields) - set(_EDITABLE)
    if unknown:
        raise InvalidInput({name: _("Unknown field.") for name in unknown})
    return fields


def preview_broadcast(broadcast: Broadcast) -> Preview:
    """Count whom it would reach now, with a few names to see that the filter means what it says."""
    members = members_of(broadcast)
    return Preview(
        recipients=members.count(),
        by_telegram=members.exclude(telegram_chat_id="").count() if is_urgent(broadcast) else 0,
        sample=list(members.order_by("pk").values_list("username", flat=True)[:5]),
    )


def is_urgent(broadcast: Broadcast) -> bool:
    """Return True for the kind that also goes to Telegram."""
    return broadcast.kind == "urgent"


@transaction.atomic
def schedule_broadcast(
    *, actor: User, broadcast: Broadcast, at: datetime, expected_version: int | None = None
) -> Broadcast:
    """Have a draft sent at a moment in the future."""
    if at <= timezone.now():
        raise InvalidInput("scheduled_at", _("The moment must lie in the future."))
    locked = _lock_waiting(broadcast, expected_version)
    locked.status, locked.scheduled_at = BroadcastStatus.SCHEDULED, at
    locked.recipient_count = members_of(locked).count()
    locked.bump()
    locked.save()
    audit.record(
        "messaging.broadcast.scheduled", actor=actor, target=locked, after={"scheduled_at": at}
    )
    return locked


@transaction.atomic
def send_broadcast(
    *, actor: User | None, broadcast: Broadcast, expected_version: int | None = None
) -> Broadcast:
    """Start sending now; delivery goes on in the queue."""
    locked = _lock_waiting(broadcast, expected_version)
    newest = User.objects.order_by("-pk").values_list("pk", flat=True).first()
    now = timezone.now()
    locked.status = BroadcastStatus.SENDING
    locked.started_at = locked.progress_at = now
    locked.last_user_id = newest or 0
    locked.recipient_count = members_of(locked).count()
    locked.bump()
    locked.save()
    audit.record(
        "messaging.broadcast.started",
        actor=actor,
        target=locked,
        metadata={"recipients": locked.recipient_count},
    )
    enqueue(DELIVER, locked.pk)
    return locked


def _lock_waiting(broadcast: Broadcast, expected_version: int | None) -> Broadcast:
    locked = lock_row(Broadcast.objects.all(), pk=broadcast.pk, expected_version=expected_version)
    if locked.status not in (BroadcastStatus.DRAFT, BroadcastStatus.SCHEDULED):
        raise BroadcastNotSendable
    return locked


@transaction.atomic
def cancel_broadcast(*, actor: User, broadcast: Broadcast, reason: str = "") -> Broadcast:
    """Stop it: what is delivered stays, what is not delivered yet never will be."""
    locked = lock_row(Broadcast.objects.all(), pk=broadcast.pk)
    if locked.status in (BroadcastStatus.SENT, BroadcastStatus.CANCELLED):
        raise BroadcastNotCancellable
    before = locked.status
    locked.status = BroadcastStatus.CANCELLED
    locked.finished_at = timezone.now()
    locked.bump()
    locked.save()
    audit.record(
        "messaging.broadcast.cancelled",
        actor=actor,
        target=locked,
        before={"status": before},
        after={"delivered": locked.delivered_count},
        reason=reason,
    )
    return locked


def read_statistics(broadcast: Broadcast) -> dict[str, int]:
    """Return how many were reached, and how many of them have read it."""
    return {
        "recipients": broadcast.recipient_count or 0,
        "delivered": broadcast.delivered_count,
        "read": broadcast.messages.read_by_recipient().count(),
    }
