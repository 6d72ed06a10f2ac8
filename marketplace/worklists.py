"""What waits at the marketplace, for the rail and the home page of the admin."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from marketplace.models import Dispute, Payout, Product, ProductRevision
from marketplace.review_queues import DISPUTES, EDITS, PAYOUTS, PRODUCTS
from systemadmin.foundation.display import display_name
from systemadmin.foundation.money import format_money
from systemadmin.foundation.plugins import Desk, DeskPage, Line, Worklist
from systemadmin.foundation.review_queues import Queue
from systemadmin.foundation.waiting import change_page


def _review(queue: Queue) -> str:
    return reverse("admin:review_queue", args=[queue.code])


def _product(product: Product) -> Line:
    return Line(
        title=product.title,
        url=change_page(product),
        text=f"{display_name(product.seller)} · {format_money(product.price, product.currency)}",
        at=product.submitted_at,
    )


def _revision(revision: ProductRevision) -> Line:
    return Line(
        title=revision.product.title,
        url=change_page(revision),
        text=display_name(revision.product.seller),
        at=revision.submitted_at,
    )


def _dispute(dispute: Dispute) -> Line:
    order = dispute.order
    return Line(
        title=_("Order %(number)s: %(reason)s")
        % {"number": order.pk, "reason": dispute.get_reason_display()},
        url=change_page(dispute),
        text=f"{display_name(order.buyer)} → {display_name(order.seller)}",
        at=dispute.created_at,
        badge=format_money(order.total, order.currency),
    )


def _payout(payout: Payout) -> Line:
    return Line(
        title=display_name(payout.seller),
        url=change_page(payout),
        text=payout.failure_reason,
        at=payout.updated_at,
        badge=format_money(payout.amount, payout.currency),
    )


DESKS = [
    Desk(
        code="market",
        key="m",
        title=_("Market"),
        icon="store",
        order=20,
        models=["marketplace"],
        start="admin:marketplace_product_changelist",
        pages=[
            DeskPage(
                title=_("Reports"),
                view="admin:marketplace_reports",
                permission="marketplace.view_reports",
            )
        ],
    )
]
WORKLISTS = [
    Worklist(
        code="marketplace.products",
        title=_("Products to review"),
        permission="marketplace.moderate_product",
        rows=lambda user: Product.objects.waiting().select_related("seller"),
        url=lambda: _review(PRODUCTS),
        queue=PRODUCTS,
        added="submitted_at",
        line=_product,
        icon="tag",
        order=30,
    ),
    Worklist(
        code="marketplace.revisions",
        title=_("Edits to review"),
        permission="marketplace.moderate_product",
        rows=lambda user: ProductRevision.objects.waiting().select_related("product__seller"),
        url=lambda: _review(EDITS),
        queue=EDITS,
        added="submitted_at",
        line=_revision,
        icon="git-compare",
        order=31,
    ),
    Worklist(
        code="marketplace.disputes",
        title=_("Disputes to resolve"),
        permission="marketplace.resolve_dispute",
        rows=lambda user: (
            Dispute.objects.filter(status="open")
            .select_related("order__buyer", "order__seller")
            .order_by("created_at", "pk")
        ),
        url=lambda: _review(DISPUTES),
        queue=DISPUTES,
        added="created_at",
        line=_dispute,
        icon="scale",
        order=32,
    ),
    Worklist(
        code="marketplace.payouts",
        title=_("Payouts that failed"),
        permission="marketplace.change_payout",
        rows=lambda user: (
            Payout.objects.filter(status="failed").select_related("seller").order_by("-pk")
        ),
        url=lambda: _review(PAYOUTS),
        queue=PAYOUTS,
        added="updated_at",
        line=_payout,
        icon="banknote",
        order=33,
    ),
]
