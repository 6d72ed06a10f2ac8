"""Refunds of amounts, of units and of shipping, with the fees that go back and the stock."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.commission import share_within
from marketplace.errors import DisputeOpen
from marketplace.models import CommissionCharge, Order, OrderLine, Refund, RefundLine
from marketplace.refunds import ChargedGroup, Kept, group_reversed, rule_of
from marketplace.services import concerned, ledger, risk
from marketplace.services.buyer_fees import note_returned
from marketplace.services.ledger import Code, Leg
from marketplace.services.orders import recognise, save_step
from marketplace.services.refund_shares import RefundItem, Share, named_shares, spread_over
from marketplace.services.stock import restock
from marketplace.services.transitions import move
from marketplace.transitions import ORDER
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.money import half_up_div
from systemadmin.models import User
from systemadmin.services.duties import decides


@decides(
    "marketplace.refund_order",
    permission="marketplace.refund_order",
    concerns=concerned.parties_unless_seller_refunds,
)
@transaction.atomic
def refund_order(
    *,
    actor: User | None,
    order: Order,
    amount: int | None = None,
    line_id: int | None = None,
    items: Sequence[RefundItem] = (),
    shipping: int | None = None,
    restock_units: bool | None = None,
    reason: str = "",
    expected_version: int | None = None,
    as_member: bool = False,
    gives_kept_fees: bool = False,
) -> Refund:
    """Give money back to the buyer.

    Without `items` and `shipping`: an amount, or all that is left, of the order or of one line.
    With them: exactly these units, amounts and shipping; `amount` is then only compared.

    `as_member`: the seller gives a sale back; staff may not refund their own orders.
    `gives_kept_fees`: the money went back already, fees of the buyer that are kept included.
    """
    order = lock_row(Order.objects.all(), pk=order.pk, expected_version=expected_version)
    if order.status == Order.Status.DISPUTED:
        raise DisputeOpen(_("Resolve the dispute instead."))
    return refund_locked(
        order,
        actor,
        amount=amount,
        line_id=line_id,
        items=items,
        shipping=shipping,
        restock_units=restock_units,
        reason=reason,
        gives_kept_fees=gives_kept_fees,
    )


def refund_locked(
    order: Order,
    actor: User | None,
    *,
    amount: int | None = None,
    line_id: int | None = None,
    items: Sequence[RefundItem] = (),
    shipping: int | None = None,
    restock_units: bool | None = None,
    reason: str = "",
    gives_kept_fees: bool = False,
) -> Refund:
    """Refund an order whose row the caller has locked."""
    lines = list(
        order.lines.select_related("commission").prefetch_related("charges").order_by("pk")
    )
    if items or shipping:
        shares = named_shares(lines, items, shipping or 0, amount)
    else:
        chosen = _of_line(lines, line_id)
        shares = spread_over(lines, chosen, amount, gives_kept=gives_kept_fees)
    total = sum(share.amount for share in shares)
    is_full = total >= order.refundable
    before, _after = move(order, ORDER, "refund_all" if is_full else "refund_part")
    charges = _assign_parts(shares)
    charges += _reverse_fees(lines, shares)
    refund = _record(order, actor, total, shares, reason)
    CommissionCharge.objects.bulk_update(charges, ["reversed_amount", "reversed_tax"])
    _book(order, actor, refund, shares)
    _restock(order, shares, restock_units)
    _write_lines(refund, shares)
    if is_full and not order.is_recognised:
        # The fees that stay are booked.
        recognise(order, actor)
    save_step(actor, order, "refunded", before, reason, refund=refund)
    risk.report_risk_event(
        "refund",
        account_id=order.seller_id,
        external_id=f"order-{order.pk}-refund-{refund.number}",
        amount=total,
        currency=order.currency,
        data={"order": order.pk, "buyer": order.buyer_id},
    )
    return refund


def _of_line(lines: list[OrderLine], line_id: int | None) -> list[OrderLine]:
    found = [line for line in lines if line_id in (None, line.pk)]
    if not found:
        raise InvalidInput("line", _("The order has no such line."))
    return found


def _assign_parts(shares: Iterable[Share]) -> list[CommissionCharge]:
    """Note on each line what is given back of it; return the buyer's fees that changed.

    A line given back whole returns its units.
    """
    changed: list[CommissionCharge] = []
    for share in shares:
        line = share.line
        line.refunded += share.amount
        line.refunded_shipping += share.shipping
        line.refunded_buyer_fee += share.buyer_fee
        if share.buyer_fee:
            tax, fees = note_returned(line)
            changed += fees
            share.buyer_fee_tax = tax - line.refunded_buyer_fee_tax
            line.refunded_buyer_fee_tax = tax
        if share.is_rest or (line.item and line.is_returned):
            share.quantity = line.quantity - line.refunded_quantity
        line.refunded_quantity += share.quantity
        returned = line.part_returned * line.platform_discount
        share.platform_discount = (
            half_up_div(returned.numerator, returned.denominator) - line.refunded_platform_discount
        )
        line.refunded_platform_discount += share.platform_discount
    return changed


def _reverse_fees(lines: list[OrderLine], shares: list[Share]) -> list[CommissionCharge]:
    """Work out what goes back of the seller's fees, group by group; return the changed charges."""
    by_line = {share.line.pk: share for share in shares}
    groups: dict[int, list[tuple[CommissionCharge, OrderLine]]] = {}
    for line in lines:
        for charge in line.charges.all():
            if charge.payer == "seller":
                groups.setdefault(charge.group, []).append((charge, line))
    changed = []
    for group in groups.values():
        if any(line.pk in by_line for _charge, line in group):
            changed += _reverse_group(group, by_line, shares)
    return changed


