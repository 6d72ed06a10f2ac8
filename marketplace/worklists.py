"""What waits at the marketplace, for the admin home."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from marketplace.models import Dispute, Payout, Product, ProductRevision, WebhookDelivery
from systemadmin.foundation.plugins import Worklist


def _list(model: str, query: str) -> str:
    return f"{reverse(f'admin:marketplace_{model}_changelist')}?{query}"


WORKLISTS = [
    Worklist(
        title=_("Products to review"),
        permission="marketplace.moderate_product",
        count=lambda user: Product.objects.waiting().count(),
        url=lambda: _list("product", "status__exact=pending&o=5"),
        order=20,
    ),
    Worklist(
        title=_("Edits to review"),
        permission="marketplace.moderate_product",
        count=lambda user: ProductRevision.objects.waiting().count(),
        url=lambda: _list("productrevision", "status__exact=pending"),
        order=21,
    ),
    Worklist(
        title=_("Disputes to resolve"),
        permission="marketplace.resolve_dispute",
        count=lambda user: Dispute.objects.filter(status="open").count(),
        url=lambda: _list("dispute", "status__exact=open"),
        order=22,
    ),
    Worklist(
        title=_("Payouts that failed"),
        permission="marketplace.change_payout",
        count=lambda user: Payout.objects.filter(status="failed").count(),
        url=lambda: _list("payout", "status__exact=failed"),
        order=23,
    ),
    Worklist(
        title=_("Webhooks that were given up"),
        permission="marketplace.view_webhookdelivery",
        count=lambda user: WebhookDelivery.objects.filter(status="failed").count(),
        url=lambda: _list("webhookdelivery", "status__exact=failed"),
        order=24,
    ),
]
