"""What the engine reads: fees with their ordered rules, and the sale that they are asked about.

Amounts are integers in minor units of one currency, rates are integers in parts per million.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

PPM = 1_000_000
PER_UNIT = "unit"
PER_LINE = "line"
PER_ORDER = "order"
PER_PAYOUT = "payout"
MARGINAL = "marginal"
WHOLE = "whole"
BY_AMOUNT = "amount"
BY_VOLUME = "volume"
FIRST_MATCH = "first"
SUM = "sum"
SELLER = "seller"
BUYER = "buyer"

TraceStep = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tier:
    """A rate from `lower` (inclusive) up to the next tier's bound.

    Only lower bounds are stored, so tiers can neither overlap nor leave a gap.
    """

    lower: int
    ppm: int


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """Which earlier sales are added up: in which window, of whom, and what is counted.

    `window` is one of `marketplace.commission.volume.WINDOWS`. `between` is "seller" (all the
    seller's sales) or "pair" (those to this buyer). `measure` is "amount" or "orders".
    """

    window: str
    between: str = "seller"
    measure: str = "amount"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a sale must be for a rule to apply: AND across dimensions, OR inside one.

    `None` means "any". A rule without one condition matches nothing unless it says
    `everything`: emptying a rule must never widen it in silence. `value_*` looks at the whole
    order, `line_*` at what the buyer pays for the line, `unit_*` at what one unit sells for, and
    `volume_*` at the sales before this one that the rule's `volume` describes.
    """

    categories: frozenset[int] | None = None
    sellers: frozenset[int] | None = None
    products: frozenset[int] | None = None
    kinds: frozenset[str] | None = None
    currency: str | None = None
    value_from: int | None = None
    value_below: int | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    everything: bool = False
    unit_from: int | None = None
    unit_below: int | None = None
    line_from: int | None = None
    line_below: int | None = None
    volume_from: int | None = None
    volume_below: int | None = None
    countries: frozenset[str] | None = None
    buyer_countries: frozenset[str] | None = None
    tax_statuses: frozenset[str] | None = None
    levels: frozenset[str] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no dimension is limited (the dates alone do not say *what* is charged)."""
        return all(
            part is None
            for part in (
                self.categories,
                self.sellers,
                self.products,
                self.kinds,
                self.currency,
                self.countries,
                self.buyer_countries,
                self.tax_statuses,
                self.levels,
                *self.bounds,
            )
        )

    @property
    def bounds(self) -> tuple[int | None, ...]:
        """Return the limits on amounts: of the order, the line, the unit and the volume."""
        return (
            self.value_from,
            self.value_below,
            self.line_from,
            self.line_below,
            self.unit_from,
            self.unit_below,
            self.volume_from,
            self.volume_below,
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a fee's ordered list.

    `per` is the unit at which rate, tiers, minimum, maximum and rounding apply: each unit sold,
    each order line, or the order once (all its lines that the rule matched, taken together). A
    rule per payout is no part of an order: it is charged when a payout is made, on its amount.
    """

    id: int
    name: str = ""
    version: int = 1
    conditions: Conditions = Conditions()
    ppm: int = 0
    tiers: tuple[Tier, ...] = ()
    fixed: int = 0
    fixed_per: str = PER_UNIT
    minimum: int | None = None
    maximum: int | None = None
    tax_ppm: int = 0
    include_shipping: bool = True
    include_tax: bool = True
    fixed_refundable: bool = True
    refund_fee_ppm: int = 0
    refund_fee_maximum: int | None = None
    is_active: bool = True
    per: str = PER_LINE
    tiers_mode: str = MARGINAL
    tiers_by: str = BY_AMOUNT
    rounding: str = "half_up"
    volume: VolumeSpec | None = None
    include_item: bool = True
    include_discount: bool = False
    include_buyer_fees: bool = False
    include_platform_discount: bool = True
    tax_by_seller: bool = False
    on_refund: str = "proportional"


@dataclass(frozen=True, slots=True)
class Fee:
    """A named fee of the schedule: its rules in order, how they combine, and who pays.

    `combine` is "first" (the first rule that matches decides) or "sum" (every one that matches
    is charged). `payer` is "seller" (taken out of what the buyer paid) or "buyer" (on top).
    """

    rules: tuple[Rule, ...]
    id: int = 0
    code: str = "commission"
    name: str = ""
    combine: str = FIRST_MATCH
    payer: str = SELLER


@dataclass(frozen=True, slots=True)
class Sale:
    """One order line as the commission sees it; `item` is unit price × quantity.

    `discount` is what the seller gives away; `platform_discount` is paid by the platform, so
    the seller still receives it. `tax_included` is the part of the price that is sales tax.
    """

    currency: str
    item: int
    at: datetime
    quantity: int = 1
    shipping: int = 0
    discount: int = 0
    tax_included: int = 0
    category_path: tuple[int, ...] = ()
    seller: int | None = None
    product: int | None = None
    kind: str | None = None
    order_value: int | None = None
    platform_discount: int = 0

    @property
    def captured(self) -> int:
        """What the seller is credited for this line before fees."""
        return max(0, self.item - self.discount) + self.shipping

    @property
    def value(self) -> int:
        """The amount that "order value" conditions look at."""
        return self.captured if self.order_value is None else self.order_value

    @property
    def unit_price(self) -> int:
        """What one unit sells for, less the seller's discount, rounded up to a minor unit."""
        return -(-max(0, self.item - self.discount) // max(1, self.quantity))


@dataclass(frozen=True, slots=True)
class Party:
    """What is known of seller and buyer that a rule may look at, and the tax on the seller's fees.

    `tax_ppm` is None where no row of the table of taxes fits.
    """

    country: str = ""
    tax_status: str = ""
    level: str = ""
    tax_ppm: int | None = None
    is_reverse_charge: bool = False
    buyer_country: str = ""


@dataclass(frozen=True, slots=True)
class Basket:
    """All lines of one order, with what is known of its parties and of earlier sales."""

    lines: tuple[Sale, ...]
    party: Party = Party()
    volumes: Mapping[VolumeSpec, int] = field(default_factory=dict)

    @property
    def value(self) -> int:
        """Return the order's value: what the conditions on the order look at."""
        given = self.lines[0].order_value if self.lines else None
        return sum(line.captured for line in self.lines) if given is None else given


def rules_for(fees: Sequence[Fee], *, payouts: bool) -> list[Fee]:
    """Return the fees with the rules that are charged on payouts only, or on orders only.

    A fee that has rules, but none of this sort, is left out.
    """
    found = []
    for fee in fees:
        own = tuple(rule for rule in fee.rules if (rule.per == PER_PAYOUT) == payouts)
        if own or not (fee.rules or payouts):
            found.append(replace(fee, rules=own))
    return found
