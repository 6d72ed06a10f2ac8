"""What payment services tell becomes ours: verified, kept, and done once, in whatever order.

An event is kept when it arrives and answered at once; the queue works it through. What is about
something that is not here yet waits for it. What a rule refuses is listed, for staff to try again.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from marketplace import hook_signatures
from marketplace.errors import HookNotSigned, PaymentEventNotFailed
from marketplace.models import Dispute, Order, PaymentEvent, PaymentHook, Payout
from marketplace.payment_notices import (
    Notice,
    NoticeKind,
    mapped_notice,
    stripe_notice,
    value_at,
)
from marketplace.services.chargebacks import record_chargeback
from marketplace.services.disputes import resolve_dispute
from marketplace.services.orders import pay_order
from marketplace.services.payment_hooks import signing_secrets
from marketplace.services.payouts import fail_payout, pay_payout
from marketplace.services.refunds import refund_order
from systemadmin import audit
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import DomainError, InvalidInput, NotFound
from systemadmin.foundation.queue import enqueue
from systemadmin.foundation.references import PREFIX
from systemadmin.foundation.strict_json import MalformedJSON, read_json
from systemadmin.models import User
from systemadmin.services import raise_alert

# Nobody of staff: the signature is the payment service's.
SERVICE: Final[Any] = None
PROCESS: Final = "marketplace.tasks.process_payment_event"
EVENTS: Final = Batch("marketplace.payment_events")
# How long something may wait for what it is about.
PATIENCE: Final = timedelta(days=7)
LONGEST_WAIT: Final = timedelta(hours=1)
OPEN: Final = (PaymentEvent.Status.PENDING, PaymentEvent.Status.WAITING)
# Who paid is not ours to keep: the order names the buyer.
PEOPLE: Final = frozenset(
    {"billing_details", "customer_details", "shipping", "shipping_details", "receipt_email"}
    | {"payment_method_details", "email", "name", "phone", "address", "card", "customer_email"}
    | {"customer_name", "customer_phone", "receipt_url", "evidence", "client_secret", "ip"}
)


class _NotYet(Exception):
    """What the event is about is not here yet."""


# -- arriving ----------------------------------------------------------------------------


def receive(*, name: str, body: bytes, headers: Mapping[str, str]) -> PaymentEvent:
    """Keep a signed event and queue it; the same event again is the one that is there.

    Raises `NotFound` for a name that nobody made, `HookNotSigned` and `InvalidInput`.
    """
    hook = PaymentHook.objects.filter(name=name, is_active=True).first()
    if hook is None:
        raise NotFound
    if not _is_signed(hook, body, headers):
        raise HookNotSigned
    try:
        content = read_json(body)
    except MalformedJSON as error:
        raise InvalidInput("", str(error)) from error
    paths = hook.mapping if hook.scheme == PaymentHook.Scheme.HMAC else {}
    number = str(value_at(content, paths.get("event_id", "id")) or "")
    if not 1 <= len(number) <= 200:
        raise InvalidInput(paths.get("event_id", "id"), _("The event's own id."), code="required")
    kind = str(value_at(content, paths.get("type", "type")) or "")[:100]
    return _keep(hook, number, kind, content)


@transaction.atomic
def _keep(hook: PaymentHook, number: str, kind: str, content: Any) -> PaymentEvent:
    event, is_new = PaymentEvent.objects.get_or_create(
        hook=hook, event_id=number, defaults={"kind": kind, "body": without_people(content)}
    )
    if is_new:
        enqueue(PROCESS, event.pk)
    return event


def without_people(value: Any) -> Any:
    """Return the content of an event without the parts that say who paid."""
    if isinstance(value, Mapping):
        return {name: without_people(item) for name, item in value.items() if name not in PEOPLE}
    if isinstance(value, list):
        return [without_people(item) for item in value]
    return value


def _is_signed(hook: PaymentHook, body: bytes, headers: Mapping[str, str]) -> bool:
    secrets, now = signing_secrets(hook), int(timezone.now().timestamp())
    tolerance = hook_signatures.TOLERANCE_SECONDS
    if hook.scheme == PaymentHook.Scheme.STRIPE:
        header = headers.get("Stripe-Signature") or ""
        return hook_signatures.is_stripes(header, body, secrets, now=now, tolerance=tolerance)
    mapping = hook.mapping
    signature = headers.get(mapping["signature_header"]) or ""
    content = body
    if mapping.get("timestamp_header"):
        stamp = headers.get(mapping["timestamp_header"]) or ""
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 15):
            return False
        if abs(now - int(stamp)) > tolerance:
            return False
        content = stamp.encode() + b"." + body
    return hook_signatures.is_signed(
        signature,
        content,
        secrets,
        algorithm=mapping.get("algorithm", "sha256"),
        encoding=mapping.get("encoding", "hex"),
        prefix=mapping.get("prefix", ""),
    )


# -- working through ---------------------------------------------------------------------


def process_event(event_id: int) -> bool:
    """Do what one event says, unless it is done or not due; whether it is done now."""
    return bool(EVENTS.each([event_id], _process))


def process_due(*, limit: int = 500) -> int:
    """Work through what is due: new events, and what waits; returns how many were looked at."""
    due = PaymentEvent.objects.filter(status__in=OPEN, next_attempt_at__lte=timezone.now())
    return len(EVENTS.each(EVENTS.due(due.order_by("next_attempt_at", "pk"), limit), _process))


def _process(event_id: int) -> str:
    event = lock_row(PaymentEvent.objects.all(), pk=event_id)
    if event.status not in OPEN:
        return event.status
    event.attempts += 1
    try:
        with transaction.atomic():
            notice = _notice(event)
            if notice is None:
                return _end(event, PaymentEvent.Status.IGNORED)
            event.reference = notice.reference or notice.dispute
            _apply(notice, event)
    except _NotYet as reason:
        return _wait(event, str(reason))
    except DomainError as refusal:
        return _end(event, PaymentEvent.Status.FAILED, str(refusal))
    _wake(event)
    return _end(event, PaymentEvent.Status.DONE)


def _end(event: PaymentEvent, status: str, error: str = "") -> str:
    event.status, event.error, event.done_at = status, error[:500], timezone.now()
    event.save()
    if status == PaymentEvent.Status.FAILED:
        raise_alert(
            rule="marketplace.payment_event_failed",
            severity="warning",
            summary=_("An event of a payment service could not be booked."),
            key=f"payment-event:{event.hook_id}",
            detail=f"{event}: {error}"[:500],
        )
    return status


def _wait(event: PaymentEvent, reason: str) -> str:
    if event.created_at < timezone.now() - PATIENCE:
        return _end(event, PaymentEvent.Status.FAILED, reason)
    event.status, event.error = PaymentEvent.Status.WAITING, reason[:500]
    wait = min(LONGEST_WAIT, timedelta(minutes=1) * 2 ** min(event.attempts, 10))
    event.next_attempt_at = timezone.now() + wait
    event.save()
    return event.status


def _wake(event: PaymentEvent) -> None:
    """Process at once what waited for this event."""
    about = Q(order=event.order) if event.order_id else Q(pk__in=[])
    if event.reference:
        about |= Q(reference=event.reference)
    waiting = PaymentEvent.objects.filter(about, status=PaymentEvent.Status.WAITING)
    for key in waiting.order_by("pk").values_list("pk", flat=True):
        PaymentEvent.objects.filter(pk=key).update(next_attempt_at=timezone.now())
        enqueue(PROCESS, key)


def _notice(event: PaymentEvent) -> Notice | None:
    if event.hook.scheme == PaymentHook.Scheme.STRIPE:
        return stripe_notice(event.body)
    mapping = event.hook.mapping
    kind = mapping["kinds"].get(event.kind)
    if kind is None:
        return None
    is_major = mapping.get("amounts") == "major"
    return mapped_notice(event.body, kind=kind, fields=mapping["fields"], is_major=is_major)


def _apply(notice: Notice, event: PaymentEvent) -> None:
    if notice.kind in (NoticeKind.PAYOUT_PAID, NoticeKind.PAYOUT_FAILED):
        _apply_payout(notice)
        return
    order = event.order = _order_of(notice)
    if notice.currency and notice.currency != order.currency:
        raise InvalidInput(
            "currency", _("The order is in %(currency)s.") % {"currency": order.currency}
        )
    if notice.kind == NoticeKind.PAID:
        pay_order(
            actor=SERVICE,
            order=order,
            reference=notice.reference,
            amount=notice.amount,
            processing_fee=notice.fee,
        )
        return
    if order.paid_at is None:
        raise _NotYet(_("The payment is not known yet."))
    if notice.kind == NoticeKind.REFUNDED:
        _apply_refund(notice, order)
    else:
        _apply_dispute(notice, order)


def _order_of(notice: Notice) -> Order:
    found = None
    if notice.order:
        name = notice.order.removeprefix(PREFIX)
        found = Order.objects.filter(external_id=name).first()
        if found is None and notice.order.isdecimal() and len(notice.order) < 19:
            found = Order.objects.filter(pk=int(notice.order), external_id=None).first()
    if found is None and notice.reference:
        found = Order.objects.filter(payment_reference=notice.reference).first()
    if found is None:
        raise _NotYet(_("There is no such order yet."))
    return found


def _apply_refund(notice: Notice, order: Order) -> None:
    """Refund what is new of the sum: sent twice, late or begun here, it is refunded once."""
    order = lock_row(Order.objects.all(), pk=order.pk)
    total = notice.refunded_total
    if total is None:
        raise InvalidInput("refunded_total", _("The sum of all refunds."), code="required")
    if total > order.refunded:
        reason = notice.reason or _("Told by the payment service.")
        refund_order(
            actor=None, order=order, amount=total - order.refunded, reason=reason,
            gives_kept_fees=True,
        )  # fmt: skip


def _apply_dispute(notice: Notice, order: Order) -> None:
    dispute = record_chargeback(
        actor=None,
        order=order,
        reference=notice.dispute,
        network_reason=notice.reason,
        amount=notice.amount,
        fee=notice.fee,
        evidence_due_at=notice.due_at,
    )
    if notice.kind == NoticeKind.DISPUTE_OPENED or dispute.status != Dispute.Status.OPEN:
        return
    side = "seller" if notice.kind == NoticeKind.DISPUTE_WON else "buyer"
    resolve_dispute(
        actor=SERVICE, dispute=dispute, in_favour_of=side, note=_("Told by the payment service.")
    )


def _apply_payout(notice: Notice) -> None:
    payout = _payout_of(notice)
    if notice.amount is not None and notice.amount != payout.amount:
        raise InvalidInput("amount", _("The payout has another amount."))
    if notice.kind == NoticeKind.PAYOUT_FAILED:
        if payout.status in (Payout.Status.PENDING, Payout.Status.PAID):
            fail_payout(actor=SERVICE, payout=payout, reason=notice.reason or "failed")
    elif payout.status == Payout.Status.PENDING:
        pay_payout(actor=SERVICE, payout=payout, reference=notice.reference)


def _payout_of(notice: Notice) -> Payout:
    """Return the payout by the service's reference or by our own number."""
    payout = None
    if notice.reference:
        payout = Payout.objects.filter(reference=notice.reference).first()
    if payout is None and notice.payout.isdecimal() and len(notice.payout) < 19:
        payout = Payout.objects.filter(pk=int(notice.payout)).first()
    if payout is None:
        raise _NotYet(_("There is no such payout yet."))
    return payout


@transaction.atomic
def retry_payment_event(*, actor: User | None, event: PaymentEvent) -> PaymentEvent:
    """Give an event that failed another round."""
    event = lock_row(PaymentEvent.objects.all(), pk=event.pk)
    if event.status not in (PaymentEvent.Status.FAILED, PaymentEvent.Status.WAITING):
        raise PaymentEventNotFailed
    audit.record(
        "marketplace.payment_event.retried",
        actor=actor,
        target=event,
        before={"status": event.status, "error": event.error},
    )
    event.status, event.next_attempt_at = PaymentEvent.Status.PENDING, timezone.now()
    event.save()
    enqueue(PROCESS, event.pk)
    return event
