"""How the marketplace is doing: what is late."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from marketplace.models import Dispute, Order, Product, ProductRevision
from systemadmin.foundation.plugins import Metric, StatusCheck

LATE = timedelta(minutes=10)


def check() -> dict[str, Any]:
    """Warn when reservations are not expired."""
    late = timezone.now() - LATE
    stuck = Order.objects.overdue(late).count()
    return {
        "status": "warning" if stuck else "ok",
        "reservations_not_expired": stuck,
    }


def waiting_products() -> float:
    """Return products and edits in the approval queue."""
    return float(Product.objects.waiting().count() + ProductRevision.objects.waiting().count())


def open_disputes() -> float:
    """Return disputes that wait for a decision."""
    return float(Dispute.objects.filter(status="open").count())


CHECKS = [StatusCheck(name="marketplace", run=check)]
METRICS = [
    Metric(
        name="marketplace_approval_queue",
        help=gettext_noop("Products and edits waiting for review"),
        read=waiting_products,
    ),
    Metric(
        name="marketplace_open_disputes",
        help=gettext_noop("Disputes that wait for a decision"),
        read=open_disputes,
    ),
]

# How the status page names what the checks tell, by key.
WORDS = [
    ("marketplace", _("Marketplace")),
    ("reservations_not_expired", _("Reservations past their time")),
    ("webhooks_not_sent", _("Webhooks not yet sent")),
]
