"""Says what happened: the signal for other apps, the webhook for the platform."""

from typing import Any

from django.dispatch import Signal

from marketplace import events
from marketplace.models import Order, Payout, Product
from marketplace.services import webhooks

_PRODUCT = {
    "submitted": events.product_submitted,
    "approved": events.product_approved,
    "rejected": events.product_rejected,
    "changes_requested": events.product_changes_requested,
    "paused": events.product_paused,
    "resumed": events.product_resumed,
    "removed": events.product_removed,
}
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
EVENT_TYPES = sorted(
    [f"product.{what}" for what in _PRODUCT]
    + [f"order.{what}" for what in _ORDER]
    + [f"payout.{what}" for what in _PAYOUT]
)


def announce_product(product: Product, what: str) -> None:
    """A product changed its state."""
    signal: Signal = _PRODUCT[what]
    signal.send(sender=Product, product_id=product.pk)
    webhooks.publish(
        f"product.{what}",
        key=f"product-{product.pk}-v{product.version}-{what}",
        data={
            "id": product.pk,
            "seller": product.seller_id,
            "title": product.title,
            "status": product.status,
            "reason": product.status_reason,
            "version": product.version,
        },
    )


def announce_order(order: Order, what: str, **ids: Any) -> None:
    """An order took a step."""
    signal: Signal = _ORDER[what]
    signal.send(sender=Order, order_id=order.pk, **ids)
    webhooks.publish(
        f"order.{what}",
        key=f"order-{order.pk}-v{order.version}-{what}",
        data={
            "id": order.pk,
            "buyer": order.buyer_id,
            "seller": order.seller_id,
            "status": order.status,
            "currency": order.currency,
            "total": order.total,
            "commission": order.commission,
            "refunded": order.refunded,
            "version": order.version,
            **ids,
        },
    )


def announce_payout(payout: Payout, what: str) -> None:
    """A payout took a step."""
    signal: Signal = _PAYOUT[what]
    signal.send(sender=Payout, payout_id=payout.pk)
    webhooks.publish(
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
