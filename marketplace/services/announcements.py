"""Says what happened: the signal for other apps, the event log for the platform."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.dispatch import Signal

from marketplace import events
from marketplace.models import Dispute, Order, Payout, Product, ProductRevision, Refund
from systemadmin.services import publish_event
from systemadmin.services.event_log import NewEvent

_PRODUCT = {
    "submitted": events.product_submitted,
    "approved": events.product_approved,
    "rejected": events.product_rejected,
    "changes_requested": events.product_changes_requested,
    "paused": events.product_paused,
    "resumed": events.product_resumed,
    "removed": events.product_removed,
}
_REVISION = {"submitted": events.revision_submitted, "decided": events.revision_decided}
_ORDER = {
    "created": events.order_created,
    "paid": events.order_paid,
    "completed": events.order_completed,
    "cancelled": events.order_cancelled,
    "expired": events.order_expired,
    "refunded": events.order_refunded,
    "dispute_opened": events.dispute_opened,
    "dispute_resolved": events.dispute_resolved,
}
_PAYOUT = {
    "created": events.payout_created,
    "paid": events.payout_paid,
    "failed": events.payout_failed,
    "retried": events.payout_retried,
    "returned": events.payout_returned,
    "cancelled": events.payout_cancelled,
}


def announce_product(product: Product, what: str) -> None:
    """Publish that a product changed its state."""
    signal: Signal = _PRODUCT[what]
    signal.send(sender=Product, product_id=product.pk)
    publish_event(
        f"product.{what}",
        key=f"product-{product.pk}-v{product.version}-{what}",
        data=_product_data(product),
    )


def announce_revision(revision: ProductRevision, what: str) -> None:
    """Publish that an edit of an approved product was submitted or decided."""
    signal: Signal = _REVISION[what]
    product = revision.product
    signal.send(sender=ProductRevision, product_id=product.pk, revision_id=revision.pk)
    publish_event(
        f"product.revision_{what}",
        key=f"revision-{revision.pk}-v{revision.version}-{what}",
        data=_product_data(product)
        | {
            "reason": revision.status_reason,
            "revision": revision.pk,
            "revision_status": revision.status,
        },
    )


def _product_data(product: Product) -> dict[str, Any]:
    return {
        "id": product.pk,
        "external_id": product.external_id,
        "seller": product.seller_id,
        "title": product.title,
        "status": product.status,
        "reason": product.status_reason,
        "version": product.version,
    }


def announce_order(
    order: Order, what: str, *, refund: Refund | None = None, dispute: Dispute | None = None
) -> None:
    """Publish that an order took a step, with the refund or the dispute that it is about."""
    ids = {"refund_id": refund.pk} if refund else {"dispute_id": dispute.pk} if dispute else {}
    signal: Signal = _ORDER[what]
    signal.send(sender=Order, order_id=order.pk, **ids)
    publish_event(
        f"order.{what}",
        key=f"order-{order.pk}-v{order.version}-{what}",
        data=order_data(order) | _refund_data(refund) | _dispute_data(dispute),
    )


def order_data(order: Order) -> dict[str, Any]:
    """Return what every event of an order says."""
    return {
        "id": order.pk,
        "external_id": order.external_id,
        "buyer": order.buyer_id,
        "seller": order.seller_id,
        "status": order.status,
        "currency": order.currency,
        "total": order.total,
        "commission": order.commission,
        "refunded": order.refunded,
        "version": order.version,
    }


def _refund_data(refund: Refund | None) -> dict[str, Any]:
    return {"refund_id": refund.pk, "refund_amount": refund.amount} if refund else {}


def _dispute_data(dispute: Dispute | None) -> dict[str, Any]:
    if dispute is None:
        return {}
    due = dispute.evidence_due_at
    return {
        "dispute_id": dispute.pk,
        "dispute_status": dispute.status,
        "dispute_source": dispute.source,
        "charged_back": dispute.charged_back,
        "fee": dispute.fee,
        "refund_amount": dispute.refund_amount,
        "evidence_due_at": due.isoformat() if due else None,
    }


def announce_payout(payout: Payout, what: str) -> None:
    """Publish that a payout took a step."""
    signal: Signal = _PAYOUT[what]
    signal.send(sender=Payout, payout_id=payout.pk)
    publish_event(
        f"payout.{what}",
        key=f"payout-{payout.pk}-v{payout.version}-{what}",
        data={
            "id": payout.pk,
            "seller": payout.seller_id,
            "currency": payout.currency,
            "amount": payout.amount,
            "status": payout.status,
            "attempts": payout.attempts,
            "version": payout.version,
        },
    )


def steps_of(orders: Iterable[Order]) -> Iterator[NewEvent]:
    """Yield what happened to orders that came with their whole story."""
    for order in orders:
        steps = ["created"] + ["paid"] * bool(order.paid_at)
        for step in steps + ["completed"] * bool(order.completed_at):
            yield NewEvent(
                kind=f"order.{step}",
                key=f"order-{order.pk}-v{order.version}-{step}",
                data=order_data(order),
            )
