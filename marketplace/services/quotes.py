"""What an order is charged: one calculation for quotes, orders and what-ifs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from marketplace import commission
from marketplace.commission import share_within
from marketplace.commission.volume import window_start
from marketplace.models import (
    Category,
    CommissionFee,
    Order,
    Product,
)
from marketplace.models.fields import PPM
from marketplace.services import clock
from marketplace.services.commission import default_fee, draft_rule
from marketplace.services.schedule import engine_fees, party_of
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.money import half_up_div
from systemadmin.models import User


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One line to be charged; `item` is unit price × quantity.

    What is left None is taken from the product: category, kind, and the tax that its price
    includes. The seller gives `discount` away; the platform pays `platform_discount`.
    """

    item: int
    quantity: int = 1
    product: Product | None = None
    category: Category | None = None
    kind: str | None = None
    shipping: int = 0
    discount: int = 0
    platform_discount: int = 0
    tax_included: int | None = None

    @property
    def captured(self) -> int:
        """What the seller is credited for the line before fees."""
        return self.item - self.discount + self.shipping


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line as an order keeps it, its share of the order's discounts and its tax filled in."""

    line: QuoteLine
    tax_included: int
    charged: commission.Commission

    @property
    def buyer_fee(self) -> int:
        """What the buyer pays on top for fees, with their taxes."""
        return self.charged.buyer_amount + self.charged.buyer_tax

    @property
    def kept_buyer_fee(self) -> int:
        """The part of the buyer's fees that no refund gives back."""
        paid = [one for one in self.charged.charges if one.is_paid_by_buyer]
        return sum(one.amount + one.tax for one in paid if one.rule.on_refund == "keep")

    @property
    def total(self) -> int:
        """What the buyer pays for the line."""
        return self.line.captured - self.line.platform_discount + self.buyer_fee


def quote_order(
    *,
    currency: str,
    lines: Sequence[QuoteLine],
    seller_id: int | None,
    buyer_id: int | None = None,
    discount: int = 0,
    platform_discount: int = 0,
    at: datetime | None = None,
    order_value: int | None = None,
    fees: Sequence[commission.Fee] | None = None,
    buyer_country: str | None = None,
) -> list[QuotedLine]:
    """Return what each line of an order costs and is charged, and why; orders are made of it.

    `discount` and `platform_discount` are of the whole order, besides those of its lines, and are
    shared among the lines by their price. `order_value` stands in for the sum of the lines where
    the caller knows the order is larger, `buyer_country` for a buyer who is not known yet.
    """
    at = at or clock.now()
    fees = engine_fees() if fees is None else fees
    lines = discounted(lines, discount, platform_discount)
    value = sum(line.captured for line in lines) if order_value is None else order_value
    sales = tuple(_sale(line, currency, seller_id, at, value) for line in lines)
    party = party_of(seller_id, fees)
    if buyer_country is None:
        buyer_country = countries_of([buyer_id], fees).get(buyer_id, "")
    party = replace(party, buyer_country=buyer_country)
    basket = commission.Basket(sales, party, volumes_of(fees, seller_id, buyer_id, currency, at))
    charged = commission.charge_basket(fees, basket)
    return [
        QuotedLine(line, sale.tax_included, one)
        for line, sale, one in zip(lines, sales, charged, strict=True)
    ]


def quote_sale(
    *,
    currency: str,
    item: int,
    quantity: int = 1,
    product: Product | None = None,
    category: Category | None = None,
    seller_id: int | None = None,
    buyer_id: int | None = None,
    kind: str | None = None,
    at: datetime | None = None,
    shipping: int = 0,
    discount: int = 0,
    platform_discount: int = 0,
    tax_included: int | None = None,
    order_value: int | None = None,
    rules: Iterable[commission.Rule] | None = None,
) -> commission.Commission:
    """Return what an order of one line would be charged; `item` is unit price × quantity."""
    line = QuoteLine(
        item, quantity, product, category, kind, shipping, discount, platform_discount, tax_included
    )
    if seller_id is None and product is not None:
        seller_id = product.seller_id
    return quote_order(
        currency=currency,
        lines=[line],
        seller_id=seller_id,
        buyer_id=buyer_id,
        at=at,
        order_value=order_value,
        fees=None if rules is None else [commission.Fee(tuple(rules))],
    )[0].charged


