"""New orders: what is wanted, at which price, with which discounts, and what it is charged.

An order is made of the lines that `quote_order` returns, so a quote of the same basket says the
same to the last minor unit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.commission import Charge, Commission
from marketplace.errors import AmountMismatch, OwnProduct
from marketplace.models import CommissionCharge, CommissionLine, Order, OrderLine, Product
from marketplace.models.fields import MAX_AMOUNT
from marketplace.refunds import terms_of
from marketplace.services import clock
from marketplace.services.announcements import announce_order
from marketplace.services.products import check_seller
from marketplace.services.quotes import QuotedLine, QuoteLine, quote_order
from marketplace.services.stock import reserve
from systemadmin import audit
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User
from systemadmin.services.duties import check_key_owner

MAX_LINES = 50


@dataclass(frozen=True, slots=True)
class Item:
    """What a buyer wants, and how many.

    What is left None is the product's own: price, shipping, and the sales tax that both include.
    The seller gives `discount` away; the platform pays `platform_discount`. All are of the line.
    """

    product_id: int
    quantity: int = 1
    unit_price: int | None = None
    shipping: int | None = None
    discount: int = 0
    platform_discount: int = 0
    tax_included: int | None = None

    @property
    def has_own_terms(self) -> bool:
        """Whether anything but the number differs from what the product says."""
        return replace(self, quantity=1) != Item(self.product_id)


@transaction.atomic
def create_order(
    *,
    actor: User,
    buyer: User,
    items: Sequence[Item],
    discount: int = 0,
    platform_discount: int = 0,
    expected_total: int | None = None,
) -> Order:
    """Reserve stock and freeze price and commission until the payment arrives.

    `discount` and `platform_discount` are of the whole order, besides those of its items.
    """
    wanted = _wanted(items)
    # In order of key, so that two orders over the same products cannot wait for each other.
    for product_id in sorted(wanted):
        reserve(product_id, wanted[product_id].quantity)
    products = list(
        Product.objects.filter(pk__in=wanted).select_related("seller", "category").order_by("pk")
    )
    _check_basket(buyer, products)
    check_key_owner(concerns=[products[0].seller_id], act="marketplace.create_order")
    now = clock.now()
    quoted = quote_order(
        currency=products[0].currency,
        lines=[quote_line(product, wanted[product.pk]) for product in products],
        seller_id=products[0].seller_id,
        buyer_id=buyer.pk,
        discount=discount,
        platform_discount=platform_discount,
        at=now,
    )
    order = Order(
        buyer=buyer,
        seller=products[0].seller,
        currency=products[0].currency,
        reserved_until=now + timedelta(minutes=setting("marketplace.reservation_minutes")),
    )
    save_with_lines(order, quoted)
    if expected_total is not None and expected_total != order.total:
        raise AmountMismatch(
            _("The price has changed."), code="price_changed", extra={"total": order.total}
        )
    _record_creation(actor, order, wanted)
    announce_order(order, "created")
    return order


def _record_creation(actor: User, order: Order, wanted: dict[int, Item]) -> None:
    audit.record(
        "marketplace.order.created",
        actor=actor,
        target=order,
        after={
            "total": order.total,
            "currency": order.currency,
            "products": {product_id: item.quantity for product_id, item in wanted.items()},
            "discount": order.discount,
            "platform_discount": order.platform_discount,
        },
    )


def _wanted(items: Sequence[Item]) -> dict[int, Item]:
    """Return the items by product; the same product twice is one line unless the terms differ."""
    found: dict[int, Item] = {}
    for item in items:
        known = found.get(item.product_id)
        if known is None:
            found[item.product_id] = item
            continue
        if known.has_own_terms or item.has_own_terms:
            raise InvalidInput("items", _("Name each product once."))
        found[item.product_id] = replace(known, quantity=known.quantity + item.quantity)
    if not 1 <= len(found) <= MAX_LINES:
        raise InvalidInput("items", _("An order has 1 to %(max)d products.") % {"max": MAX_LINES})
    return found


def _check_basket(buyer: User, products: list[Product]) -> None:
    first = products[0]
    if any(product.seller_id != first.seller_id for product in products):
        raise InvalidInput("items", _("All products of an order are from one seller."))
    if any(product.currency != first.currency for product in products):
        raise InvalidInput("items", _("All products of an order are in one currency."))
    if first.seller_id == buyer.pk:
        raise OwnProduct
    check_seller(first.seller)


def quote_line(product: Product, item: Item) -> QuoteLine:
    """Return the line to be charged for so many of a product."""
    price = product.price if item.unit_price is None else item.unit_price
    return QuoteLine(
        item=price * item.quantity,
        quantity=item.quantity,
        product=product,
        shipping=product.shipping_amount if item.shipping is None else item.shipping,
        discount=item.discount,
        platform_discount=item.platform_discount,
        tax_included=item.tax_included,
    )


def save_with_lines(order: Order, quoted: Sequence[QuotedLine]) -> None:
    """Write a new order with its lines and what each was charged."""
    lines = lines_of(order, quoted)
    order.save(force_insert=True)
    write_lines([(order, lines, quoted)])


def lines_of(order: Order, quoted: Sequence[QuotedLine]) -> list[OrderLine]:
    """Return the lines of an order that is not written yet, and sum them up in it."""
    lines = [_line(one) for one in quoted]
    order.total = sum(line.total for line in lines)
    if order.total > MAX_AMOUNT:
        raise InvalidInput("quantity", _("The order is too large."))
    if not order.total:
        raise InvalidInput("discount", _("Something must be left for the buyer to pay."))
    for name in ("discount", "platform_discount", "tax_included", "buyer_fee", "kept_buyer_fee"):
        setattr(order, name, sum(getattr(line, name) for line in lines))
    order.commission = sum(one.charged.amount for one in quoted)
    order.tax = sum(one.charged.tax for one in quoted)
    return lines


def write_lines(
    orders: Iterable[tuple[Order, Sequence[OrderLine], Sequence[QuotedLine]]],
) -> None:
    """Write the lines of new orders and what each was charged."""
    lines: list[OrderLine] = []
    pairs: list[tuple[OrderLine, Commission]] = []
    for order, own, quoted in orders:
        for line, one in zip(own, quoted, strict=True):
            line.order = order
            lines.append(line)
            pairs.append((line, one.charged))
    OrderLine.objects.bulk_create(lines)
    CommissionLine.objects.bulk_create([_frozen(line, charged) for line, charged in pairs])
    CommissionCharge.objects.bulk_create(
        [_charge(line, part) for line, charged in pairs for part in charged.charges]
    )


def _line(quoted: QuotedLine) -> OrderLine:
    line, product = quoted.line, quoted.line.product
    if product is None:
        raise ValueError("an order's line has a product")
    return OrderLine(
        product=product,
        category=product.category,
        kind=product.kind,
        title=product.title,
        quantity=line.quantity,
        unit_price=line.item // line.quantity,
        shipping=line.shipping,
        discount=line.discount,
        platform_discount=line.platform_discount,
        tax_included=quoted.tax_included,
        buyer_fee=quoted.buyer_fee,
        buyer_fee_tax=quoted.charged.buyer_tax,
        kept_buyer_fee=quoted.kept_buyer_fee,
        total=quoted.total,
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
