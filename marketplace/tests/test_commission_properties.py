"""What holds for every rule and every sale."""

import itertools
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from marketplace.commission import (
    PER_LINE,
    PER_PAYOUT,
    PER_UNIT,
    Conditions,
    Fee,
    Rule,
    Sale,
    Tier,
    charge_basket,
    charge_payout,
    quote,
)
from marketplace.commission.rules import Basket
from marketplace.refunds import Charged, Reversal, next_reversal, reversed_in_all, spread

AT = datetime(2026, 6, 1, tzinfo=UTC)
ALL = Conditions(everything=True)
amounts = st.integers(0, 10**12)
rates = st.integers(0, 1_000_000)
currencies = st.sampled_from(["JPY", "EUR", "KWD", "CLF"])


@st.composite
def tier_sets(draw):
    bounds = draw(st.lists(st.integers(1, 10**7), max_size=4, unique=True))
    return tuple(Tier(lower, draw(rates)) for lower in [0, *sorted(bounds)])


@st.composite
def rules(draw):
    minimum = draw(st.none() | st.integers(0, 10**6))
    maximum = draw(st.none() | st.integers(0, 10**7))
    return Rule(
        1,
        conditions=ALL,
        ppm=draw(rates),
        tiers=draw(st.just(()) | tier_sets()),
        fixed=draw(st.integers(0, 10**5)),
        fixed_per=draw(st.sampled_from([PER_UNIT, PER_LINE])),
        minimum=minimum,
        maximum=maximum,
        tax_ppm=draw(st.integers(0, 400_000)),
        include_shipping=draw(st.booleans()),
        include_tax=draw(st.booleans()),
        fixed_refundable=draw(st.booleans()),
        refund_fee_ppm=draw(rates),
        refund_fee_maximum=draw(st.none() | st.integers(0, 1000)),
    )


@st.composite
def sales(draw):
    item = draw(amounts)
    return Sale(
        draw(currencies),
        item=item,
        at=AT,
        quantity=draw(st.integers(1, 50)),
        shipping=draw(st.integers(0, 10**6)),
        discount=draw(st.integers(0, item)),
        tax_included=draw(st.integers(0, item)),
    )


@given(rules(), sales())
def test_conservation_and_bounds(rule, sale):
    result = quote([rule], sale)
    assert 0 <= result.amount <= result.base <= result.captured
    assert result.amount + result.seller_net + result.tax == result.captured
    assert result.seller_net >= 0
    assert 0 <= result.refundable <= result.amount


def charge(rule, base):
    return quote([rule], Sale("EUR", item=base, at=AT)).amount


@given(tier_sets(), amounts, st.integers(0, 10**6))
def test_marginal_tiers_are_monotone(tiers, base, more):
    rule = Rule(1, conditions=ALL, tiers=tiers)
    assert charge(rule, base) <= charge(rule, base + more)


@given(tier_sets(), st.data())
def test_marginal_tiers_are_continuous_at_their_bounds(tiers, data):
    """One more minor unit never costs more than one minor unit, at a bound or anywhere."""
    rule = Rule(1, conditions=ALL, tiers=tiers)
    bound = data.draw(st.sampled_from(tiers)).lower
    for base in {max(0, bound - 1), bound, bound + 1}:
        assert 0 <= charge(rule, base + 1) - charge(rule, base) <= 1


@given(rates, st.integers(1, 10**6), st.integers(0, 10**4), st.integers(2, 30))
def test_independent_of_how_a_cart_is_grouped(ppm, unit, fixed, quantity):
    """A fixed fee per unit is the same; a percentage differs by less than a unit per unit."""
    percent_rule = Rule(1, conditions=ALL, ppm=ppm)
    together = quote([percent_rule], Sale("EUR", item=unit * quantity, at=AT, quantity=quantity))
    apart = charge(percent_rule, unit) * quantity
    assert abs(together.amount - apart) <= quantity
    fixed_rule = Rule(1, conditions=ALL, fixed=min(fixed, unit))
    whole = quote([fixed_rule], Sale("EUR", item=unit * quantity, at=AT, quantity=quantity))
    assert whole.amount == charge(fixed_rule, unit) * quantity


