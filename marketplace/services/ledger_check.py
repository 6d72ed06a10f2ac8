"""The check that the books add up."""

from django.db.models import Count, F, Max, Sum

from marketplace.models import (
    InvoiceSeries,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    OrderLine,
    Payout,
    PayoutCharge,
)
from marketplace.services.books import closed_months, totals_between
from systemadmin.foundation.snapshots import read_snapshot

Code = LedgerAccount.Code


def check_ledger() -> list[str]:
    """Return every way in which the books do not add up; an empty list is a clean bill.

    Everything is compared as it was at one moment, so that what is posted meanwhile raises no
    false alarm.
    """
    with read_snapshot():
        return find_faults()


def find_faults() -> list[str]:
    """Do what `check_ledger` does, in a view of the books that the caller keeps still."""
    return [
        *_unbalanced(),
        *_wrong_balances(),
        *_wrong_orders(),
        *_wrong_promotions(),
        *_wrong_payouts(),
        *_changed_months(),
        *_gaps_in_invoices(),
    ]


def _unbalanced() -> list[str]:
    entries = LedgerEntry.objects.order_by()
    wrong = entries.values("transaction_id", "currency").annotate(s=Sum("amount")).exclude(s=0)
    found = [f"transaction {row['transaction_id']}: {row['s']} {row['currency']}" for row in wrong]
    mixed = entries.exclude(currency=F("account__currency")).values_list("pk", flat=True)
    found += [f"entry {pk}: not in its account's currency" for pk in mixed[:100]]
    empty = LedgerTransaction.objects.annotate(n=Count("entries")).filter(n__lt=2)
    return found + [
        f"transaction {pk}: has no two sides" for pk in empty.values_list("pk", flat=True)
    ]


def _wrong_balances() -> list[str]:
    wrong = (
        LedgerAccount.objects.filter(seller__isnull=False)
        .annotate(booked=Sum("entries__amount", default=0))
        .exclude(balance=F("booked"))
    )
    return [f"account {one}: shows {one.balance}, holds {one.booked}" for one in wrong]


def _wrong_orders() -> list[str]:
    """Orders against what is booked for them in buyers' funds."""
    funds = dict(
        LedgerEntry.objects.filter(account__code=Code.BUYER_FUNDS)
        .order_by()
        .values("transaction__order_id")
        .annotate(s=Sum("amount"))
        .values_list("transaction__order_id", "s")
    )
    found = []
    paid = Order.objects.filter(paid_at__isnull=False)
    for order in paid.only("pk", "total", "refunded", "completed_at", "status").iterator():
        expected = 0 if order.completed_at else order.total - order.refunded
        held = -funds.pop(order.pk, 0)
        if held != expected:
            found.append(f"order {order.pk}: {held} in buyers' funds instead of {expected}")
    found += [
        f"order {pk}: {value} in buyers' funds unpaid" for pk, value in funds.items() if value
    ]
    lines = (
        Order.objects.annotate(s=Sum("lines__total", default=0))
        .exclude(total=F("s"))
        .values_list("pk", flat=True)
    )
    refunds = (
        OrderLine.objects.annotate(s=Sum("refund_lines__amount", default=0))
        .exclude(refunded=F("s"))
        .values_list("pk", flat=True)
    )
    found += [f"order {pk}: lines do not add up to the total" for pk in lines[:100]]
    return found + [f"line {pk}: refunds do not add up" for pk in refunds[:100]]


def _wrong_promotions() -> list[str]:
    """Discounts that the platform paid, by order, against what the orders say."""
    booked = dict(
        LedgerEntry.objects.filter(account__code=Code.PROMOTIONS, line__isnull=False)
        .order_by()
        .values("line__order_id")
        .annotate(s=Sum("amount"))
        .values_list("line__order_id", "s")
    )
    discounted = Order.objects.filter(completed_at__isnull=False, platform_discount__gt=0)
    paid = dict(
        discounted.values_list("pk", F("platform_discount") - F("refunded_platform_discount"))
    )
    return [
        f"order {pk}: {booked.get(pk, 0)} of discounts paid instead of {paid.get(pk, 0)}"
        for pk in sorted(booked.keys() | paid.keys())
        if booked.get(pk, 0) != paid.get(pk, 0)
    ]


def _wrong_payouts() -> list[str]:
    """Return payouts whose claims, their own entry included, do not cancel out.

    The credits among the claims are the amount of the payout.
    """
    wrong = (
        Payout.objects.annotate(s=Sum("items__entry__amount", default=0))
        .exclude(s=0)
        .values_list("pk", "s")
    )
    found = [f"payout {pk}: claims leave {left}" for pk, left in wrong]
    booked = dict(
        LedgerEntry.objects.filter(
            transaction__kind="payout_fee", account__code__in=(Code.REVENUE, Code.TAX)
        )
        .order_by()
        .values("transaction__payout_id")
        .annotate(s=-Sum("amount"))
        .values_list("transaction__payout_id", "s")
    )
    kept = dict(
        PayoutCharge.objects.order_by()
        .values("payout_id")
        .annotate(s=Sum(F("amount") + F("tax") - F("reversed_amount") - F("reversed_tax")))
        .values_list("payout_id", "s")
    )
    return found + [
        f"payout {pk}: {booked.get(pk, 0)} of fees booked instead of {kept.get(pk, 0)}"
        for pk in sorted(booked.keys() | kept.keys())
        if booked.get(pk, 0) != kept.get(pk, 0)
    ]


def _changed_months() -> list[str]:
    """Compare closed months with the turnover they were closed with; return what changed."""
    return [
        f"month {closed}: its turnover is not what it was closed with"
        for closed in closed_months()
        if totals_between(closed.start_at, closed.end_at) != closed.totals
    ]


def _gaps_in_invoices() -> list[str]:
    """Series of invoices against their counters."""
    wrong = InvoiceSeries.objects.annotate(n=Count("invoices"), top=Max("invoices__number"))
    return [
        f"series {series}: its numbers have gaps"
        for series in wrong
        if not series.n == (series.top or 0) == series.last_number
    ]
