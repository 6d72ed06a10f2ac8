"""Reads of payouts."""

from datetime import timedelta
from typing import Any

from django.db.models import F, QuerySet, Sum

from marketplace.models import BankLine, Payout, PayoutItem


def waiting_for_a_file() -> QuerySet:
    """Return the pending payouts that no batch has taken."""
    return Payout.objects.filter(status=Payout.Status.PENDING, batch__isnull=True)


def came_back(payout: Payout) -> QuerySet:
    """Return the lines of bank statements by which the bank sent a payout of a file back.

    None for one that was tried again: a line is about the first attempt.
    """
    if payout.batch is None or payout.attempts > 1:
        return BankLine.objects.none()
    return BankLine.objects.filter(
        currency=payout.currency,
        amount=payout.amount,
        reference__contains=payout.bank_reference,
        booked_on__gte=payout.batch.created_at.date() - timedelta(days=1),
        matches__isnull=True,
    )


def paid_orders(payout: Payout) -> list[dict[str, Any]]:
    """Return each order that a payout pays: gross, commission, tax, refunds, and its net part.

    Gross and refunds are the seller's: without the buyer's fees, with what the platform discounted.
    `net` is what this payout pays of the order; it is negative where the order was refunded
    after an earlier payout.
    """
    order = "entry__transaction__order"
    rows = (
        PayoutItem.objects.filter(payout=payout, entry__transaction__order__isnull=False)
        .order_by()
        .values(
            order=F(f"{order}_id"),
            gross=F(f"{order}__total")
            - F(f"{order}__buyer_fee")
            + F(f"{order}__platform_discount"),
            commission=F(f"{order}__commission") - F(f"{order}__refunded_commission"),
            tax=F(f"{order}__tax") - F(f"{order}__refunded_tax"),
            refunded=F(f"{order}__refunded")
            - F(f"{order}__refunded_buyer_fee")
            + F(f"{order}__refunded_platform_discount"),
        )
        .annotate(paid=Sum("entry__amount"))
        .order_by("order")
    )
    return [{**row, "net": -row["paid"]} for row in rows if row["paid"]]


def other_entries(payout: Payout) -> list[dict[str, Any]]:
    """Return what a payout pays or takes that belongs to no order, by kind; its own fees too."""
    rows = (
        PayoutItem.objects.filter(payout=payout, entry__transaction__order__isnull=True)
        .exclude(entry__transaction__payout=payout, entry__transaction__kind="payout")
        .order_by()
        .values(kind=F("entry__transaction__kind"))
        .annotate(paid=Sum("entry__amount"))
        .order_by("kind")
    )
    return [{"kind": row["kind"], "amount": -row["paid"]} for row in rows if row["paid"]]
