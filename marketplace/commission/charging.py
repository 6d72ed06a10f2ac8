"""What one rule charges on one base: rate or tiers, fixed amount, rounding, minimum, maximum."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from marketplace.commission.rules import (
    BY_VOLUME,
    PER_ORDER,
    PER_PAYOUT,
    PER_UNIT,
    PPM,
    WHOLE,
    Rule,
    Sale,
    Tier,
    TraceStep,
)
from marketplace.commission.trace import decimal_text, percent, rate_part, step
from systemadmin.foundation.money import half_up_div


def _half_even_div(n: int, d: int) -> int:
    """Return n / d for n >= 0 to the nearest integer, halves to the even one."""
    quotient, rest = divmod(n, d)
    if 2 * rest > d or (2 * rest == d and quotient % 2):
        quotient += 1
    return quotient


ROUNDINGS: dict[str, Callable[[int, int], int]] = {
    "half_up": half_up_div,
    "half_even": _half_even_div,
    "down": lambda n, d: n // d,
    "up": lambda n, d: -(-n // d),
}


@dataclass(frozen=True, slots=True)
class Base:
    """The amount a rule charges on, and the part of it that is shipping."""

    amount: int
    shipping: int


@dataclass(frozen=True, slots=True)
class Scope:
    """How often a fixed amount counts, and where the tiers of a volume begin."""

    quantity: int = 1
    lines: int = 1
    start: int = 0


def base_of(rule: Rule, sale: Sale) -> Base:
    """Return the base of one line, never negative.

    Only a rule on the price before the seller's discount has a base above what was captured.
    The included tax is taken out of the part of the line that the rule is charged on.
    """
    item = _item_of(rule, sale) if rule.include_item else 0
    shipping = sale.shipping if rule.include_shipping else 0
    amount = item + shipping
    if not rule.include_tax and amount and sale.captured:
        tax = half_up_div(sale.tax_included * amount, sale.captured)
        net = max(0, amount - tax)
        return Base(net, half_up_div(shipping * net, amount))
    return Base(amount, shipping)


def _item_of(rule: Rule, sale: Sale) -> int:
    item = sale.item if rule.include_discount else sale.item - sale.discount
    if not rule.include_platform_discount:
        item -= sale.platform_discount
    return max(0, item)


def tier_parts(tiers: Sequence[Tier], base: int, start: int = 0) -> list[tuple[Tier, int]]:
    """Split the span from `start` to `start + base` over marginal tiers.

    Each part is charged at its own tier's rate.
    """
    ordered = sorted(tiers, key=lambda tier: tier.lower)
    end = start + base
    parts = []
    for position, tier in enumerate(ordered):
        upper = ordered[position + 1].lower if position + 1 < len(ordered) else end
        inside = min(end, upper) - max(start, tier.lower)
        if inside > 0:
            parts.append((tier, inside))
    return parts


def charge_on(
    rule: Rule, base: int, scope: Scope, trace: list[TraceStep], *, is_capped: bool = True
) -> tuple[int, int]:
    """Return what a rule charges on a base, and how much of it is the fixed amount.

    A rule per unit is applied to each unit and summed. `is_capped` holds the charge to the base,
    as it must be where the seller pays it out of what was captured.
    """
    if rule.per != PER_UNIT or scope.quantity <= 1:
        return _charge_once(rule, base, scope, trace, is_capped)
    whole, rest = divmod(base, scope.quantity)
    total = fixed = 0
    for units, unit_base in ((rest, whole + 1), (scope.quantity - rest, whole)):
        if units:
            trace.append(step("unit", unit_base, f"For each of {units} units: base {unit_base}."))
            one = Scope(1, 1, scope.start)
            amount, part = _charge_once(rule, unit_base, one, trace, is_capped)
            total, fixed = total + units * amount, fixed + units * part
    trace.append(step("units", total, f"All {scope.quantity} units together: {total}."))
    return total, fixed


def _charge_once(
    rule: Rule, base: int, scope: Scope, trace: list[TraceStep], is_capped: bool
) -> tuple[int, int]:
    exact = _percentage(rule, base, scope.start, trace)
    fixed = _fixed(rule, scope, trace)
    amount = _rounded(rule, exact + fixed * PPM, trace)
    amount = _bounded(rule, amount, trace)
    if is_capped and amount > base:
        amount = base
        trace.append(step("base_cap", amount, f"Never more than the base {amount}."))
    return amount, fixed


def _percentage(rule: Rule, base: int, start: int, trace: list[TraceStep]) -> int:
    """Return the percentage part in millionths of a minor unit, exactly."""
    if not rule.tiers:
        if rule.ppm:
            trace.append(rate_part("percent", rule.ppm, base, base * rule.ppm))
        return base * rule.ppm
    start = start if rule.tiers_by == BY_VOLUME else 0
    if rule.tiers_mode == WHOLE:
        return _whole_tier(rule, base, start, trace)
    total = 0
    for tier, inside in tier_parts(rule.tiers, base, start):
        total += inside * tier.ppm
        part = rate_part("tier", tier.ppm, inside, inside * tier.ppm)
        trace.append(part | {"from": tier.lower})
    return total


def _whole_tier(rule: Rule, base: int, start: int, trace: list[TraceStep]) -> int:
    """Charge the whole base at the rate of the one tier that the amount or the volume is in."""
    place = start if rule.tiers_by == BY_VOLUME else base
    reached = [tier for tier in rule.tiers if tier.lower <= place]
    tier = max(reached, key=lambda one: one.lower)
    trace.append(rate_part("tier", tier.ppm, base, base * tier.ppm) | {"from": tier.lower})
    return base * tier.ppm


def _fixed(rule: Rule, scope: Scope, trace: list[TraceStep]) -> int:
    if not rule.fixed:
        return 0
    once = {PER_UNIT: scope.quantity, PER_ORDER: 1, PER_PAYOUT: 1}
    times = once.get(rule.fixed_per, scope.lines)
    value = rule.fixed * times
    detail = f"Fixed {rule.fixed} per {rule.fixed_per} × {times} is {value}."
    trace.append(step("fixed", value, detail))
    return value


def _rounded(rule: Rule, exact: int, trace: list[TraceStep]) -> int:
    """Round to a minor unit: the one place where a commission is rounded."""
    value = ROUNDINGS[rule.rounding](exact, PPM)
    if exact % PPM:
        how = rule.rounding.replace("_", "-")
        detail = f"{decimal_text(exact)} is rounded {how} to {value}."
        trace.append(
            {"step": "round", "exact": decimal_text(exact), "value": value, "detail": detail}
        )
    return value


def _bounded(rule: Rule, amount: int, trace: list[TraceStep]) -> int:
    if rule.minimum is not None and amount < rule.minimum:
        amount = rule.minimum
        trace.append(step("minimum", amount, f"Raised to the minimum {amount}."))
    if rule.maximum is not None and amount > rule.maximum:
        amount = rule.maximum
        trace.append(step("maximum", amount, f"Lowered to the maximum {amount}."))
    return amount


def limit_to_remaining(amount: int, room: int, tax_ppm: int, trace: list[TraceStep]) -> int:
    """Lower a charge so that with its tax it fits into what is left of the captured amount.

    commission × (1 + tax) <= room, solved for integers: the seller's net stays >= 0.
    """
    most = room * PPM // (PPM + tax_ppm)
    if amount > most:
        amount = most
        trace.append(step("net_cap", amount, f"Lowered to {amount}: net is never negative."))
    return amount


def tax_on(amount: int, tax_ppm: int, is_reverse_charge: bool, trace: list[TraceStep]) -> int:
    """Return the tax on a charge, rounded half-up once."""
    if is_reverse_charge:
        trace.append(step("tax", 0, "Reverse charge: the seller accounts for the tax."))
        return 0
    tax = half_up_div(amount * tax_ppm, PPM)
    if tax_ppm:
        detail = f"Tax on the commission: {percent(tax_ppm)} of {amount} is {tax}."
        trace.append({"step": "tax", "ppm": tax_ppm, "value": tax, "detail": detail})
    return tax
