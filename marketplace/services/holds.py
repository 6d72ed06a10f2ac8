"""Money of a seller that is held while disputes over sales already paid out to them are open."""

from typing import Any

from django.db.models import QuerySet

from marketplace.models import Dispute, LedgerTransaction, Order
from marketplace.services import ledger
from marketplace.services.ledger import Code, Leg


def share_in_dispute(order: Order) -> int:
    """Return what the seller received of an order and would lose: after fees and refunds."""
    return (
        order.sold
        - (order.commission - order.refunded_commission)
        - (order.tax - order.refunded_tax)
    )


def extend_holds(seller_id: int, currency: str, actor: Any = None) -> int:
    """Hold what open disputes still lack, out of what the seller could be paid now.

    Returns how much was held. A dispute is covered when as much is held as the seller would
    lose; until then the seller's later income is held for it, the oldest dispute first. The
    caller's transaction must post nothing for the seller before this locks the accounts.
    """
    held = 0
    for dispute in _open_disputes(seller_id, currency):
        held += hold_for(dispute, actor)
    return held


def missing_holds(seller_id: int, currency: str) -> int:
    """Return what `extend_holds` would hold if the seller had enough."""
    return sum(
        max(0, share_in_dispute(dispute.order) - dispute.held_amount)
        for dispute in _open_disputes(seller_id, currency)
        if dispute.order.is_recognised
    )


def _open_disputes(seller_id: int, currency: str) -> QuerySet[Dispute]:
    return (
        Dispute.objects.filter(
            status=Dispute.Status.OPEN,
            order__seller_id=seller_id,
            order__currency=currency,
            order__completed_at__isnull=False,
        )
        .select_related("order__buyer")
        .order_by("pk")
    )


def hold_for(dispute: Dispute, actor: Any = None) -> int:
    """Hold for one dispute what it lacks and the seller has; money with the buyers needs none."""
    order = dispute.order
    if not order.is_recognised:
        return 0
    balances = ledger.lock_seller(order.seller_id, order.currency)
    missing = share_in_dispute(order) - dispute.held_amount
    amount = max(0, min(missing, ledger.available(balances)))
    if not amount:
        return 0
    ledger.post(
        key=_key(dispute),
        kind="hold",
        currency=order.currency,
        legs=[
            Leg(Code.SELLER_PAYABLE, amount, order.seller_id),
            Leg(Code.SELLER_HELD, -amount, order.seller_id),
        ],
        actor=actor,
        order=order,
        dispute=dispute,
        is_demo=order.buyer.is_demo,
    )
    dispute.held_amount += amount
    dispute.save(update_fields=["held_amount"])
    return amount


def release_holds(dispute: Dispute, order: Order, actor: Any) -> None:
    """Reverse every hold of a dispute; what the seller came to owe meanwhile is taken first."""
    holds = list(LedgerTransaction.objects.filter(dispute=dispute, kind="hold").order_by("pk"))
    if not holds:
        return
    ledger.lock_seller(order.seller_id, order.currency)
    for hold in holds:
        key = hold.key.replace(":hold", ":release")
        ledger.reverse(hold, key=key, kind="release", actor=actor)
    balances = ledger.lock_seller(order.seller_id, order.currency)
    repaid = min(max(0, balances[Code.CLAWBACK]), ledger.available(balances))
    ledger.post(
        key=_clawback_key(dispute),
        kind="release",
        currency=order.currency,
        legs=[
            Leg(Code.SELLER_PAYABLE, repaid, order.seller_id),
            Leg(Code.CLAWBACK, -repaid, order.seller_id),
        ],
        actor=actor,
        order=order,
        dispute=dispute,
        is_demo=order.buyer.is_demo,
    )


def _key(dispute: Dispute) -> str:
    first = f"dispute:{dispute.pk}:hold"
    before = LedgerTransaction.objects.filter(dispute=dispute, kind="hold").count()
    return f"{first}:{before + 1}" if before else first


def _clawback_key(dispute: Dispute) -> str:
    """Return a key for each decision: an appeal may be followed by another."""
    first = f"dispute:{dispute.pk}:clawback"
    return f"{first}:{dispute.version}" if dispute.appealed_at else first