@given(st.lists(st.tuples(rules(), sales()), min_size=2, max_size=4), st.randoms())
def test_lines_do_not_influence_one_another(pairs, rng):
    fees = [quote([rule], sale).amount for rule, sale in pairs]
    order = list(range(len(pairs)))
    rng.shuffle(order)
    again = {place: quote([pairs[place][0]], pairs[place][1]).amount for place in order}
    assert [again[place] for place in range(len(pairs))] == fees


@st.composite
def charged_lines(draw):
    result = quote([draw(rules())], draw(sales()))
    rule = result.rule
    return Charged(
        result.captured,
        result.amount,
        result.refundable,
        result.tax,
        rule.refund_fee_ppm,
        rule.refund_fee_maximum,
    )


def partition(data, whole):
    """Cut a sum into refunds in any way."""
    cuts = data.draw(st.lists(st.integers(0, whole), max_size=8))
    edges = [0, *sorted(cuts), whole]
    parts = [high - low for low, high in itertools.pairwise(edges) if high > low]
    return data.draw(st.permutations(parts))


def refund_all(charged, parts):
    total = Reversal(0, 0, 0)
    for part in parts:
        one = next_reversal(charged, total, part)
        assert one.commission + one.tax + one.seller == part
        assert one.commission >= 0
        total = Reversal(
            total.refunded + one.refunded, total.commission + one.commission, total.tax + one.tax
        )
    return total


@given(charged_lines(), st.data())
def test_any_order_and_split_of_refunds_reverses_the_same(charged, data):
    once = reversed_in_all(charged, charged.captured)
    assert refund_all(charged, partition(data, charged.captured)) == once


@given(charged_lines(), st.data())
def test_full_refund_reverses_exactly_the_fee(charged, data):
    """Without a refund administration fee and with everything refundable, nothing is kept."""
    plain = Charged(charged.captured, charged.commission, charged.commission, charged.tax)
    total = refund_all(plain, partition(data, plain.captured))
    expected = (plain.commission, plain.tax) if plain.captured else (0, 0)
    assert (total.commission, total.tax) == expected


@given(charged_lines(), st.data())
def test_never_more_reversed_than_charged(charged, data):
    part = data.draw(st.integers(0, charged.captured))
    reversal = reversed_in_all(charged, part)
    assert 0 <= reversal.commission <= charged.commission
    assert 0 <= reversal.tax <= charged.tax


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6), st.data())
def test_spread_adds_up_and_never_exceeds_a_line(remaining, data):
    amount = data.draw(st.integers(0, sum(remaining)))
    shares = spread(amount, remaining)
    assert sum(shares) == amount
    assert all(0 <= share <= left for share, left in zip(shares, remaining, strict=True))


@given(
    amount=amounts, ppm=rates, fixed=st.integers(0, 10**6), tax_ppm=rates, fees=st.integers(1, 3)
)
def test_fees_per_payout_with_taxes_never_exceed_it(amount, ppm, fixed, tax_ppm, fees):
    own = Rule(
        1,
        conditions=ALL,
        per=PER_PAYOUT,
        ppm=ppm,
        fixed=fixed,
        fixed_per=PER_PAYOUT,
        tax_ppm=tax_ppm,
    )
    schedule = [Fee((own,), id=number, code=str(number)) for number in range(fees)]
    charged = charge_payout(schedule, amount=amount, currency="EUR", at=AT, seller=1)
    assert charged.amount >= 0
    assert charged.tax >= 0
    assert charged.amount + charged.tax <= amount
    # An order knows nothing of them.
    [line] = charge_basket(schedule, Basket((Sale("EUR", item=amount, at=AT),)))
    assert (line.amount, line.tax, line.charges) == (0, 0, ())
