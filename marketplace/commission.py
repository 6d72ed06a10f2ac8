"""Commission arithmetic: an ordered list of rules, the first that matches decides.

Everything is an integer: amounts in minor units, rates in parts per million. A commission is
summed up exactly and rounded half-up once, in `_rounded`; the tax on it is a second amount and is
rounded once at the same place. The result always holds 0 <= commission <= base, and commission
and its tax together never exceed what was captured, so a seller's net is never negative.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from systemadmin.foundation.money import half_up_div

PPM = 1_000_000
PER_LINE = "line"
PER_UNIT = "unit"

TraceStep = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tier:
    """A marginal rate from `lower` (inclusive) up to the next tier's bound.

    Only lower bounds are stored, so tiers can neither overlap nor leave a gap.
    """

    lower: int
    ppm: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a sale must be for a rule to apply: AND across dimensions, OR inside one.

    `None` means "any". A rule without one condition matches nothing unless it says
    `everything`: emptying a rule must never widen it in silence.
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
                self.value_from,
                self.value_below,
            )
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the ordered list."""

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


@dataclass(frozen=True, slots=True)
class Sale:
    """One order line as the commission sees it; `item` is unit price × quantity."""

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

    @property
    def captured(self) -> int:
        """What the buyer pays for this line."""
        return max(0, self.item - self.discount) + self.shipping

    @property
    def value(self) -> int:
        """The amount that "order value" conditions look at."""
        return self.captured if self.order_value is None else self.order_value


@dataclass(frozen=True, slots=True)
class Commission:
    """The answer: how much, by which rule, and why."""

    currency: str
    base: int
    captured: int
    amount: int
    tax: int
    rule: Rule | None
    refundable: int
    trace: tuple[TraceStep, ...] = field(default=())

    @property
    def seller_net(self) -> int:
        """What is left for the seller."""
        return self.captured - self.amount - self.tax


def quote(rules: Iterable[Rule], sale: Sale) -> Commission:
    """Calculate the commission of one sale under an ordered list of rules."""
    trace: list[TraceStep] = []
    for rule in rules:
        reason = mismatch(rule, sale)
        trace.append(_considered(rule, reason))
        if reason is None:
            return _charge(rule, sale, trace)
    trace.append({"step": "no_rule", "detail": "No rule matches: no commission is charged."})
    return Commission(sale.currency, sale.captured, sale.captured, 0, 0, None, 0, tuple(trace))


def mismatch(rule: Rule, sale: Sale) -> str | None:
    """Return the first reason why the rule does not apply to the sale, or None when it does."""
    wanted = rule.conditions
    if not rule.is_active:
        return "inactive"
    if wanted.is_empty and not wanted.everything:
        return "no_conditions"
    checks = (
        ("too_early", wanted.valid_from is None or sale.at >= wanted.valid_from),
        ("expired", wanted.valid_to is None or sale.at < wanted.valid_to),
        ("currency", wanted.currency in (None, sale.currency)),
        ("kind", wanted.kinds is None or sale.kind in wanted.kinds),
        ("seller", wanted.sellers is None or sale.seller in wanted.sellers),
        ("product", wanted.products is None or sale.product in wanted.products),
        (
            "category",
            wanted.categories is None or not wanted.categories.isdisjoint(sale.category_path),
        ),
        ("value_too_low", wanted.value_from is None or sale.value >= wanted.value_from),
        ("value_too_high", wanted.value_below is None or sale.value < wanted.value_below),
    )
    return next((code for code, holds in checks if not holds), None)


def commission_base(rule: Rule, sale: Sale) -> int:
    """Return the amount a rule charges on: never negative, never more than was captured."""
    base = max(0, sale.item - sale.discount)
    if rule.include_shipping:
        base += sale.shipping
    if not rule.include_tax:
        base -= sale.tax_included
    return max(0, base)


def tier_parts(tiers: Sequence[Tier], base: int) -> list[tuple[Tier, int]]:
    """Split a base over marginal tiers: each part is charged at its own tier's rate."""
    ordered = sorted(tiers, key=lambda tier: tier.lower)
    parts = []
    for position, tier in enumerate(ordered):
        upper = ordered[position + 1].lower if position + 1 < len(ordered) else base
        inside = min(base, upper) - tier.lower
        if inside > 0:
            parts.append((tier, inside))
    return parts


