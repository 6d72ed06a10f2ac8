"""How the marketplace is doing: what is late, and whether webhooks arrive."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from marketplace.models import Dispute, Order, Product, ProductRevision, WebhookDelivery
from systemadmin.foundation.plugins import Metric, StatusCheck

LATE = timedelta(minutes=10)


def check() -> dict[str, Any]:
    """Warn when reservations are not expired or webhooks stand still."""
    late = timezone.now() - LATE
    stuck = Order.objects.overdue(late).count()
    unsent = WebhookDelivery.objects.filter(
        status="pending", next_attempt_at__lt=late, endpoint__is_active=True
    ).count()
    return {
        "status": "warning" if stuck or unsent else "ok",
        "reservations_not_expired": stuck,
        "webhooks_not_sent": unsent,
    }


def waiting_products() -> float:
    """Products and edits in the approval queue."""
    return float(Product.objects.waiting().count() + ProductRevision.objects.waiting().count())


def open_disputes() -> float:
    """Disputes that wait for a decision."""
    return float(Dispute.objects.filter(status="open").count())


def failing_webhooks() -> float:
    """Webhook deliveries that were given up."""
    return float(WebhookDelivery.objects.filter(status="failed").count())


CHECKS = [StatusCheck(name="marketplace", run=check)]
METRICS = [
    Metric(
        name="marketplace_approval_queue",
        help="Products and edits waiting for review.",
        read=waiting_products,
    ),
    Metric(
        name="marketplace_open_disputes",
        help="Disputes that wait for a decision.",
        read=open_disputes,
    ),
    Metric(
        name="marketplace_webhooks_failed",
        help="Webhook deliveries that were given up.",
        read=failing_webhooks,
    ),
]
