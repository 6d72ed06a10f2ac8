"""Writes of orders: reserve, pay, complete, cancel, expire.

No step holds a lock across a payment: a reservation is one short transaction, the payment
service reports back in another, and whatever dies in between is found again by its state.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import (
    AmountMismatch,
    DisputeOpen,
    NotForSale,
    OrderNotResumable,
    OutOfStock,
    PaymentReferenceUsed,
    TransitionNotAllowed,
)
from marketplace.models import Order, OrderLine
from marketplace.services import approval_policies, clock, concerned, ledger, risk
from marketplace.services.announcements import announce_order
from marketplace.services.holds import extend_holds
from marketplace.services.ledger import Code, Leg
from marketplace.services.stock import give_back, reserve
from marketplace.services.transitions import move
from marketplace.transitions import ORDER
from systemadmin import audit
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.models import User
from systemadmin.services.duties import check_no_own_interest, decides
from systemadmin.services.known_passwords import given_by_others

EXPIRY = Batch("marketplace.expire_reservations")
COMPLETION = Batch("marketplace.complete_due_orders")


@decides("marketplace.pay_order", permission="marketplace.pay_order", concerns=concerned.parties)
@approval_policies.pay_order
@transaction.atomic
def pay_order(
    *,
    actor: User | None,
    order: Order,
    reference: str = "",
    amount: int | None = None,
    processing_fee: int = 0,
    reason: str = "",
    expected_version: int | None = None,
) -> Order:
    """Record that the buyer paid; a second call with the same reference changes nothing."""
    order = lock_row(Order.objects.all(), pk=order.pk, expected_version=expected_version)
    if order.paid_at and reference and order.payment_reference == reference:
        return order
    if amount is not None and amount != order.total:
        raise AmountMismatch(extra={"total": order.total})
    net = order.captured - order.commission - order.tax
    if not 0 <= processing_fee <= net:
        raise InvalidInput("processing_fee", _("Not more than the seller's net."))
    if reference and Order.objects.filter(payment_reference=reference).exists():
        raise PaymentReferenceUsed
    before, _after = move(order, ORDER, "pay")
    if before == Order.Status.EXPIRED:
        _take_again(order)
    order.paid_at = clock.now()
    order.payment_reference = reference
    order.processing_fee = processing_fee
    order.closed_at = None
    ledger.post(
        key=f"order:{order.pk}:payment",
        kind="payment",
        currency=order.currency,
        legs=[Leg(Code.CASH, order.total), Leg(Code.BUYER_FUNDS, -order.total)],
        actor=actor,
        order=order,
        is_demo=order.buyer.is_demo,
    )
    save_step(actor, order, "paid", before, reason)
    risk.report_risk_event(
        "purchase",
        account_id=order.buyer_id,
        external_id=f"order-{order.pk}-paid",
        amount=order.total,
        currency=order.currency,
        data={"order": order.pk, "seller": order.seller_id},
    )
    return order


def _take_again(order: Order) -> None:
    if order.external_id is not None:
        return  # the platform's own checkout keeps its stock
    try:
        for line in order.lines.order_by("product_id"):
            reserve(line.product_id, line.quantity)
    except (OutOfStock, NotForSale) as error:
        raise OrderNotResumable from error


@decides(
    "marketplace.complete_order",
    permission="marketplace.complete_order",
    concerns=concerned.parties_unless_buyer_confirms,
)
@transaction.atomic
def complete_order(
    *,
    actor: User | None,
    order: Order,
    expected_version: int | None = None,
    as_member: bool = False,
) -> Order:
    """Move the money of a received order from the buyers' funds to seller, platform and tax.

    `as_member`: the buyer confirms the receipt; staff may not complete their own orders.
    """
    order = lock_row(Order.objects.all(), pk=order.pk, expected_version=expected_version)
    if order.status == Order.Status.DISPUTED:
        raise DisputeOpen
    if as_member:
        _check_no_given_password(order)
    before, _after = move(order, ORDER, "complete")
    recognise(order, actor)
    save_step(actor, order, "completed", before)
    extend_holds(order.seller_id, order.currency, actor)
    record_sale(order)
    return order


def _check_no_given_password(order: Order) -> None:
    """Raise `OwnInterest` where whoever gave the buyer the password in force is the seller."""
    given = given_by_others([order.buyer_id]).get(order.buyer_id)
    if given is not None:
        check_no_own_interest(
            actor=given.actor, concerns=[order.seller_id], act="marketplace.complete_order"
        )


def recognise(order: Order, actor: User | None) -> None:
    """Book what is left of an order to seller, platform, tax and processor; caller saves.

    The seller gets what the platform's discount took off, and the platform pays it.
    """
    balances = ledger.lock_seller(order.seller_id, order.currency)
    lines = order.lines.select_related("commission")
    legs = completion_legs(order, lines, balances)
    ledger.post(
        key=f"order:{order.pk}:completion",
        kind="completion",
        currency=order.currency,
        legs=legs,
        actor=actor,
        order=order,
        is_demo=order.buyer.is_demo,
    )
    order.completed_at = clock.now()
    order.closed_at = order.completed_at


def completion_legs(
    order: Order, lines: Iterable[OrderLine], balances: dict[str, int]
) -> list[Leg]:
    """Return how what is left of an order goes to seller, platform, tax and processor."""
    legs = [Leg(Code.BUYER_FUNDS, order.total - order.refunded)]
    net = order.total - order.refunded - order.processing_fee
    net += order.platform_discount - order.refunded_platform_discount
    for line in lines:
        kept, tax = amounts_retained(line)
        legs += [Leg(Code.REVENUE, -kept, None, line.pk), Leg(Code.TAX, -tax, None, line.pk)]
        paid_by_platform = line.platform_discount - line.refunded_platform_discount
        legs.append(Leg(Code.PROMOTIONS, paid_by_platform, None, line.pk))
        net -= kept + tax
    legs.append(Leg(Code.PROCESSING, -order.processing_fee))
    return legs + ledger.move_seller(order.seller_id, balances, net)


def amounts_retained(line: OrderLine) -> tuple[int, int]:
    """Return what the platform keeps of a line's fees, the buyer's too, and the tax on them."""
    buyer_tax = line.buyer_fee_tax - line.refunded_buyer_fee_tax
    buyer_fee = line.buyer_fee - line.refunded_buyer_fee - buyer_tax
    kept = line.commission.amount - line.refunded_commission + buyer_fee
    return kept, line.commission.tax - line.refunded_tax + buyer_tax


def record_sale(order: Order) -> None:
    """Tell the risk engine that a sale went through."""
    risk.report_risk_event(
        "sale",
        account_id=order.seller_id,
        external_id=f"order-{order.pk}-completed",
        amount=order.total - order.refunded,
        currency=order.currency,
        data={"order": order.pk, "buyer": order.buyer_id},
    )


@decides(
    "marketplace.cancel_order",
    permission="marketplace.refund_order",
    concerns=concerned.parties_unless_theirs,
)
@transaction.atomic
def cancel_order(
    *, actor: User, order: Order, reason: str = "", expected_version: int | None = None
) -> Order:
    """Give a reservation up; its stock is free again at once."""
    order = lock_row(Order.objects.all(), pk=order.pk, expected_version=expected_version)
    before, _after = move(order, ORDER, "cancel")
    give_back(order)
    order.cancel_reason = reason
    order.closed_at = clock.now()
    save_step(actor, order, "cancelled", before, reason)
    return order


@transaction.atomic
def expire_order(*, order_id: int) -> bool:
    """Expire one reservation whose time is over; False when it is not (any more)."""
    try:
        order = lock_row(Order.objects.all(), pk=order_id)
        if order.reserved_until > clock.now():
            return False
        before, _after = move(order, ORDER, "expire")
    except (NotFound, TransitionNotAllowed):
        return False
    give_back(order)
    order.closed_at = clock.now()
    save_step(None, order, "expired", before)
    return True


def expire_reservations(*, limit: int = 1000) -> int:
    """Expire what is overdue, one short transaction an order."""
    overdue = Order.objects.overdue(clock.now()).order_by("reserved_until")
    return sum(EXPIRY.each(EXPIRY.due(overdue, limit), lambda pk: expire_order(order_id=pk)))


def complete_due_orders(*, limit: int = 1000) -> int:
    """Complete orders that were paid long enough ago without a dispute."""
    days = setting("marketplace.complete_after_days")
    if not days:
        return 0
    due = Order.objects.filter(
        status=Order.Status.PAID, paid_at__lt=clock.now() - timedelta(days=days)
    )
    return sum(COMPLETION.each(COMPLETION.due(due.order_by("paid_at"), limit), _complete_if_paid))


def _complete_if_paid(pk: int) -> bool:
    try:
        complete_order(actor=None, order=Order(pk=pk))
    except (NotFound, TransitionNotAllowed, DisputeOpen):
        return False
    return True


def save_step(
    actor: User | None, order: Order, what: str, before: str, reason: str = "", **about: Any
) -> None:
    order.bump()
    # Parties never change: looking them up again would cost two queries a step.
    order.clean_fields(exclude=["buyer", "seller"])
    order.save()
    audit.record(
        f"marketplace.order.{what}",
        actor=actor,
        target=order,
        before={"status": before},
        after={"status": order.status, "refunded": order.refunded},
        reason=reason,
    )
    announce_order(order, what, **about)
