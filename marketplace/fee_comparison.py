"""Whether another schedule of fees would charge a seller's sales less: a function of two schedules.

A condition on prices, amounts, volumes, buyers or days can be met by whoever sells, so a rule is
compared on sales that meet it, not on the sales there were.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise, product

from marketplace.commission import (
    PER_PAYOUT,
    PPM,
    Basket,
    Charge,
    Fee,
    Party,
    Rule,
    Sale,
    charge_basket,
    charge_payout,
    mismatch,
    rules_for,
)
from marketplace.refunds import ChargedGroup, Kept, group_reversed

# More sales than this are not compared: the schedule then counts as one that charges less.
MOST_SALES = 20_000
_AMOUNTS = (1, 100, 10_000, 1_000_000, 100_000_000)
_QUANTITIES = (1, 3)
# Lines of an order, and whether it has shipping, discounts and included tax.
_SHAPES = ((1, False), (1, True), (2, True))
# Units of a line, and lines: what is charged for each of them adds up.
_MANY = ((1, 1), (100, 1), (1, 20))
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a seller has on sale: what no buyer and no price changes."""

    currency: str
    seller: int
    category_path: tuple[int, ...] = ()
    kind: str | None = None
    product: int | None = None


def charges_less(
    before: Sequence[Fee], after: Sequence[Fee], listing: Listing, party: Party, now: datetime
) -> bool:
    """Return whether some sale of a listing, or payout to its seller, would cost less.

    A sale costs less when its fees are lower, or when more of them goes back with a refund.
    """
    rules = [rule for fee in (*before, *after) for rule in fee.rules]
    for rule in changed_rules(before, after):
        if rule.per == PER_PAYOUT:
            if _payout_costs_less(before, after, rule, listing, party, now):
                return True
            continue
        if not can_match(rule, listing, party):
            continue
        for number, basket in enumerate(_baskets(rule, rules, listing, party, now)):
            if number >= MOST_SALES or _is_less(_costs(before, basket), _costs(after, basket)):
                return True
    return False


def changed_rules(before: Sequence[Fee], after: Sequence[Fee]) -> list[Rule]:
    """Return the rules that were added, removed or changed, or that others passed."""
    old, new = _placed(before), _placed(after)
    common = {rule.id for _fee, rule, _ahead in old} & {rule.id for _fee, rule, _ahead in new}
    first = {(fee, rule, ahead & common) for fee, rule, ahead in old}
    second = {(fee, rule, ahead & common) for fee, rule, ahead in new}
    return [rule for _fee, rule, _ahead in sorted(first ^ second, key=lambda one: one[1].id)]


def _placed(fees: Sequence[Fee]) -> list[tuple[tuple[int, str, str], Rule, frozenset[int]]]:
    """Return each rule with what decides about its fee, and the rules that are ahead of it."""
    return [
        (
            (fee.id, fee.combine, fee.payer),
            rule,
            frozenset(one.id for one in fee.rules[:place]),
        )
        for fee in fees
        for place, rule in enumerate(fee.rules)
    ]


def can_match(rule: Rule, listing: Listing, party: Party) -> bool:
    """Return whether some sale of the listing could meet the rule."""
    wanted = rule.conditions
    free = replace(
        wanted, value_from=None, value_below=None, line_from=None, line_below=None,
        unit_from=None, unit_below=None, volume_from=None, volume_below=None,
        buyer_countries=None, valid_from=None, valid_to=None, everything=True,
    )  # fmt: skip
    sale = _sale(listing, datetime.max, item=1, quantity=1)
    return mismatch(replace(rule, conditions=free), sale, party) is None


def _sale(listing: Listing, at: datetime, *, item: int, quantity: int) -> Sale:
    return Sale(
        currency=listing.currency,
        item=item,
        at=at,
        quantity=quantity,
        category_path=listing.category_path,
        seller=listing.seller,
        product=listing.product,
        kind=listing.kind,
    )


def _baskets(
    rule: Rule, rules: Sequence[Rule], listing: Listing, party: Party, now: datetime
) -> Iterator[Basket]:
    """Yield orders of the listing that meet the rule, inside and outside of every other rule."""
    near = [one for one in rules if can_match(one, listing, party)]
    specs = {one.volume for one in rules if one.volume}
    for other in near:
        goods = list(_goods(rule, other))
        for place, (moment, country, volume, value) in enumerate(_points(rule, other, near, now)):
            buyer = replace(party, buyer_country=country)
            volumes = dict.fromkeys(specs, volume)
            knees = _goods_at_knees(rule, other) if place == 0 else ()
            for unit, quantity, (lines, is_rich) in (*goods, *knees):
                sale = _sale(listing, moment, item=unit * quantity, quantity=quantity)
                if is_rich:
                    sale = _with_extras(rule, sale)
                worth = sale.captured * lines if value is None else value
                sale = replace(sale, order_value=worth)
                if mismatch(rule, sale, buyer, volumes) is None:
                    yield Basket((sale,) * lines, buyer, volumes)