def draft_fees(values: Sequence[dict[str, Any]]) -> list[commission.Fee]:
    """Build a schedule from rules that are not stored; each is numbered by its place, from 1."""
    grouped: dict[int, list[commission.Rule]] = {}
    fees: dict[int, CommissionFee] = {}
    for number, one in enumerate(values, 1):
        fee = one.get("fee") or default_fee()
        fees[fee.pk] = fee
        grouped.setdefault(fee.pk, []).append(draft_rule(one, number))
    ordered = sorted(fees.values(), key=lambda fee: (fee.position, fee.pk))
    return [
        commission.Fee(tuple(grouped[fee.pk]), fee.pk, fee.code, fee.name, fee.combine, fee.payer)
        for fee in ordered
    ]


def included_tax(amount: int, tax_ppm: int) -> int:
    """Return the tax inside an amount that includes it, rounded half-up."""
    return half_up_div(amount * tax_ppm, PPM + tax_ppm)


def countries_of(
    buyer_ids: Iterable[int | None], fees: Sequence[commission.Fee]
) -> dict[int | None, str]:
    """Return the buyers' countries by account; nothing is read when no rule looks at them."""
    rules = [rule for fee in fees for rule in fee.rules]
    wanted = set(buyer_ids) - {None}
    if not wanted or all(rule.conditions.buyer_countries is None for rule in rules):
        return {}
    return dict(User.objects.filter(pk__in=wanted).values_list("pk", "country"))


def discounted(
    lines: Sequence[QuoteLine], discount: int, platform_discount: int
) -> list[QuoteLine]:
    """Return the lines with their shares of the order's discounts; refuse what is not there."""
    for line in lines:
        if not 0 <= line.discount <= line.item:
            raise InvalidInput("discount", _("A discount is not more than the price."))
        if not 0 <= line.platform_discount <= line.item - line.discount:
            raise InvalidInput("platform_discount", _("A discount is not more than the price."))
    room = [line.item - line.discount - line.platform_discount for line in lines]
    if not 0 <= discount <= sum(room):
        raise InvalidInput("discount", _("A discount is not more than the price."))
    own = share_within(discount, room, room)
    room = [left - part for left, part in zip(room, own, strict=True)]
    if not 0 <= platform_discount <= sum(room):
        raise InvalidInput("platform_discount", _("A discount is not more than the price."))
    paid = share_within(platform_discount, room, room)
    return [
        replace(
            line,
            discount=line.discount + of_seller,
            platform_discount=line.platform_discount + of_platform,
        )
        for line, of_seller, of_platform in zip(lines, own, paid, strict=True)
    ]


def _sale(
    line: QuoteLine, currency: str, seller_id: int | None, at: datetime, value: int
) -> commission.Sale:
    product = line.product
    category = line.category or (product.category if product else None)
    tax = line.tax_included
    if tax is None:
        tax = included_tax(line.captured, product.tax_ppm) if product else 0
    if not 0 <= tax <= line.captured:
        raise InvalidInput("tax_included", _("The tax is not more than the price with shipping."))
    return commission.Sale(
        currency=currency,
        item=line.item,
        at=at,
        quantity=line.quantity,
        shipping=line.shipping,
        discount=line.discount,
        platform_discount=line.platform_discount,
        tax_included=tax,
        category_path=category.path_ids if category else (),
        seller=seller_id,
        product=product.pk if product else None,
        kind=line.kind or (product.kind if product else None),
        order_value=value,
    )


def volumes_of(
    fees: Sequence[commission.Fee],
    seller_id: int | None,
    buyer_id: int | None,
    currency: str,
    at: datetime,
) -> dict[commission.VolumeSpec, int]:
    """Return each volume of earlier sales that a rule looks at, as it stands at a moment."""
    specs = {rule.volume for fee in fees for rule in fee.rules if rule.volume}
    if seller_id is None:
        return {}
    return {
        spec: Order.objects.volume(
            seller_id=seller_id,
            buyer_id=buyer_id if spec.between == "pair" else None,
            is_pair=spec.between == "pair",
            measure=spec.measure,
            currency=currency,
            start=window_start(spec.window, at, clock.place_zone()),
            end=at,
        )
        for spec in specs
    }
