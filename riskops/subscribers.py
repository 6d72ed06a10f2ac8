"""What the risk desk does on signals from the floor below: queue one event for each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from riskops.models import EventKind
from riskops.tasks import record_account_event
from systemadmin import events
from systemadmin.foundation.queue import enqueue

SOURCE = "atalaya"


def _queue(
    kind: EventKind,
    user_id: int,
    occurred_at: datetime,
    key: str,
    *,
    ip: str | None = None,
    device: str | None = None,
    country: str = "",
) -> None:
    enqueue(
        record_account_event,
        kind.code,
        user_id,
        occurred_at.isoformat(),
        key,
        SOURCE,
        ip or None,
        device or None,
        country,
    )


@receiver(events.user_logged_in, dispatch_uid="riskops.login")
def on_login(
    sender: Any,
    user_id: int,
    ip: str | None,
    device: str,
    occurred_at: datetime,
    event_key: str,
    country: str = "",
    **_kwargs: Any,
) -> None:
    """Record a real login as an event like any other, with its address and device."""
    _queue(
        EventKind.LOGIN_OK,
        user_id,
        occurred_at,
        event_key,
        ip=ip,
        device=device,
        country=country,
    )


@receiver(events.user_login_failed, dispatch_uid="riskops.failed_login")
def on_failed_login(
    sender: Any,
    user_id: int,
    ip: str | None,
    device: str,
    occurred_at: datetime,
    event_key: str,
    **_kwargs: Any,
) -> None:
    """Someone tried to sign in to an account and failed."""
    _queue(EventKind.LOGIN_FAILED, user_id, occurred_at, event_key, ip=ip, device=device)


@receiver(events.two_factor_changed, dispatch_uid="riskops.two_factor")
def on_two_factor(
    sender: Any,
    user_id: int,
    enabled: bool,
    occurred_at: datetime,
    event_key: str,
    **_kwargs: Any,
) -> None:
    """Record that the second factor was switched on or off."""
    kind = EventKind.TWO_FACTOR_ENABLED if enabled else EventKind.TWO_FACTOR_DISABLED
    _queue(kind, user_id, occurred_at, event_key)


@receiver(events.user_verified, dispatch_uid="riskops.verified")
def on_verified(sender: Any, user_id: int, **_kwargs: Any) -> None:
    """Staff verified the person; once a life, so the account itself is the key."""
    _queue(EventKind.ACCOUNT_VERIFIED, user_id, timezone.now(), f"verified-{user_id}")
