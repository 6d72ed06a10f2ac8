"""The event log: written with what happened, numbered after the commit, handed to webhooks.

An event gets its number from one counter, whose row is locked until the numbers are committed. So
numbers are committed in their order, without a gap: whoever has read up to a number has missed
nothing below it, however late another transaction commits. Ids, given before the commit, cannot
promise that.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.published_events import event_kinds
from systemadmin.foundation.queue import enqueue
from systemadmin.models import EventCounter, PublishedEvent, WebhookDelivery, WebhookEndpoint
from systemadmin.services import webhooks

DISPATCH = "systemadmin.tasks.dispatch_events"
CHUNK = 500
# A restored copy gives numbers that readers have not seen: theirs may be ahead of its own.
RESTORE_STEP = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something to publish; `key` is the same for the same thing, however often it is published."""

    kind: str
    key: str
    data: Mapping[str, Any]
    occurred_at: datetime | None = None


def publish_event(
    kind: str, *, key: str, data: Mapping[str, Any], occurred_at: datetime | None = None
) -> None:
    """Write an event in the transaction of what happened."""
    publish_events([NewEvent(kind=kind, key=key, data=data, occurred_at=occurred_at)])


def publish_events(happenings: Iterable[NewEvent]) -> None:
    """Write many events at once; one whose key is there already is left as it is."""
    rows = [_row(one) for one in happenings]
    if not rows:
        return
    PublishedEvent.objects.bulk_create(rows, ignore_conflicts=True, batch_size=CHUNK)
    if WebhookEndpoint.objects.filter(is_active=True).exists():
        enqueue(DISPATCH)


def _row(one: NewEvent) -> PublishedEvent:
    kind = event_kinds()[one.kind]
    kind.check(one.data)
    accounts = [*kind.accounts(one.data), None, None]
    return PublishedEvent(
        event_id=new_event_id(),
        kind=one.kind,
        key=one.key,
        data=dict(one.data),
        occurred_at=one.occurred_at or timezone.now(),
        user_id=accounts[0],
        other_user_id=accounts[1],
    )


def new_event_id() -> str:
    """Return an id that nobody can guess; it is the `webhook-id` of the message."""
    return f"msg_{secrets.token_urlsafe(20)}"


def dispatch_events() -> int:
    """Assign numbers to what was committed and post it to webhooks; return how many events."""
    numbered = 0
    while done := _dispatch_chunk():
        numbered += done
        if done < CHUNK:
            break
    return numbered


def number_for_readers() -> None:
    """Let the log include what was committed before this call."""
    if PublishedEvent.objects.unnumbered().exists():
        dispatch_events()


@transaction.atomic
def _dispatch_chunk(*, is_sent: bool = True) -> int:
    counter = _locked_counter()
    events = list(PublishedEvent.objects.unnumbered()[:CHUNK])
    for number, event in enumerate(events, counter.last + 1):
        event.sequence = number
    if events:
        PublishedEvent.objects.bulk_update(events, ["sequence"])
        EventCounter.objects.filter(pk=counter.pk).update(last=counter.last + len(events))
    if events and is_sent:
        _post(events)
    return len(events)


def _locked_counter() -> EventCounter:
    EventCounter.objects.bulk_create([EventCounter(pk=1)], ignore_conflicts=True)
    return lock_row(EventCounter.objects.all(), pk=1)


def _post(events: Sequence[PublishedEvent]) -> None:
    endpoints = list(WebhookEndpoint.objects.filter(is_active=True))
    wanted = [
        WebhookDelivery(event=event, endpoint=endpoint)
        for event in events
        for endpoint in endpoints
        if webhooks.wants(endpoint, event.kind)
    ]
    for delivery in WebhookDelivery.objects.bulk_create(wanted):
        webhooks.OUTBOX.post(delivery)


@transaction.atomic
def step_over_restored() -> None:
    """After a restore: send nothing that was unnumbered then, and go on with unused numbers."""
    while _dispatch_chunk(is_sent=False) == CHUNK:
        pass
    counter = _locked_counter()
    EventCounter.objects.filter(pk=counter.pk).update(last=counter.last + RESTORE_STEP)