def _reverse_group(
    group: list[tuple[CommissionCharge, OrderLine]],
    by_line: dict[int, Share],
    shares: list[Share],
) -> list[CommissionCharge]:
    """Note on charges that were calculated together, and on their lines, what goes back now."""
    weights = [by_line[line.pk].captured if line.pk in by_line else 0 for _charge, line in group]
    amounts, taxes = _due_now(group, weights)
    for (charge, line), own, own_tax in zip(group, amounts, taxes, strict=True):
        charge.reversed_amount += own
        charge.reversed_tax += own_tax
        if own or own_tax or line.pk in by_line:
            share = _share_of(line, by_line, shares)
            share.commission += own
            share.tax += own_tax
    return [charge for charge, _line in group]


def _due_now(
    group: list[tuple[CommissionCharge, OrderLine]], weights: list[int]
) -> tuple[list[int], list[int]]:
    """Return the fee and the tax that go back now, each shared over the charges of a group."""
    charges = [charge for charge, _line in group]
    amount, tax = _due_of_group(group)
    more = max(0, amount - sum(one.reversed_amount for one in charges))
    more_tax = max(0, tax - sum(one.reversed_tax for one in charges))
    amounts = share_within(more, weights, [one.refundable - one.reversed_amount for one in charges])
    return amounts, share_within(more_tax, amounts, [one.tax - one.reversed_tax for one in charges])


def _share_of(line: OrderLine, by_line: dict[int, Share], shares: list[Share]) -> Share:
    """Return the share of a line; one of which nothing goes back but fees gets an empty one."""
    if line.pk not in by_line:
        by_line[line.pk] = Share(line)
        shares.append(by_line[line.pk])
    return by_line[line.pk]


def _due_of_group(group: list[tuple[CommissionCharge, OrderLine]]) -> tuple[int, int]:
    """Return how much of a group's fee and of its tax has gone back in all, with this refund."""
    first, _line = group[0]
    kept = Kept(
        base=sum((_kept_base(charge, line) for charge, line in group), Fraction()),
        quantity=sum(line.quantity - line.refunded_quantity for _charge, line in group),
        lines=sum(_is_kept(line) for _charge, line in group),
    )
    return group_reversed(_charged(group), rule_of(first.terms), kept)


def _charged(group: list[tuple[CommissionCharge, OrderLine]]) -> ChargedGroup:
    """Return the sums over charges that were calculated together."""
    charges = [charge for charge, _line in group]
    return ChargedGroup(
        base=sum(one.base for one in charges),
        amount=sum(one.amount for one in charges),
        refundable=sum(one.refundable for one in charges),
        tax=sum(one.tax for one in charges),
        volume=min(one.volume for one in charges),
        quantity=sum(line.quantity for _charge, line in group),
    )


