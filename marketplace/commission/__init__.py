"""Fee arithmetic: a schedule of fees, each an ordered list of rules.

Everything is an integer: amounts in minor units, rates in parts per million. A charge is summed
up exactly and rounded once, at the unit that its rule names; the tax on it is a second amount and
is rounded once. What the seller pays always lies between nothing and the base, and all fees with
their taxes never exceed what was captured, so a seller's net is never negative.
"""

from marketplace.commission.charging import (
    ROUNDINGS,
    Base,
    Scope,
    base_of,
    charge_on,
    tier_parts,
)
from marketplace.commission.matching import mismatch
from marketplace.commission.rules import (
    BUYER,
    BY_AMOUNT,
    BY_VOLUME,
    FIRST_MATCH,
    MARGINAL,
    PER_LINE,
    PER_ORDER,
    PER_PAYOUT,
    PER_UNIT,
    PPM,
    SELLER,
    SUM,
    WHOLE,
    Basket,
    Conditions,
    Fee,
    Party,
    Rule,
    Sale,
    Tier,
    TraceStep,
    VolumeSpec,
    rules_for,
)
from marketplace.commission.schedule import Charge, Commission, charge_basket, charge_payout, quote
from marketplace.commission.sharing import share_within
from marketplace.commission.trace import decimal_text, percent

__all__ = [
    "BUYER",
    "BY_AMOUNT",
    "BY_VOLUME",
    "FIRST_MATCH",
    "MARGINAL",
    "PER_LINE",
    "PER_ORDER",
    "PER_PAYOUT",
    "PER_UNIT",
    "PPM",
    "ROUNDINGS",
    "SELLER",
    "SUM",
    "WHOLE",
    "Base",
    "Basket",
    "Charge",
    "Commission",
    "Conditions",
    "Fee",
    "Party",
    "Rule",
    "Sale",
    "Scope",
    "Tier",
    "TraceStep",
    "VolumeSpec",
    "base_of",
    "charge_basket",
    "charge_on",
    "charge_payout",
    "decimal_text",
    "mismatch",
    "percent",
    "quote",
    "rules_for",
    "share_within",
    "tier_parts",
]