# The price of a unit, how many units a line has, and the shape of the order.
Goods = tuple[int, int, tuple[int, bool]]


def _goods(rule: Rule, other: Rule) -> Iterator[Goods]:
    """Yield what is bought at amounts of each size, and where the rules begin and end."""
    for unit, shape in product(_units(rule, other), _SHAPES):
        yield from ((unit, quantity, shape) for quantity in _quantities(rule, unit))


def _goods_at_knees(rule: Rule, other: Rule) -> Iterator[Goods]:
    """Yield what is bought where the fee bends: for one unit, many units and many lines.

    Between two such amounts both fees are straight, so one that is cheaper there is cheaper at one
    of them.
    """
    bases = sorted({*_knees(other), *(_AMOUNTS if other is rule else ())})
    for base, (quantity, lines) in product(bases, _MANY):
        unit = base // (quantity * lines)
        if _is_sold_at(rule, unit):
            yield unit, quantity, (lines, False)


def _knees(rule: Rule) -> set[int]:
    """Return the amounts beside which the rule's minimum, maximum and tiers begin."""
    bounds = [bound for bound in (rule.minimum, rule.maximum) if bound is not None]
    found = {
        (bound - start) * PPM // ppm
        for bound, (ppm, start) in product(bounds, _lines(rule))
        if ppm and bound > start
    }
    near = {knee + step for knee in found for step in (0, 1)}
    return near | {tier.lower + step for tier in rule.tiers for step in (-1, 0)}


