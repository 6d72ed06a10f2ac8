"""What statements and invoices say, for all sellers at once, out of the ledger."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Coalesce

from marketplace.models import LedgerAccount, LedgerEntry, LedgerTransaction, OrderLine, RefundLine

Key = tuple[int, str]


def balances_before(moment: datetime) -> dict[Key, int]:
    """Return {(seller, currency): balance} before a moment; what is owed counts against it."""
    rows = (
        LedgerEntry.objects.filter(
            account__code__in=LedgerAccount.SELLER_CODES, transaction__posted_at__lt=moment
        )
        .order_by()
        .values_list("account__seller_id", "currency")
        .annotate(sum=Sum("amount"))
    )
    return {(seller, currency): -value for seller, currency, value in rows}


def movements(start: datetime, end: datetime) -> dict[Key, dict[str, int]]:
    """Return {(seller, currency): {kind: change of the balance}} of a period."""
    rows = (
        LedgerEntry.objects.between(start, end)
        .filter(account__code__in=LedgerAccount.SELLER_CODES)
        .order_by()
        .values_list("account__seller_id", "currency", "transaction__kind")
        .annotate(sum=Sum("amount"))
    )
    found: dict[Key, dict[str, int]] = defaultdict(dict)
    for seller, currency, kind, value in rows:
        if value:
            found[seller, currency][kind] = -value
    return found


def commission_of(start: datetime, end: datetime) -> dict[Key, dict[str, int]]:
    """Return per seller and currency what was charged, went back and was credited, with taxes.

    Fees that buyers pay on top are booked as revenue too and are no business of the seller's, so
    the parts come from the lines of the orders and refunds that were booked in the period.
    """
    found: dict[Key, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    booked = LedgerTransaction.objects.filter(posted_at__gte=start, posted_at__lt=end)
    completed = booked.filter(kind="completion").values("order_id")
    lines = OrderLine.objects.filter(order_id__in=completed)
    _add(found, lines, "order", "commission__amount", "commission__tax", "charged", 1)
    # Refunds before the completion were taken off what was booked at it.
    early = LedgerEntry.objects.filter(transaction__kind="refund", account__code="buyer_funds")
    early_ids = early.values("transaction__refund_id")
    before = RefundLine.objects.filter(refund__order_id__in=completed, refund_id__in=early_ids)
    _add(found, before, "refund__order", "commission", "tax", "charged", -1)
    refunds = booked.filter(kind="refund").values("refund_id")
    later = RefundLine.objects.filter(refund_id__in=refunds).exclude(refund_id__in=early_ids)
    _add(found, later, "refund__order", "commission", "tax", "returned", -1)
    _add_payout_fees(found, start, end)
    _add_credits(found, start, end)
    return found


def _add(
    found: dict[Key, dict[str, int]],
    rows: QuerySet[Any],
    order: str,
    amount: str,
    tax: str,
    name: str,
    sign: int,
) -> None:
    sums = (
        rows.order_by()
        .values_list(f"{order}__seller_id", f"{order}__currency")
        .annotate(net=Sum(amount), taxed=Sum(tax))
    )
    for seller, currency, net, taxed in sums:
        found[seller, currency][name] += sign * (net or 0)
        found[seller, currency]["tax"] += sign * (taxed or 0)


def _add_payout_fees(found: dict[Key, dict[str, int]], start: datetime, end: datetime) -> None:
    """Fees per payout, less those that went back with a payout that did not arrive."""
    rows = (
        LedgerEntry.objects.between(start, end)
        .filter(transaction__kind="payout_fee", account__code__in=("revenue", "tax"))
        .order_by()
        .values_list("transaction__payout__seller_id", "currency", "account__code")
        .annotate(sum=Sum("amount"))
    )
    for seller, currency, code, value in rows:
        found[seller, currency]["payouts" if code == "revenue" else "tax"] -= value


def _add_credits(found: dict[Key, dict[str, int]], start: datetime, end: datetime) -> None:
    """Commission that entries by hand gave back or charged."""
    rows = (
        LedgerEntry.objects.between(start, end)
        .filter(transaction__kind="journal", account__code="revenue")
        .annotate(party=Coalesce("transaction__journal_entry__seller_id", F("account__seller_id")))
        .filter(party__isnull=False)
        .order_by()
        .values_list("party", "currency")
        .annotate(sum=Sum("amount"))
    )
    for seller, currency, value in rows:
        found[seller, currency]["credited"] -= value
