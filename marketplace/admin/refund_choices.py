"""What a refund of an order can name: units of its lines, and the shipping, with what each is."""

from collections.abc import Mapping
from typing import Any

from marketplace.models import Order, OrderLine
from marketplace.services.refund_shares import RefundItem, named_shares
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.money import format_money, to_major
from systemadmin.foundation.parsing import is_whole_number

# Of more units than these a line offers these and all that are left.
MOST_UNITS = 20


def chosen_units(data: Mapping[str, Any], prefix: str) -> dict[int, int]:
    """Return the units of each line that a posted form names; none of a line is left out."""
    found = {}
    for name, value in data.items():
        line = name.removeprefix(f"{prefix}-units-")
        if line != name and is_whole_number(line) and is_whole_number(value) and int(value):
            found[int(line)] = int(value)
    return found


def lines_to_choose(order: Order, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each line of which units are left, with the sum that each number of units is."""
    lines = _lines(order)
    chosen = chosen_units(data, "refund")
    found = []
    for line in lines:
        left = line.quantity - line.refunded_quantity
        numbers = sorted({*range(1, min(left, MOST_UNITS) + 1), left} - {0})
        options = [_option(order, lines, line, number) for number in numbers]
        options = [one for one in options if one]
        if options:
            found.append({"line": line, "options": options, "chosen": chosen.get(line.pk, 0)})
    return found


def shipping_to_choose(order: Order) -> dict[str, str] | None:
    """Return the sum that is left of the shipping, in words and for the page; None for none."""
    lines = _lines(order)
    left = shipping_left(order)
    amount = _amount(lines, [], left) if left else 0
    if not amount:
        return None
    return {
        "sum": str(to_major(amount, order.currency)),
        "text": format_money(amount, order.currency),
    }


def shipping_left(order: Order) -> int:
    """Return what was not yet given back of an order's shipping."""
    return sum(line.shipping - line.refunded_shipping for line in order.lines.all())


def _lines(order: Order) -> list[OrderLine]:
    return list(order.lines.prefetch_related("charges").order_by("pk"))


def _option(
    order: Order, lines: list[OrderLine], line: OrderLine, number: int
) -> dict[str, Any] | None:
    amount = _amount(lines, [RefundItem(line.pk, number)], 0)
    if not amount:
        return None
    shown = format_money(amount, order.currency)
    return {"number": number, "sum": str(to_major(amount, order.currency)), "text": shown}


def _amount(lines: list[OrderLine], items: list[RefundItem], shipping: int) -> int:
    try:
        return sum(share.amount for share in named_shares(lines, items, shipping, None))
    except DomainError:
        return 0
