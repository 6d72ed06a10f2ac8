"""Writes of orders: reserve, pay, complete, cancel, expire.

No step holds a lock across a payment: a reservation is one short transaction, the payment
service reports back in another, and whatever dies in between is found again by its state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.commission import Charge, Commission
from marketplace.errors import (
    AmountMismatch,
    DisputeOpen,
    NotForSale,
    OrderNotResumable,
    OutOfStock,
    OwnProduct,
    PaymentReferenceUsed,
    TransitionNotAllowed,
)
from marketplace.models import CommissionCharge, CommissionLine, Order, OrderLine, Product
from marketplace.models.fields import MAX_AMOUNT
from marketplace.refunds import terms_of
from marketplace.services import by_two, clock, concerned, ledger, risk
from marketplace.services.announcements import announce_order
from marketplace.services.holds import extend_holds
from marketplace.services.ledger import Code, Leg
from marketplace.services.products import check_seller
from marketplace.services.quotes import QuoteLine, included_tax, quote_order
from marketplace.services.transitions import move
from marketplace.transitions import ORDER
from systemadmin import audit
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.models import User
from systemadmin.services.duties import decides

MAX_LINES = 50
EXPIRY = Batch("marketplace.expire_reservations")
COMPLETION = Batch("marketplace.complete_due_orders")


@dataclass(frozen=True, slots=True)
class Item:
    """What a buyer wants, and how many."""

    product_id: int
    quantity: int = 1


@transaction.atomic
def create_order(
    *, actor: User, buyer: User, items: Sequence[Item], expected_total: int | None = None
) -> Order:
    """Reserve stock and freeze price and commission until the payment arrives."""
    wanted: dict[int, int] = {}
    for item in items:
        wanted[item.product_id] = wanted.get(item.product_id, 0) + item.quantity
    if not 1 <= len(wanted) <= MAX_LINES:
        raise InvalidInput("items", _("An order has 1 to %(max)d products.") % {"max": MAX_LINES})
    # In order of key, so that two orders over the same products cannot wait for each other.
    for product_id, quantity in sorted(wanted.items()):
        _take(product_id, quantity)
    products = list(
        Product.objects.filter(pk__in=wanted).select_related("seller", "category").order_by("pk")
    )
    _check_basket(buyer, products)
    order = _build(buyer, products, wanted)
    if expected_total is not None and expected_total != order.total:
        raise AmountMismatch(
            _("The price has changed."), code="price_changed", extra={"total": order.total}
        )
    audit.record(
        "marketplace.order.created",
        actor=actor,
        target=order,
        after={"total": order.total, "currency": order.currency, "products": wanted},
    )
    announce_order(order, "created")
    return order


def _take(product_id: int, quantity: int) -> None:
    """Take stock by a conditional update: the database itself refuses the sixth of five."""
    taken = (
        Product.objects.filter(pk=product_id, status=Product.Status.APPROVED)
        .filter(Q(stock__isnull=True) | Q(stock__gte=quantity))
        .update(stock=F("stock") - quantity)
    )
    if taken:
        return
    product = Product.objects.filter(pk=product_id).only("status", "stock").first()
    if product is None:
        raise NotFound
    if product.status != Product.Status.APPROVED:
        raise NotForSale(extra={"product": product_id})
    raise OutOfStock(extra={"product": product_id, "stock": product.stock})


def give_back(order: Order) -> None:
    """Put what an unpaid order had taken from stock back."""
    lines = order.lines.filter(has_stock=True).order_by("product_id")
    for product_id, quantity in lines.values_list("product_id", "quantity"):
        restock(product_id, quantity)


def restock(product_id: int, quantity: int) -> None:
    """Add units to a product's stock, where it has one."""
    Product.objects.filter(pk=product_id, stock__isnull=False).update(stock=F("stock") + quantity)


def _check_basket(buyer: User, products: list[Product]) -> None:
    first = products[0]
    if any(product.seller_id != first.seller_id for product in products):
        raise InvalidInput("items", _("All products of an order are from one seller."))
    if any(product.currency != first.currency for product in products):
        raise InvalidInput("items", _("All products of an order are in one currency."))
    if first.seller_id == buyer.pk:
        raise OwnProduct
    check_seller(first.seller)


def _build(buyer: User, products: list[Product], wanted: dict[int, int]) -> Order:
    first, now = products[0], clock.now()
    lines = [_line(product, wanted[product.pk]) for product in products]
    if sum(line.total for line in lines) > MAX_AMOUNT:
        raise InvalidInput("quantity", _("The order is too large."))
    charged = quote_order(
        currency=first.currency,
        lines=[
            QuoteLine(
                item=line.unit_price * line.quantity,
                quantity=line.quantity,
                product=product,
                shipping=line.shipping,
                discount=line.discount,
                tax_included=line.tax_included,
            )
            for product, line in zip(products, lines, strict=True)
        ],
        seller_id=first.seller_id,
        buyer_id=buyer.pk,
        at=now,
    )
    order = Order(
        buyer=buyer,
        seller=first.seller,
        currency=first.currency,
        reserved_until=now + timedelta(minutes=setting("marketplace.reservation_minutes")),
    )
    save_with_lines(order, lines, charged)
    return order


