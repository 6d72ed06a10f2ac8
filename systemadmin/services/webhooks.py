"""Webhooks: events delivered to endpoints, again and again if need be, and the endpoints."""

import json
import secrets
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from systemadmin import audit, webhook_signing, webhook_transport
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.crypto import decrypt_secret, encrypt_secret
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.outbox import LEASE, DeliveryFailed, Outbox
from systemadmin.foundation.outgoing import AddressRefused, check_url_to_save, parse_url
from systemadmin.models import (
    PublishedEvent,
    ServiceKey,
    User,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from systemadmin.services.alerts import raise_alert
from systemadmin.services.demo_limits import check_shared
from systemadmin.services.event_messages import rendered

DELIVER = "systemadmin.tasks.deliver_webhook"
# The table of the Standard Webhooks specification: seconds to wait after each failed attempt.
RETRY_SECONDS = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
ROTATION = timedelta(hours=24)
PURPOSE = "webhook"
FIELDS = ("url", "description", "event_types", "is_active")


def wants(endpoint: WebhookEndpoint, event_type: str) -> bool:
    """Return whether an endpoint asked for a kind of event; one that named none wants all."""
    return not endpoint.event_types or event_type in endpoint.event_types


def _send(delivery: WebhookDelivery) -> None:
    event, endpoint = delivery.event, delivery.endpoint
    body = body_of(event).encode()
    headers = webhook_signing.headers(
        signing_secrets(endpoint), event.event_id, int(timezone.now().timestamp()), body
    )
    answer = webhook_transport.send(
        endpoint.url,
        body,
        {**headers, "content-type": "application/json", "user-agent": "Atalaya-Webhooks/1.0"},
        timeout=setting("webhooks.timeout_seconds"),
        allow_private=setting("webhooks.private_addresses"),
    )
    _log(delivery, answer)
    if answer.status == 410:
        _switch_off(endpoint, _("The receiver answered 410 Gone."))
        raise DeliveryFailed("410 Gone", is_permanent=True)
    if answer.status is None or not 200 <= answer.status < 300:
        raise DeliveryFailed(answer.error or f"HTTP {answer.status}")


def body_of(event: PublishedEvent, *, is_masked: bool = False) -> str:
    """Return the body of an event's message."""
    message = rendered([event], is_masked=is_masked)[0]
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def _log(delivery: WebhookDelivery, answer: webhook_transport.Answer) -> None:
    WebhookAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts,
        status_code=answer.status,
        error=answer.error,
        response_excerpt=answer.excerpt,
        duration_ms=answer.duration_ms,
    )


