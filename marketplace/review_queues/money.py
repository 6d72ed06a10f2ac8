"""Disputes and payouts that failed, at the review desk."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db.models import Prefetch, Value
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.models import (
    Dispute,
    DisputeMessage,
    Payout,
)
from marketplace.services.dispute_readings import readable
from marketplace.services.payout_fees import returnable
from systemadmin.foundation.display import display_name
from systemadmin.foundation.forms import clean_amount
from systemadmin.foundation.money import format_money
from systemadmin.foundation.review_queues import Card, Decision, Panel, Queue

NEVER = datetime(9999, 1, 1, tzinfo=UTC)


# -- disputes ------------------------------------------------------------------------


def _parties(order: Any) -> dict[str, str]:
    return {"buyer": display_name(order.buyer), "seller": display_name(order.seller)}


def _dispute_card(dispute: Any) -> Card:
    order = dispute.order
    marks = [("", dispute.get_reason_display())]
    if dispute.external_reference:
        marks.append(("bad", _("Chargeback")))
    return Card(
        title=gettext("%(buyer)s and %(seller)s") % _parties(order),
        line=f"{order} · {format_money(order.refundable, order.currency)}",
        marks=marks,
        since=dispute.created_at,
    )


def _dispute_panels(request: Any, dispute: Any) -> list[Panel]:
    order = dispute.order
    money = [
        (_("Paid"), format_money(order.total, order.currency)),
        (_("Refunded"), format_money(order.refunded, order.currency)),
        (_("Can be refunded"), format_money(order.refundable, order.currency)),
        (_("Held from the seller"), format_money(dispute.held_amount, order.currency)),
    ]
    if dispute.charged_back:
        money.append((_("Charged back"), format_money(dispute.charged_back, order.currency)))
    messages = readable(user=request.user, dispute=dispute, messages=dispute.messages.all())
    return [
        Panel(
            title=_("What they say"),
            template="admin/review/messages.html",
            context={"messages": messages, "dispute": dispute},
            mark=len(messages),
        ),
        Panel(
            title=_("Order and money"),
            rows=[
                (_("Order"), order),
                (_("Status"), order.get_status_display()),
                (_("Buyer"), display_name(order.buyer)),
                (_("Seller"), display_name(order.seller)),
                *money,
            ],
            is_aside=True,
            link=(_("Open the order"), reverse("admin:marketplace_order_change", args=[order.pk])),
        ),
    ]


def _for_buyer(dispute: Any, data: Mapping[str, Any]) -> str:
    order = dispute.order
    if order.completed_at is None:
        text = gettext(
            "%(amount)s go back to %(buyer)s; %(seller)s is not paid that part. "
            "It cannot be undone."
        )
    else:
        text = gettext(
            "%(amount)s go back to %(buyer)s. %(seller)s has that money already: it is taken from "
            "what is payable to them, and what that does not cover they owe. It cannot be undone."
        )
    minor = order.refundable
    if data.get("refund_amount") is not None:
        minor = clean_amount("refund_amount", data["refund_amount"], order.currency) or 0
    amount = format_money(minor, order.currency)
    return text % {**_parties(order), "amount": amount}


def _for_seller(dispute: Any, _data: Mapping[str, Any]) -> str:
    order = dispute.order
    text = gettext(
        "Nothing of the %(amount)s that %(buyer)s paid is refunded; %(seller)s keeps the sale."
    )
    amount = format_money(order.refundable, order.currency)
    return text % {**_parties(order), "amount": amount}


DISPUTES = Queue(
    code="disputes",
    model="marketplace.Dispute",
    rows=lambda user: (
        Dispute.objects.select_related("order__buyer", "order__seller", "opened_by", "resolved_by")
        .prefetch_related(
            Prefetch("messages", DisputeMessage.objects.select_related("author").order_by("pk"))
        )
        .annotate(due=Coalesce("evidence_due_at", Value(NEVER)))
    ),
    waiting=lambda rows: rows.filter(status=Dispute.Status.OPEN),
    # A bank's deadline comes first, then what waits longest.
    order=("due", "pk"),
    card=_dispute_card,
    panels=_dispute_panels,
    account=lambda dispute: dispute.order.seller,
    decisions=[
        Decision(
            code="buyer",
            action="resolve_for_buyer",
            title=_("For the buyer"),
            key="b",
            text="note",
            fields=["refund_amount"],
            consequence=_for_buyer,
        ),
        Decision(
            code="seller",
            action="resolve_for_seller",
            title=_("For the seller"),
            key="s",
            text="note",
            consequence=_for_seller,
        ),
    ],
    text_label=_("Why: it is kept with the dispute"),
    decided=lambda dispute: (dispute.resolved_by, dispute.resolved_at),
)


# -- what failed ---------------------------------------------------------------------


def _payout_card(payout: Any) -> Card:
    return Card(
        title=display_name(payout.seller),
        line=format_money(payout.amount, payout.currency),
        marks=[("bad", payout.get_status_display())],
        since=payout.created_at,
    )


def goes_back(payout: Payout) -> str:
    """Say what cancelling a payout does."""
    text = gettext(
        "%(amount)s go back to the balance of %(seller)s. This payout is not tried again."
    )
    amount = format_money(payout.amount + returnable(payout), payout.currency)
    return text % {"amount": amount, "seller": display_name(payout.seller)}


def _cancel_payout(payout: Any, _data: Mapping[str, Any]) -> str:
    return goes_back(payout)


PAYOUTS = Queue(
    code="payouts",
    model="marketplace.Payout",
    rows=lambda user: Payout.objects.select_related("seller"),
    waiting=lambda rows: rows.filter(status=Payout.Status.FAILED),
    order=("pk",),
    card=_payout_card,
    account=lambda payout: payout.seller,
    shows_page=True,
    decisions=[
        Decision(
            code="retry",
            action="retry",
            title=_("Try again"),
            key="a",
            tone="good",
            icon="refresh-cw",
            consequence=lambda payout, _data: (
                gettext("%(amount)s are paid to %(seller)s once more.")
                % {
                    "amount": format_money(payout.amount, payout.currency),
                    "seller": display_name(payout.seller),
                }
            ),
        ),
        Decision(
            code="cancel",
            action="cancel",
            title=_("Cancel: back to the balance"),
            key="r",
            tone="bad",
            text="reason",
            needs_text=True,
            consequence=_cancel_payout,
        ),
    ],
    text_label=_("Why"),
)