def save_with_lines(
    order: Order, lines: Sequence[OrderLine], charged: Sequence[Commission]
) -> None:
    """Write a new order with its lines and what each was charged."""
    for line, one in zip(lines, charged, strict=True):
        line.buyer_fee = one.buyer_amount + one.buyer_tax
        line.buyer_fee_tax = one.buyer_tax
        line.total += line.buyer_fee
    order.total = sum(line.total for line in lines)
    order.buyer_fee = sum(line.buyer_fee for line in lines)
    order.commission = sum(one.amount for one in charged)
    order.tax = sum(one.tax for one in charged)
    order.save(force_insert=True)
    for line in lines:
        line.order = order
    OrderLine.objects.bulk_create(lines)
    pairs = list(zip(lines, charged, strict=True))
    CommissionLine.objects.bulk_create([_frozen(line, one) for line, one in pairs])
    CommissionCharge.objects.bulk_create(
        [_charge(line, part) for line, one in pairs for part in one.charges]
    )


def _line(product: Product, quantity: int) -> OrderLine:
    total = product.price * quantity + product.shipping_amount
    return OrderLine(
        product=product,
        category=product.category,
        kind=product.kind,
        title=product.title,
        quantity=quantity,
        unit_price=product.price,
        shipping=product.shipping_amount,
        tax_included=included_tax(total, product.tax_ppm),
        total=total,
        has_stock=product.stock is not None,
    )


def _frozen(line: OrderLine, charged: Commission) -> CommissionLine:
    rule = charged.rule
    return CommissionLine(
        line=line,
        rule_id=rule.id if rule else None,
        rule_version=rule.version if rule else None,
        currency=charged.currency,
        base=charged.base,
        captured=charged.captured,
        amount=charged.amount,
        tax=charged.tax,
        seller_net=charged.seller_net,
        refundable=charged.refundable,
        refund_fee_ppm=rule.refund_fee_ppm if rule else 0,
        refund_fee_maximum=rule.refund_fee_maximum if rule else None,
        trace=list(charged.trace),
    )


def _charge(line: OrderLine, charge: Charge) -> CommissionCharge:
    return CommissionCharge(
        line=line,
        group=charge.group,
        fee_id=charge.fee.id or None,
        fee_name=charge.fee.name or charge.fee.code,
        payer=charge.fee.payer,
        rule_id=charge.rule.id or None,
        rule_version=charge.rule.version,
        base=charge.base.amount,
        base_shipping=charge.base.shipping,
        amount=charge.amount,
        tax=charge.tax,
        refundable=charge.refundable,
        volume=charge.volume,
        terms=terms_of(charge.rule),
    )


@decides("marketplace.pay_order", permission="marketplace.pay_order", concerns=concerned.parties)
@by_two.pay_order
@transaction.atomic
def pay_order(
    *,
    actor: User | None,
    order: Order,
    reference: str = "",
    amount: int | None = None,
    processing_fee: int = 0,
    expected_version: int | None = None,
) -> Order:
    """Record that the buyer paid; told twice with the same reference, it happened once."""
    order = lock_row(Order.objects.all(), pk=order.pk, expected_version=expected_version)
    if order.paid_at and reference and order.payment_reference == reference:
        return order
    if amount is not None and amount != order.total:
        raise AmountMismatch(extra={"total": order.total})
    net = order.total - order.buyer_fee - order.commission - order.tax
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
    save_step(actor, order, "paid", before)
    risk.record(
        "purchase",
        account_id=order.buyer_id,
        external_id=f"order-{order.pk}-paid",
        amount=order.total,
        currency=order.currency,
        data={"order": order.pk, "seller": order.seller_id},
    )
    return order


def _take_again(order: Order) -> None:
    try:
        for line in order.lines.order_by("product_id"):
            _take(line.product_id, line.quantity)
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
    before, _after = move(order, ORDER, "complete")
    recognise(order, actor)
    save_step(actor, order, "completed", before)
    extend_holds(order.seller_id, order.currency, actor)
    record_sale(order)
    return order


def recognise(order: Order, actor: User | None) -> None:
    """Book what is left of an order to seller, platform, tax and processor; caller saves."""
    balances = ledger.lock_seller(order.seller_id, order.currency)
    legs = [Leg(Code.BUYER_FUNDS, order.total - order.refunded)]
    net = order.total - order.refunded - order.processing_fee
    for line in order.lines.select_related("commission"):
        kept, tax = kept_of(line)
        legs += [Leg(Code.REVENUE, -kept, None, line.pk), Leg(Code.TAX, -tax, None, line.pk)]
        net -= kept + tax
    legs.append(Leg(Code.PROCESSING, -order.processing_fee))
    legs += ledger.move_seller(order.seller_id, balances, net)
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


def kept_of(line: OrderLine) -> tuple[int, int]:
    """Return what the platform keeps of a line's fees, the buyer's too, and the tax on them."""
    buyer_tax = line.buyer_fee_tax - line.refunded_buyer_fee_tax
    buyer_fee = line.buyer_fee - line.refunded_buyer_fee - buyer_tax
    kept = line.commission.amount - line.refunded_commission + buyer_fee
    return kept, line.commission.tax - line.refunded_tax + buyer_tax


def record_sale(order: Order) -> None:
    """Tell the risk engine that a sale went through."""
    risk.record(
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
    actor: User | None, order: Order, what: str, before: str, reason: str = "", **ids: Any
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
    announce_order(order, what, **ids)