def _is_kept(line: OrderLine) -> bool:
    return not line.is_returned or line.refunded_quantity < line.quantity


def _kept_base(charge: CommissionCharge, line: OrderLine) -> Fraction:
    """Return what is left of a charge's base, exactly."""
    item = charge.base - charge.base_shipping
    kept_item = 1 - line.part_returned
    kept_shipping = (
        Fraction(line.shipping - line.refunded_shipping, line.shipping) if line.shipping else 0
    )
    return item * kept_item + charge.base_shipping * kept_shipping


def _record(
    order: Order, actor: User | None, total: int, shares: list[Share], reason: str
) -> Refund:
    for share in shares:
        share.line.refunded_commission += share.commission
        share.line.refunded_tax += share.tax
    refund = Refund.objects.create(
        order=order,
        number=order.refunds.count() + 1,
        amount=total,
        commission=sum(share.commission for share in shares),
        tax=sum(share.tax for share in shares),
        shipping=sum(share.shipping for share in shares),
        platform_discount=sum(share.platform_discount for share in shares),
        buyer_fee=sum(share.buyer_fee for share in shares),
        reason=reason,
        actor=actor,
    )
    order.refunded += refund.amount
    order.refunded_commission += refund.commission
    order.refunded_tax += refund.tax
    order.refunded_buyer_fee += refund.buyer_fee
    order.refunded_platform_discount += refund.platform_discount
    return refund


def _book(order: Order, actor: User | None, refund: Refund, shares: list[Share]) -> None:
    """Book a refund through the refunds account, so that its turnover is the sum of refunds."""
    legs = [
        Leg(Code.REFUNDS, -refund.amount),
        Leg(Code.REFUNDS, refund.amount),
        Leg(Code.CASH, -refund.amount),
    ]
    if order.is_recognised:
        balances = ledger.lock_seller(order.seller_id, order.currency)
        for share in shares:
            fee = share.commission + share.buyer_fee - share.buyer_fee_tax
            tax = share.tax + share.buyer_fee_tax
            legs.append(Leg(Code.REVENUE, fee, None, share.line.pk))
            legs.append(Leg(Code.TAX, tax, None, share.line.pk))
            legs.append(Leg(Code.PROMOTIONS, -share.platform_discount, None, share.line.pk))
        seller = sum(share.seller for share in shares)
        legs += ledger.move_seller(order.seller_id, balances, -seller)
    else:
        legs.append(Leg(Code.BUYER_FUNDS, refund.amount))
    ledger.post(
        key=f"order:{order.pk}:refund:{refund.number}",
        kind="refund",
        currency=order.currency,
        legs=legs,
        actor=actor,
        order=order,
        refund=refund,
        is_demo=order.buyer.is_demo,
    )


REFUND_LINE_FIELDS = [
    "line",
    "amount",
    "commission",
    "tax",
    "shipping",
    "platform_discount",
    "buyer_fee",
    "buyer_fee_tax",
    "quantity",
    "restocked",
]
LINE_FIELDS = [
    "refunded",
    "refunded_shipping",
    "refunded_platform_discount",
    "refunded_buyer_fee",
    "refunded_buyer_fee_tax",
    "refunded_quantity",
    "restocked_quantity",
    "refunded_commission",
    "refunded_tax",
]


def _restock(order: Order, shares: list[Share], wanted: bool | None) -> None:
    """Put returned units into stock: by default until the order is completed."""
    for share in sorted(shares, key=lambda one: one.line.product_id):
        choice = wanted if share.restock is None else share.restock
        is_wanted = not order.is_recognised if choice is None else choice
        if is_wanted and share.line.has_stock and share.quantity:
            restock(share.line.product_id, share.quantity)
            share.restocked = share.quantity
            share.line.restocked_quantity += share.quantity


def _write_lines(refund: Refund, shares: list[Share]) -> None:
    RefundLine.objects.bulk_create(
        [
            RefundLine(refund=refund, **{name: getattr(share, name) for name in REFUND_LINE_FIELDS})
            for share in shares
        ]
    )
    OrderLine.objects.bulk_update([share.line for share in shares], LINE_FIELDS)
