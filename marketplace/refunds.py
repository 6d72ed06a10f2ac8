"""How much of a commission goes back with a refund: a function of what was refunded in all.

Every partial refund reverses the cumulative amount minus what was already reversed. Any order and
any split of refunds that add up to the same sum therefore reverse exactly the same amount, and a
full refund reverses exactly the refundable commission.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from marketplace.commission import PER_UNIT, Rule, Scope, Tier, charge_on
from systemadmin.foundation.money import half_up_div

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Charged:
    """What was charged on one order line, frozen when it was paid."""

    captured: int
    commission: int
    refundable: int
    tax: int
    refund_fee_ppm: int = 0
    refund_fee_maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """What platform, tax authority and seller each give back; the three add up to the refund."""

    refunded: int
    commission: int
    tax: int

    @property
    def seller(self) -> int:
        """The seller's share of the refund."""
        return self.refunded - self.commission - self.tax


def administration_fee(reversed_fee: int, ppm: int, maximum: int | None = None) -> int:
    """Return what the platform keeps of a reversed commission for handling the refund."""
    fee = half_up_div(reversed_fee * ppm, PPM)
    return fee if maximum is None else min(fee, maximum)


def reversed_in_all(charged: Charged, refunded: int) -> Reversal:
    """Return what has been given back once `refunded` in all has been refunded."""
    if not 0 <= refunded <= charged.captured:
        raise ValueError("a refund lies between nothing and what was captured")
    if refunded == 0:
        return Reversal(0, 0, 0)
    group = ChargedGroup(charged.captured, charged.commission, charged.refundable, charged.tax)
    rule = Rule(
        id=0,
        refund_fee_ppm=charged.refund_fee_ppm,
        refund_fee_maximum=charged.refund_fee_maximum,
    )
    commission, tax = group_reversed(group, rule, Kept(Fraction(charged.captured - refunded)))
    return Reversal(refunded, commission, tax)


TERMS = (
    "per",
    "ppm",
    "tiers_mode",
    "tiers_by",
    "rounding",
    "fixed",
    "fixed_per",
    "minimum",
    "maximum",
    "on_refund",
    "refund_fee_ppm",
    "refund_fee_maximum",
)


def terms_of(rule: Rule) -> dict[str, Any]:
    """Return what a later refund needs to know of a rule, as plain JSON values."""
    terms: dict[str, Any] = {name: getattr(rule, name) for name in TERMS}
    return terms | {"tiers": [[tier.lower, tier.ppm] for tier in rule.tiers]}


def rule_of(terms: Mapping[str, Any]) -> Rule:
    """Return the rule that the terms of a charge describe."""
    known = {name: terms[name] for name in TERMS if name in terms}
    tiers = tuple(Tier(lower, ppm) for lower, ppm in terms.get("tiers", ()))
    return Rule(id=0, tiers=tiers, **known)


@dataclass(frozen=True, slots=True)
class ChargedGroup:
    """Charges that were calculated together: their sums over all lines of the group."""

    base: int
    amount: int
    refundable: int
    tax: int
    volume: int = 0
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left of a group's base after the refunds so far, and of how many units and lines.

    `base` is exact: a refund of part of the price need not be a whole minor unit of the base.
    """

    base: Fraction
    quantity: int = 1
    lines: int = 1


def group_reversed(group: ChargedGroup, rule: Rule, kept: Kept) -> tuple[int, int]:
    """Return how much of a group's fee and of its tax has gone back in all.

    In proportion: refundable × (base - kept) / base, rounded half-up once. Charged anew: what
    was charged less what the rule charges on the kept base. In full only: nothing before all of
    the base, or of a unit for a rule per unit, has gone back. What the platform keeps for handling
    the refund is taken off; a rule per unit keeps up to its maximum for each unit that came back.
    """
    if not group.amount:
        return 0, 0
    gross = _gross(group, rule, kept)
    most = rule.refund_fee_maximum
    if most is not None and rule.per == PER_UNIT:
        most *= max(1, group.quantity - kept.quantity)
    gross -= administration_fee(gross, rule.refund_fee_ppm, most)
    return gross, half_up_div(group.tax * gross, group.amount)


def _gross(group: ChargedGroup, rule: Rule, kept: Kept) -> int:
    if rule.on_refund == "keep":
        return 0
    if rule.on_refund == "recalculate":
        base = half_up_div(kept.base.numerator, kept.base.denominator)
        scope = Scope(max(1, kept.quantity), max(1, kept.lines), group.volume)
        amount, _fixed = charge_on(rule, base, scope, [])
        return max(0, min(group.refundable, group.amount - amount))
    if rule.on_refund == "full" and kept.base:
        units = group.quantity - kept.quantity if rule.per == PER_UNIT else 0
        return half_up_div(group.refundable * units, group.quantity)
    gone = group.refundable * (group.base - kept.base) / group.base
    return half_up_div(gone.numerator, gone.denominator)


def next_reversal(charged: Charged, already: Reversal, amount: int) -> Reversal:
    """Return what one more refund reverses, given everything reversed so far."""
    total = reversed_in_all(charged, already.refunded + amount)
    return Reversal(amount, total.commission - already.commission, total.tax - already.tax)


def spread(amount: int, remaining: Sequence[int]) -> list[int]:
    """Spread a refund over order lines in proportion to what each can still give back."""
    whole = sum(remaining)
    if not 0 <= amount <= whole:
        raise ValueError("a refund cannot exceed what remains")
    shares = [amount * part // whole if whole else 0 for part in remaining]
    # Largest remainder, but never past what the line can still give.
    by_need = sorted(
        range(len(remaining)),
        key=lambda place: (-(amount * remaining[place] % whole) if whole else 0, place),
    )
    missing = amount - sum(shares)
    for place in by_need:
        if missing and shares[place] < remaining[place]:
            shares[place] += 1
            missing -= 1
    return shares
