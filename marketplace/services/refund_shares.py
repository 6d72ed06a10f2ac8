"""What of each line a refund gives back: an amount spread over lines, or what was named."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from marketplace.errors import AmountMismatch, RefundTooHigh
from marketplace.models import OrderLine
from marketplace.refunds import spread
from marketplace.services.buyer_fees import later_fees, proportional_fee
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.money import half_up_div


@dataclass(frozen=True, slots=True)
class RefundItem:
    """What is given back of one line: units, or an amount of their price, or all of it.

    `restock` says whether the units go back into stock; None means "yes until the order is
    completed, no afterwards".
    """

    line_id: int
    quantity: int | None = None
    amount: int | None = None
    restock: bool | None = None


@dataclass
class Share:
    """What one line gives back, and what the platform gives back of its fees."""

    line: OrderLine
    item: int = 0
    shipping: int = 0
    buyer_fee: int = 0
    quantity: int = 0
    restock: bool | None = None
    restocked: int = 0
    commission: int = 0
    tax: int = 0
    buyer_fee_tax: int = 0
    # What the platform gets back of its discount, and whether all that was left goes back.
    platform_discount: int = 0
    is_rest: bool = False

    @property
    def amount(self) -> int:
        """What the buyer gets back for the line."""
        return self.item + self.shipping + self.buyer_fee

    @property
    def seller(self) -> int:
        """What the seller gives back: to the buyer and, of its discount, to the platform."""
        own = self.item + self.shipping + self.platform_discount
        return own - self.commission - self.tax

    @property
    def captured(self) -> int:
        """The part of what the seller was credited before fees."""
        return self.item + self.shipping + self.platform_discount


def _left(line: OrderLine) -> list[int]:
    """Return what is left to give back of a line: price, shipping, fees in proportion."""
    return [
        line.item - line.refunded_item,
        line.shipping - line.refunded_shipping,
        max(0, proportional_fee(line) - line.refunded_buyer_fee),
    ]


def spread_over(
    lines: list[OrderLine], chosen: list[OrderLine], amount: int | None, *, gives_kept: bool = False
) -> list[Share]:
    """Spread an amount over chosen lines and their parts, in proportion to what is left of each.

    The buyer's fees that wait for a full refund take what is above all the rest. `gives_kept`
    lets even those go back that the schedule keeps.
    """
    left = [sum(_left(line)) for line in chosen]
    later = later_fees(lines, {line.pk for line in chosen}, gives_kept=gives_kept)
    most = sum(left) + sum(later.values())
    amount = most if amount is None else amount
    if not 1 <= amount <= most:
        raise RefundTooHigh(extra={"refundable": most})
    at_first = min(amount, sum(left))
    shares = _spread_at_first(chosen, left, at_first)
    _add_later(shares, lines, later, amount - at_first)
    return shares


def _spread_at_first(chosen: list[OrderLine], left: list[int], amount: int) -> list[Share]:
    """Spread what does not wait for a full refund over lines that have `left` to give back."""
    shares = []
    for line, own, own_left in zip(chosen, spread(amount, left), left, strict=True):
        # A line that cost the buyer nothing goes back with the rest.
        is_rest = own == own_left and (own > 0 or amount == sum(left))
        if own or (is_rest and line.refunded_quantity < line.quantity):
            item, shipping, buyer_fee = spread(own, _left(line))
            shares.append(Share(line, item, shipping, buyer_fee, is_rest=is_rest))
    return shares


def _add_later(
    shares: list[Share], lines: list[OrderLine], later: dict[int, int], amount: int
) -> None:
    """Add fees that waited to the shares of their lines; a line without a share gets one."""
    by_line = {share.line.pk: share for share in shares}
    waiting = [line for line in lines if line.pk in later]
    for line, own in zip(waiting, spread(amount, [later[one.pk] for one in waiting]), strict=True):
        if own and line.pk not in by_line:
            by_line[line.pk] = Share(line)
            shares.append(by_line[line.pk])
        if own:
            by_line[line.pk].buyer_fee += own


def named_shares(
    lines: list[OrderLine], items: Sequence[RefundItem], shipping: int, amount: int | None
) -> list[Share]:
    """Return shares for the units, amounts and shipping that were named."""
    shares = _shares_of_items(lines, items)
    _spread_shipping(shares, shipping)
    for share in shares:
        share.buyer_fee = _fee_of(share)
    if _not_empty(shares):
        later = later_fees(lines, {share.line.pk for share in shares if _gives_rest(share)})
        _add_later(shares, lines, later, sum(later.values()))
    found = _not_empty(shares)
    total = sum(share.amount for share in found)
    if not total:
        raise InvalidInput("lines", _("Nothing would be refunded."))
    if amount is not None and amount != total:
        raise AmountMismatch(_("What is named adds up to another amount."), extra={"amount": total})
    return found


def _not_empty(shares: list[Share]) -> list[Share]:
    return [share for share in shares if share.amount or share.quantity]


def _shares_of_items(lines: list[OrderLine], items: Sequence[RefundItem]) -> list[Share]:
    """Return a share per line, filled where an item names the line."""
    shares = {line.pk: Share(line) for line in lines}
    if len({item.line_id for item in items}) != len(items):
        raise InvalidInput("lines", _("Name each line once."))
    for item in items:
        if item.line_id not in shares:
            raise InvalidInput("lines", _("The order has no such line."))
        _name_item(shares[item.line_id], item)
    return list(shares.values())


def _spread_shipping(shares: list[Share], shipping: int) -> None:
    left = [share.line.shipping - share.line.refunded_shipping for share in shares]
    if shipping > sum(left):
        raise RefundTooHigh(extra={"refundable_shipping": sum(left)})
    for share, own in zip(shares, spread(shipping, left), strict=True):
        share.shipping = own


def _name_item(share: Share, item: RefundItem) -> None:
    line = share.line
    units_left = line.quantity - line.refunded_quantity
    left = line.item - line.refunded_item
    quantity = item.quantity
    if quantity is None and item.amount is None:
        quantity = units_left
    quantity = quantity or 0
    if quantity > units_left:
        raise RefundTooHigh(extra={"line": line.pk, "refundable_quantity": units_left})
    value = item.amount if item.amount is not None else _price_of(line, quantity)
    if value > left:
        raise RefundTooHigh(extra={"line": line.pk, "refundable": left})
    share.item, share.quantity, share.restock = value, quantity, item.restock


def _price_of(line: OrderLine, quantity: int) -> int:
    """Return what the next units cost: all units together are exactly the line's price."""
    if line.refunded_quantity + quantity == line.quantity:
        return line.item - line.refunded_item
    done, more = line.refunded_quantity, line.refunded_quantity + quantity
    price = half_up_div(line.item * more, line.quantity) - half_up_div(
        line.item * done, line.quantity
    )
    return min(price, line.item - line.refunded_item)


def _fee_of(share: Share) -> int:
    """Return the part of the buyer's fees that goes back with what is given back of a line."""
    line = share.line
    whole = proportional_fee(line)
    left = whole - line.refunded_buyer_fee
    price = line.item + line.shipping
    if left <= 0 or not price:
        return 0
    gone = line.refunded_item + line.refunded_shipping + share.item + share.shipping
    return max(0, min(left, half_up_div(whole * gone, price) - line.refunded_buyer_fee))


def _gives_rest(share: Share) -> bool:
    """Return whether nothing is left of a line's goods and shipping after this share."""
    item, shipping, _fees = _left(share.line)
    if share.line.item or share.line.shipping:
        return (share.item, share.shipping) == (item, shipping)
    return share.quantity + share.line.refunded_quantity == share.line.quantity
