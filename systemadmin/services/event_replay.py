"""Events sent again to a webhook, and examples sent to try one."""

import secrets
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.foundation.errors import InvalidInput, RuleViolation
from systemadmin.foundation.published_events import event_kinds
from systemadmin.models import PublishedEvent, WebhookDelivery, WebhookEndpoint
from systemadmin.services.demo_limits import check_shared
from systemadmin.services.event_log import dispatch_events, new_event_id
from systemadmin.services.webhooks import OUTBOX

CHUNK = 500
# Whoever missed more reads the log, page by page.
MOST = 10_000


@transaction.atomic
def replay_delivery(*, actor: Any, delivery: WebhookDelivery) -> WebhookDelivery:
    """Send an event again: same id, so the receiver can tell, and a log of its own."""
    _check_active(delivery.endpoint)
    again = WebhookDelivery.objects.create(
        event=delivery.event, endpoint=delivery.endpoint, replay_of=delivery
    )
    OUTBOX.post(again)
    audit.record(
        "systemadmin.webhook.replayed",
        actor=actor,
        target=delivery.endpoint,
        metadata={"delivery": delivery.pk, "again": again.pk},
    )
    return again


def replay_missed(
    *,
    actor: Any,
    endpoint: WebhookEndpoint,
    after: int | None = None,
    since: datetime | None = None,
    everything: bool = False,
) -> int:
    """Send what an endpoint missed after a number or since a moment; return how many events.

    Missed is what was never delivered and does not wait. `everything` sends the rest again too.
    """
    _check_active(endpoint)
    if after is None and since is None:
        raise InvalidInput("after", _("Say after which number or since when."), code="required")
    dispatch_events()
    rows = PublishedEvent.objects.after(after, since).of_kinds(endpoint.event_types)
    mine = WebhookDelivery.objects.filter(event=OuterRef("pk"), endpoint=endpoint)
    if not everything:
        rows = rows.exclude(Exists(mine.filter(status__in=["sent", "pending"])))
    keys = list(rows.values_list("pk", flat=True)[:MOST])
    for start in range(0, len(keys), CHUNK):
        _queue(endpoint, keys[start : start + CHUNK])
    audit.record(
        "systemadmin.webhook.replayed",
        actor=actor,
        target=endpoint,
        metadata={"after": after, "since": since, "events": len(keys)},
    )
    return len(keys)


@transaction.atomic
def _queue(endpoint: WebhookEndpoint, keys: list[int]) -> None:
    first = {
        delivery.event_id: delivery
        for delivery in WebhookDelivery.objects.filter(
            event__in=keys, endpoint=endpoint, replay_of__isnull=True
        )
    }
    rows = [
        WebhookDelivery(event_id=key, endpoint=endpoint, replay_of=first.get(key)) for key in keys
    ]
    for delivery in WebhookDelivery.objects.bulk_create(rows):
        OUTBOX.post(delivery)


@transaction.atomic
def send_test_event(*, actor: Any, endpoint: WebhookEndpoint, kind: str) -> WebhookDelivery:
    """Send the example of a kind to one endpoint, marked as a test; the log does not show it."""
    check_shared(actor)
    _check_active(endpoint)
    if kind not in event_kinds():
        raise InvalidInput("type", _("There is no such kind of event."))
    event = PublishedEvent.objects.create(
        event_id=new_event_id(),
        kind=kind,
        key=f"test-{secrets.token_hex(8)}",
        data=dict(event_kinds()[kind].example),
        is_test=True,
    )
    delivery = WebhookDelivery.objects.create(event=event, endpoint=endpoint)
    OUTBOX.post(delivery)
    audit.record(
        "systemadmin.webhook.tested", actor=actor, target=endpoint, metadata={"type": kind}
    )
    return delivery


def _check_active(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_active:
        raise RuleViolation(_("The endpoint is switched off."), code="endpoint_off")