def _charge(rule: Rule, sale: Sale, trace: list[TraceStep]) -> Commission:
    base = commission_base(rule, sale)
    trace.append({"step": "base", "value": base, "detail": f"Commission is charged on {base}."})
    exact = _percentage(rule, base, trace)
    fixed = _fixed(rule, sale, trace)
    amount = _rounded(exact + fixed * PPM, trace)
    amount = _bounded(rule, sale, base, amount, trace)
    tax = half_up_div(amount * rule.tax_ppm, PPM)
    if rule.tax_ppm:
        trace.append(
            {
                "step": "tax",
                "ppm": rule.tax_ppm,
                "value": tax,
                "detail": f"Tax on the commission: {percent(rule.tax_ppm)} of {amount} is {tax}.",
            }
        )
    refundable = amount if rule.fixed_refundable else max(0, amount - fixed)
    return Commission(
        sale.currency, base, sale.captured, amount, tax, rule, refundable, tuple(trace)
    )


def _considered(rule: Rule, reason: str | None) -> TraceStep:
    verdict = "matches" if reason is None else f"does not match ({reason})"
    return {
        "step": "rule",
        "rule": rule.id,
        "version": rule.version,
        "name": rule.name,
        "matched": reason is None,
        "reason": reason,
        "detail": f"Rule {rule.id} “{rule.name}” {verdict}.",
    }


def _percentage(rule: Rule, base: int, trace: list[TraceStep]) -> int:
    """Return the percentage part in millionths of a minor unit, exactly."""
    if not rule.tiers:
        if rule.ppm:
            exact = base * rule.ppm
            trace.append(_part("percent", rule.ppm, base, exact))
        return base * rule.ppm
    total = 0
    for tier, inside in tier_parts(rule.tiers, base):
        total += inside * tier.ppm
        trace.append(_part("tier", tier.ppm, inside, inside * tier.ppm) | {"from": tier.lower})
    return total


def _part(step: str, ppm: int, base: int, exact: int) -> TraceStep:
    return {
        "step": step,
        "ppm": ppm,
        "base": base,
        "exact": decimal_text(exact),
        "rounded": half_up_div(exact, PPM),
        "detail": f"{percent(ppm)} of {base} is {decimal_text(exact)}.",
    }


def _fixed(rule: Rule, sale: Sale, trace: list[TraceStep]) -> int:
    if not rule.fixed:
        return 0
    times = sale.quantity if rule.fixed_per == PER_UNIT else 1
    value = rule.fixed * times
    detail = f"Fixed {rule.fixed} per {rule.fixed_per} × {times} is {value}."
    trace.append({"step": "fixed", "value": value, "detail": detail})
    return value


def _rounded(exact: int, trace: list[TraceStep]) -> int:
    """Round half-up to a minor unit: the one place where a commission is rounded."""
    value = half_up_div(exact, PPM)
    if exact % PPM:
        detail = f"{decimal_text(exact)} is rounded half-up to {value}."
        trace.append(
            {"step": "round", "exact": decimal_text(exact), "value": value, "detail": detail}
        )
    return value


def _bounded(rule: Rule, sale: Sale, base: int, amount: int, trace: list[TraceStep]) -> int:
    if rule.minimum is not None and amount < rule.minimum:
        amount = rule.minimum
        trace.append(_bound("minimum", amount, f"Raised to the minimum {amount}."))
    if rule.maximum is not None and amount > rule.maximum:
        amount = rule.maximum
        trace.append(_bound("maximum", amount, f"Lowered to the maximum {amount}."))
    if amount > base:
        amount = base
        trace.append(_bound("base_cap", amount, f"Never more than the base {amount}."))
    # commission × (1 + tax) <= captured, solved for integers: the seller's net stays >= 0.
    room = sale.captured * PPM // (PPM + rule.tax_ppm)
    if amount > room:
        amount = room
        trace.append(_bound("net_cap", amount, f"Lowered to {amount}: net is never negative."))
    return amount


def _bound(step: str, value: int, detail: str) -> TraceStep:
    return {"step": step, "value": value, "detail": detail}


def percent(ppm: int) -> str:
    """Write parts per million as a percentage without losing a digit: 33300 -> "3.33 %"."""
    whole, rest = divmod(ppm, 10_000)
    digits = f"{rest:04d}".rstrip("0")
    return f"{whole}.{digits} %" if digits else f"{whole} %"


def decimal_text(millionths: int) -> str:
    """Write millionths of a minor unit exactly: 218750000 -> "218.75"."""
    whole, rest = divmod(millionths, PPM)
    digits = f"{rest:06d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
