"""The lines of the usual entries by hand, from an amount and who bears it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SELLER: Final = "seller"


@dataclass(frozen=True, slots=True)
class Line:
    """A line: a positive amount is a debit, a negative one a credit."""

    account: str
    amount: int
    seller_id: int | None = None


def _dispute_fee(amount: int, seller_id: int | None, fee: int) -> list[Line]:
    """Taken by the payment service; from the seller where one is named."""
    bearer = Line("dispute_fees", amount) if seller_id is None else Line(SELLER, amount, seller_id)
    return [bearer, Line("cash", -amount)]


def _goodwill_platform(amount: int, seller_id: int | None, fee: int) -> list[Line]:
    """To the seller's balance where one is named, else paid out to a buyer."""
    to = Line("cash", -amount) if seller_id is None else Line(SELLER, -amount, seller_id)
    return [Line("goodwill", amount), to]


def _goodwill_seller(amount: int, seller_id: int | None, fee: int) -> list[Line]:
    """From the seller's balance to a buyer."""
    return [Line(SELLER, amount, seller_id), Line("cash", -amount)]


def _credit(amount: int, seller_id: int | None, fee: int) -> list[Line]:
    """Commission given back to the seller."""
    return [Line("revenue", amount), Line(SELLER, -amount, seller_id)]


def _write_off(amount: int, seller_id: int | None, fee: int) -> list[Line]:
    """Return a debt that the seller will not pay."""
    return [Line("write_offs", amount), Line("clawback", -amount, seller_id)]


def _tax_remitted(amount: int, seller_id: int | None, fee: int) -> list[Line]:
    """Paid to the tax authority from the bank."""
    return [Line("tax", amount), Line("bank", -amount)]


def _settlement(amount: int, seller_id: int | None, fee: int) -> list[Line]:
    """Return what the processor sent to the bank, and what it kept."""
    lines = [Line("bank", amount - fee), Line("processing", fee), Line("cash", -amount)]
    return [line for line in lines if line.amount]


TEMPLATES: Final[dict[str, Callable[[int, int | None, int], list[Line]]]] = {
    "dispute_fee": _dispute_fee,
    "goodwill_platform": _goodwill_platform,
    "goodwill_seller": _goodwill_seller,
    "credit": _credit,
    "write_off": _write_off,
    "tax_remitted": _tax_remitted,
    "settlement": _settlement,
}
# Kinds that make no sense without a seller.
NEEDS_SELLER: Final = frozenset({"goodwill_seller", "credit", "write_off"})