def _lines(rule: Rule) -> set[tuple[int, int]]:
    """Return the straight lines that the rule's fee follows, each as parts per million and sum.

    A marginal tier goes on from what the tiers below it came to.
    """
    found = {(rate, rule.fixed) for rate in (rule.ppm, *(tier.ppm for tier in rule.tiers))}
    sum_below = rule.fixed
    for below, tier in pairwise(rule.tiers):
        sum_below += (tier.lower - below.lower) * below.ppm // PPM
        found.add((tier.ppm, sum_below - tier.lower * tier.ppm // PPM))
    return found


Point = tuple[datetime, str, int, int | None]


def _points(rule: Rule, other: Rule, near: Sequence[Rule], now: datetime) -> Iterator[Point]:
    """Yield moments, buyers' countries, volumes and order values: where both rules hold first.

    Then one of them at a time is where the other rule begins or ends.
    """
    moments, volumes, values = (
        _moments(rule, other, now), _volumes(rule, other), _values(rule, other),
    )  # fmt: skip
    countries = _countries(rule, other, near)
    moment, country, volume, value = moments[0], countries[0], volumes[0], values[0]
    yield from ((one, country, volume, value) for one in dict.fromkeys(moments))
    yield from ((moment, one, volume, value) for one in countries[1:])
    yield from ((moment, country, one, value) for one in dict.fromkeys(volumes[1:]))
    yield from ((moment, country, volume, one) for one in dict.fromkeys(values[1:]))


def _moments(rule: Rule, other: Rule, now: datetime) -> list[datetime]:
    mine, theirs = rule.conditions, other.conditions
    first = max(day for day in (now, mine.valid_from, theirs.valid_from) if day is not None)
    ends = [day for day in (theirs.valid_to, theirs.valid_from) if day is not None]
    later = [moment for day in ends for moment in (day, day - _MOMENT) if moment > now]
    return [first, now, *later]


def _volumes(rule: Rule, other: Rule) -> list[int]:
    tiers = (tier.lower for one in (rule, other) if one.volume for tier in one.tiers)
    begins = [one.conditions.volume_from or 0 for one in (rule, other)]
    return [max(begins), *_edges([rule, other], "volume"), *tiers]


def _values(rule: Rule, other: Rule) -> list[int | None]:
    begins = [one.conditions.value_from for one in (rule, other)]
    known = [begin for begin in begins if begin is not None]
    both: list[int | None] = [max(known)] if known else []
    return [*both, None, *_edges([rule, other], "value")]


def _with_extras(rule: Rule, sale: Sale) -> Sale:
    """Return the sale at the same price with shipping, discounts and included tax."""
    wanted = rule.conditions
    shipping = max((wanted.line_from or 0) - sale.item, sale.item // 10)
    if wanted.line_below is not None:
        shipping = max(0, min(shipping, wanted.line_below - 1 - sale.item))
    discount = sale.item // 10
    return replace(
        sale,
        item=sale.item + discount,
        discount=discount,
        platform_discount=sale.item // 20,
        shipping=shipping,
        tax_included=(sale.item + shipping) // 6,
    )


def _edges(rules: Iterable[Rule], *names: str) -> list[int]:
    """Return the amounts on both sides of these bounds of the rules."""
    found = set()
    for rule in rules:
        for name in names:
            for bound in ("from", "below"):
                value = getattr(rule.conditions, f"{name}_{bound}")
                if value is not None:
                    found |= {max(0, value - 1), value}
    return sorted(found)


def _units(rule: Rule, other: Rule) -> list[int]:
    """Return the prices of one unit that are compared: those that meet the rule."""
    tiers = [tier.lower for one in (rule, other) for tier in one.tiers]
    amounts = {*_AMOUNTS, *_edges([rule, other], "unit", "line", "value"), *tiers}
    return sorted(amount for amount in amounts if _is_sold_at(rule, amount))


def _is_sold_at(rule: Rule, unit: int) -> bool:
    """Return whether a unit at this price can meet the rule."""
    low, high = rule.conditions.unit_from, rule.conditions.unit_below
    return unit > 0 and (low is None or unit >= low) and (high is None or unit < high)


def _quantities(rule: Rule, unit: int) -> set[int]:
    """Return how many units are compared; as many as the rule's line needs are among them."""
    needed = -(-(rule.conditions.line_from or 0) // unit)
    return {*_QUANTITIES, max(1, needed)}


def _countries(rule: Rule, other: Rule, near: Sequence[Rule]) -> list[str]:
    """Return a buyer's country of each group that the rules tell apart, one of both rules first."""
    named = [one.conditions.buyer_countries or frozenset() for one in near]
    groups: dict[tuple[bool, ...], str] = {(False,) * len(named): ""}
    for country in sorted(frozenset().union(*named)):
        groups.setdefault(tuple(country in one for one in named), country)

    def is_in_neither(country: str) -> int:
        wanted = [one.conditions.buyer_countries for one in (rule, other)]
        return sum(one is not None and country not in one for one in wanted)

    return sorted(groups.values(), key=is_in_neither)


Costs = tuple[tuple[int, int, int], tuple[int, int, int]]


def _costs(fees: Sequence[Fee], basket: Basket) -> Costs:
    """Return what seller and buyer pay: kept, half refunded, and refunded in full."""
    groups: dict[int, list[Charge]] = {}
    for line in charge_basket(fees, basket):
        for charge in line.charges:
            groups.setdefault(charge.group, []).append(charge)
    sums = [[0, 0, 0], [0, 0, 0]]
    for charges in groups.values():
        quantity = sum(basket.lines[one.line].quantity for one in charges)
        side = sums[charges[0].is_paid_by_buyer]
        for place, cost in enumerate(_costs_of_group(charges, quantity)):
            side[place] += cost
    (kept, half, gone), (buyer_kept, buyer_half, buyer_gone) = sums
    return (kept, half, gone), (buyer_kept, buyer_half, buyer_gone)


def _costs_of_group(charges: Sequence[Charge], quantity: int) -> tuple[int, int, int]:
    rule = charges[0].rule
    group = ChargedGroup(
        base=sum(one.base.amount for one in charges),
        amount=sum(one.amount for one in charges),
        refundable=sum(one.refundable for one in charges),
        tax=sum(one.tax for one in charges),
        volume=charges[0].volume,
        quantity=quantity,
    )
    whole = group.amount + group.tax
    if not group.base:
        return whole, whole, whole
    half = group_reversed(
        group, rule, Kept(Fraction(group.base, 2), max(1, quantity // 2), len(charges))
    )
    gone = group_reversed(group, rule, Kept(Fraction(0), 0, 0))
    return whole, whole - sum(half), whole - sum(gone)


def _is_less(before: Costs, after: Costs) -> bool:
    """Return whether the seller pays less, or the same while the buyer pays less."""
    if before[0] != after[0]:
        return any(new < old for old, new in zip(before[0], after[0], strict=True))
    return any(new < old for old, new in zip(before[1], after[1], strict=True))


def _payout_costs_less(
    before: Sequence[Fee],
    after: Sequence[Fee],
    rule: Rule,
    listing: Listing,
    party: Party,
    now: datetime,
) -> bool:
    near = [one for fee in (*before, *after) for one in fee.rules if one.per == PER_PAYOUT]
    specs = {one.volume for one in near if one.volume}
    schedules = [rules_for(fees, payouts=True) for fees in (before, after)]
    for amount, moment, volume in _payouts(rule, near, now):
        old, new = (
            charge_payout(
                fees, amount=amount, currency=listing.currency, at=moment,
                seller=listing.seller, party=party, volumes=dict.fromkeys(specs, volume),
            )
            for fees in schedules
        )  # fmt: skip
        if new.amount + new.tax < old.amount + old.tax:
            return True
    return False


def _payouts(
    rule: Rule, near: Sequence[Rule], now: datetime
) -> Iterator[tuple[int, datetime, int]]:
    """Yield amounts, moments and volumes of payouts inside and outside of every other rule."""
    for other in near:
        tiers = (tier.lower for one in (rule, other) for tier in one.tiers)
        amounts = {
            *_AMOUNTS,
            *_edges([rule, other], "value"),
            *tiers,
            *_knees(rule),
            *_knees(other),
        }
        for moment, _country, volume, _value in _points(rule, other, near, now):
            yield from ((amount, moment, volume) for amount in sorted(amounts) if amount > 0)