def _wait(attempts: int) -> int:
    seconds = RETRY_SECONDS[attempts - 1]
    # Spread by a tenth, so that a receiver coming back is not met by all at once.
    return seconds + secrets.randbelow(seconds // 10 + 1)


def _alert(delivery: WebhookDelivery) -> None:
    endpoint = delivery.endpoint
    raise_alert(
        rule="systemadmin.webhook_failing",
        severity="warning",
        summary=gettext_noop("Webhooks to %(url)s fail."),
        facts={"url": endpoint.url},
        key=f"systemadmin.webhook:{endpoint.pk}",
    )


def _deliverable() -> QuerySet[WebhookDelivery]:
    """Return what goes out; events wait while whoever an endpoint belongs to is no staff."""
    rows = WebhookDelivery.objects.select_related("event", "endpoint")
    has_owner = Q(endpoint__owner__isnull=True) | Q(endpoint__owner__in=User.objects.staff())
    return rows.filter(has_owner, endpoint__is_active=True)


OUTBOX = Outbox(
    task=DELIVER,
    rows=_deliverable,
    send=_send,
    wait=_wait,
    most_attempts=len(RETRY_SECONDS) + 1,
    lease=LEASE,
    on_given_up=_alert,
)


# -- endpoints -----------------------------------------------------------------------


@transaction.atomic
def create_endpoint(*, actor: Any, **values: Any) -> tuple[WebhookEndpoint, str]:
    """Add an endpoint; its secret is returned this once."""
    check_shared(actor)
    secret = webhook_signing.new_secret()
    endpoint = WebhookEndpoint(secret=encrypt_secret(secret, purpose=PURPOSE), owner=_owner(actor))
    _assign(endpoint, values)
    audit.record(
        "systemadmin.webhook_endpoint.created", actor=actor, target=endpoint, after=_shown(endpoint)
    )
    return endpoint, secret


@transaction.atomic
def update_endpoint(
    *, actor: Any, endpoint: WebhookEndpoint, expected_version: int | None = None, **values: Any
) -> WebhookEndpoint:
    """Change an endpoint; switching it on again forgets why it was off."""
    check_shared(actor)
    endpoint = lock_row(
        WebhookEndpoint.objects.all(), pk=endpoint.pk, expected_version=expected_version
    )
    before = _shown(endpoint)
    if values.get("is_active"):
        endpoint.disabled_reason = ""
    endpoint.bump()
    if values.get("url", endpoint.url) != endpoint.url:
        endpoint.owner = _owner(actor)
    _assign(endpoint, values)
    audit.record(
        "systemadmin.webhook_endpoint.updated",
        actor=actor,
        target=endpoint,
        before=before,
        after=_shown(endpoint),
    )
    return endpoint


@transaction.atomic
def rotate_secret(*, actor: Any, endpoint: WebhookEndpoint) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret; the old one signs beside it for a day."""
    check_shared(actor)
    endpoint = lock_row(WebhookEndpoint.objects.all(), pk=endpoint.pk)
    secret = webhook_signing.new_secret()
    endpoint.previous_secret = endpoint.secret
    endpoint.previous_secret_until = timezone.now() + ROTATION
    endpoint.secret = encrypt_secret(secret, purpose=PURPOSE)
    endpoint.owner = _owner(actor)
    endpoint.bump()
    endpoint.save()
    audit.record("systemadmin.webhook_endpoint.secret_rotated", actor=actor, target=endpoint)
    return endpoint, secret


@transaction.atomic
def delete_endpoint(*, actor: Any, endpoint: WebhookEndpoint) -> None:
    """Delete an endpoint with its delivery log."""
    check_shared(actor)
    audit.record(
        "systemadmin.webhook_endpoint.deleted",
        actor=actor,
        target=endpoint,
        before=_shown(endpoint),
    )
    endpoint.delete()


def count_endpoints(user: User) -> int:
    """Return how many endpoints that are on somebody answers for."""
    return WebhookEndpoint.objects.filter(owner=user, is_active=True).count()


def leave_endpoints(*, actor: User | None, user: User, successor: User | None) -> None:
    """Hand the endpoints of somebody who leaves to the successor; without one they are off.

    Where they send to was the choice of who leaves: the successor looks at the address.
    """
    rows = WebhookEndpoint.objects.select_for_update().filter(owner=user, is_active=True)
    for endpoint in rows.order_by("pk"):
        if successor is None:
            _switch_off(endpoint, gettext_noop("Its owner left."))
        else:
            WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
                owner=successor, version=F("version") + 1
            )
        audit.record(
            "systemadmin.webhook_endpoint.handed_over",
            actor=actor,
            target=endpoint,
            before={"owner": user.get_username()},
            after={"owner": successor.get_username() if successor else ""},
        )


def signing_secrets(endpoint: WebhookEndpoint) -> list[str]:
    """Return the secrets in force, the current one first."""
    stored = [endpoint.secret]
    until = endpoint.previous_secret_until
    if endpoint.previous_secret and until and until > timezone.now():
        stored.append(endpoint.previous_secret)
    return [decrypt_secret(one, purpose=PURPOSE) for one in stored]


def _owner(actor: User | None) -> User | None:
    """Return the person of staff who answers for what the actor does; of a key it is the owner."""
    if actor is None or not actor.is_staff:
        return None
    if not actor.is_service:
        return actor
    key = ServiceKey.objects.filter(account=actor).select_related("owner").first()
    return key.owner if key is not None else None


def _assign(endpoint: WebhookEndpoint, values: dict[str, Any]) -> None:
    for field in FIELDS:
        if field in values:
            setattr(endpoint, field, values[field])
    _check_address(endpoint.url)
    endpoint.full_clean()
    endpoint.save()


def _check_address(url: str) -> None:
    try:
        if setting("webhooks.private_addresses"):
            parse_url(url, allow_private=True)
        else:
            check_url_to_save(url)
    except AddressRefused as refused:
        text = str(refused)
        if _is_address(url):
            text += " " + _("The setting webhooks.private_addresses allows it.")
        raise InvalidInput("url", text, code="address_refused") from refused


def _is_address(url: str) -> bool:
    """Return whether the setting would let a refused address through."""
    try:
        parse_url(url, allow_private=True)
    except AddressRefused:
        return False
    return True


def _switch_off(endpoint: WebhookEndpoint, reason: str) -> None:
    WebhookEndpoint.objects.filter(Q(pk=endpoint.pk), is_active=True).update(
        is_active=False, disabled_reason=reason, version=F("version") + 1
    )


def _shown(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {field: getattr(endpoint, field) for field in FIELDS}
