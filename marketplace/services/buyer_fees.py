"""How the fees that buyers paid on top go back: in proportion, with a full refund, or never.

Of a line, the fees that go back in proportion go first, then those that wait until all that they
were charged on has gone back. The kept ones go last, and only where the bank took all of it.
"""

from collections.abc import Iterable, Sequence

from marketplace.models import CommissionCharge, CommissionRule, OrderLine
from marketplace.refunds import spread
from systemadmin.foundation.money import half_up_div

OnRefund = CommissionRule.OnRefund


def _fees(line: OrderLine, way: str = "") -> list[CommissionCharge]:
    """Return the fees of a line that the buyer paid; `way` narrows to how they go back."""
    return [
        one
        for one in line.charges.all()
        if one.payer == "buyer" and way in ("", one.terms.get("on_refund", OnRefund.PROPORTIONAL))
    ]


def _sum(charges: Iterable[CommissionCharge]) -> int:
    return sum(one.amount + one.tax for one in charges)


def proportional_fee(line: OrderLine) -> int:
    """Return the part of a line's buyer fees, taxes included, that goes back in proportion."""
    return line.buyer_fee - _sum(_fees(line, OnRefund.FULL)) - _sum(_fees(line, OnRefund.KEEP))


def later_fees(
    lines: Sequence[OrderLine], given_back: set[int], *, gives_kept: bool = False
) -> dict[int, int]:
    """Return by line the fees that go back once the lines `given_back` have gone back whole.

    A fee waits for every line that it was charged on, together with others, to be given back.
    """
    open_groups = {
        one.group
        for line in lines
        if line.pk not in given_back and not line.is_returned
        for one in _fees(line)
    }
    found = {}
    for line in lines:
        due = _sum(one for one in _fees(line, OnRefund.FULL) if one.group not in open_groups)
        if gives_kept:
            due += _sum(_fees(line, OnRefund.KEEP))
        due -= max(0, line.refunded_buyer_fee - proportional_fee(line))
        if due > 0:
            found[line.pk] = due
    return found


def note_returned(line: OrderLine) -> tuple[int, list[CommissionCharge]]:
    """Note on a line's fees how much of each has gone back in all.

    Returns the tax in what has gone back, and the fees.
    """
    left = line.refunded_buyer_fee
    tax = 0
    for way in (OnRefund.PROPORTIONAL, OnRefund.FULL, OnRefund.KEEP):
        charges = _fees(line, way)
        whole = _sum(charges)
        gone = min(left, whole)
        left -= gone
        if not whole:
            continue
        own_tax = half_up_div(sum(one.tax for one in charges) * gone, whole)
        taxes = spread(own_tax, [one.tax for one in charges])
        amounts = spread(gone - own_tax, [one.amount for one in charges])
        for one, amount, part in zip(charges, amounts, taxes, strict=True):
            one.reversed_amount, one.reversed_tax = amount, part
        tax += own_tax
    return tax, _fees(line)
