"""Fees per unit, line and order, several fees at once, volumes, roundings and taxes.

Amounts are minor units; each published figure names where it was published.
"""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.commission import (
    BUYER,
    BY_VOLUME,
    PER_LINE,
    PER_ORDER,
    PER_UNIT,
    SUM,
    WHOLE,
    Basket,
    Conditions,
    Fee,
    Party,
    Rule,
    Sale,
    Tier,
    VolumeSpec,
    charge_basket,
    share_within,
)
from marketplace.commission.volume import window_start

AT = datetime(2026, 5, 15, 12, tzinfo=UTC)
ALL = Conditions(everything=True)


def rule(number=1, *, conditions=ALL, **values):
    return Rule(number, conditions=conditions, **values)


def basket(*lines, party=None, volumes=None, currency="EUR"):
    """Each line is (unit price, quantity) or (unit price, quantity, shipping)."""
    value = sum(price * quantity + sum(more) for price, quantity, *more in lines)
    sales = [
        Sale(
            currency,
            item=price * quantity,
            at=AT,
            quantity=quantity,
            shipping=sum(more),
            order_value=value,
        )
        for price, quantity, *more in lines
    ]
    return Basket(tuple(sales), party or Party(), volumes or {})


def charged(fees, *lines, **more):
    return sum(one.amount for one in charge_basket(fees, basket(*lines, **more)))


def below(amount):
    return Conditions(unit_below=amount)


PUBLISHED = [
    (
        "Amazon referral fees (amz.how): 8 % up to 10.00 each, then 15 %; two at 9.00",
        [rule(conditions=below(1001), per=PER_UNIT, ppm=80_000, minimum=30)],
        [rule(2, per=PER_UNIT, ppm=150_000, minimum=30)],
        [(9_00, 2)],
        1_44,
    ),
    (
        "Amazon (amzsupport.freshdesk.com): 15 %, at least 0.30 each; three at 1.00",
        [rule(per=PER_UNIT, ppm=150_000, minimum=30)],
        [],
        [(1_00, 3)],
        90,
    ),
    (
        "sice.co.nz booking fees: 10 % a ticket, at least 2.00 each; three at 15.00",
        [rule(conditions=below(100_00), per=PER_UNIT, ppm=100_000, minimum=2_00)],
        [rule(2, per=PER_UNIT, ppm=80_000)],
        [(15_00, 3)],
        6_00,
    ),
    (
        "eBay seller centre 2024: 13.25 % + 0.40 once for the order; 15.00 and 10.00",
        [rule(per=PER_ORDER, ppm=132_500, fixed=40, fixed_per=PER_ORDER)],
        [],
        [(15_00, 1), (10_00, 1)],
        3_71,
    ),
    (
        "theecomax.com 3.3: 5 %, at least 0.50 for the order; two lines of 2.00",
        [rule(per=PER_ORDER, ppm=50_000, minimum=50)],
        [],
        [(2_00, 1), (2_00, 1)],
        50,
    ),
]


@pytest.mark.parametrize(
    ("first", "then", "lines", "expected"),
    [pytest.param(*one[1:], id=one[0]) for one in PUBLISHED],
)
def test_published_fee_per_unit_or_order(first, then, lines, expected):
    assert charged([Fee((*first, *then))], *lines) == expected


def test_two_fees_are_rounded_apart():
    """Etsy's fee tables (wise.com): 6.5 % and 3 % + 0.25, each its own line on the bill."""
    etsy = [
        Fee((rule(1, ppm=65_000),), code="transaction"),
        Fee((rule(2, ppm=30_000, fixed=25, fixed_per=PER_LINE),), code="payment"),
    ]
    assert charged(etsy, (10_07, 1)) == 1_20
    [line] = charge_basket(etsy, basket((10_07, 1)))
    assert [(one.fee.code, one.amount) for one in line.charges] == [
        ("transaction", 65),
        ("payment", 55),
    ]
    assert line.amount + line.tax + line.seller_net == line.captured == 10_07


def test_a_fee_may_sum_all_rules_that_match():
    both = (rule(1, ppm=100_000), rule(2, conditions=Conditions(line_from=50_00), ppm=50_000))
    assert charged([Fee(both, combine=SUM)], (60_00, 1)) == 9_00
    assert charged([Fee(both, combine=SUM)], (40_00, 1)) == 4_00
    assert charged([Fee(both)], (60_00, 1)) == 6_00


def test_conditions_look_at_unit_line_and_order_apart():
    order = basket((30_00, 2), (50_00, 1))
    for conditions, expected in (
        (Conditions(unit_from=40_00), [0, 5_00]),
        (Conditions(line_from=55_00), [6_00, 0]),
        (Conditions(value_from=110_00), [6_00, 5_00]),
        (Conditions(value_from=110_01), [0, 0]),
    ):
        found = charge_basket([Fee((rule(conditions=conditions, ppm=100_000),))], order)
        assert [one.amount for one in found] == expected


def test_conditions_on_the_unit_look_at_what_it_sells_for():
    line = replace(basket((30_00, 2)).lines[0], discount=1_01)
    for conditions, expected in (
        (Conditions(unit_from=29_50), 5_90),
        (Conditions(unit_from=29_51), 0),
    ):
        fee = Fee((rule(conditions=conditions, ppm=100_000),))
        [found] = charge_basket([fee], Basket((line,)))
        assert found.amount == expected


def test_whole_tiers_charge_everything_at_the_rate_reached():
    """Amazon baby products: 8 % up to 10.00, 15 % of the whole price above."""
    tiers = (Tier(0, 80_000), Tier(10_01, 150_000))
    whole = [Fee((rule(tiers=tiers, tiers_mode=WHOLE, per=PER_UNIT),))]
    assert charged(whole, (10_00, 1)) == 80
    assert charged(whole, (20_00, 1)) == 3_00
    assert charged(whole, (10_00, 3)) == 2_40


def test_tiers_by_volume_go_on_where_earlier_sales_ended():
    """Upwork until 2023: 20 % of the first 500 with a client, 10 % up to 10,000, 5 % above."""
    spec = VolumeSpec("lifetime", between="pair")
    tiers = (Tier(0, 200_000), Tier(500_00, 100_000), Tier(10_000_00, 50_000))
    upwork = [Fee((rule(tiers=tiers, tiers_by=BY_VOLUME, volume=spec),))]
    assert charged(upwork, (600_00, 1), volumes={spec: 0}) == 110_00
    assert charged(upwork, (600_00, 1), volumes={spec: 400_00}) == 70_00
    assert charged(upwork, (600_00, 1), volumes={spec: 9_800_00}) == 40_00
    apart = charged(upwork, (300_00, 1), (300_00, 1), volumes={spec: 0})
    assert apart == charged(upwork, (600_00, 1), volumes={spec: 0})


def test_a_volume_of_orders_may_lower_the_rate():
    spec = VolumeSpec("30d", measure="orders")
    fee = Fee(
        (
            rule(1, conditions=Conditions(volume_from=100), volume=spec, ppm=50_000),
            rule(2, ppm=100_000),
        )
    )
    assert charged([fee], (10_00, 1), volumes={spec: 99}) == 1_00
    assert charged([fee], (10_00, 1), volumes={spec: 100}) == 50


def test_rules_may_look_at_the_seller():
    fee = Fee(
        (
            rule(1, conditions=Conditions(levels=frozenset({"gold"})), ppm=50_000),
            rule(2, conditions=Conditions(countries=frozenset({"ES"})), ppm=80_000),
            rule(3, conditions=Conditions(tax_statuses=frozenset({"business"})), ppm=90_000),
            rule(4, ppm=100_000),
        )
    )
    for party, expected in (
        (Party(level="gold", country="ES"), 50),
        (Party(country="ES"), 80),
        (Party(country="FR", tax_status="business"), 90),
        (Party(country="FR"), 1_00),
    ):
        assert charged([fee], (10_00, 1), party=party) == expected


def test_tax_follows_the_sellers_country_and_status():
    fee = [Fee((rule(ppm=100_000, tax_by_seller=True, tax_ppm=990_000),))]
    taxed = Party(country="ES", tax_ppm=210_000)
    reverse = Party(country="DE", tax_status="business", is_reverse_charge=True)
    assert charge_basket(fee, basket((10_00, 1), party=taxed))[0].tax == 21
    [line] = charge_basket(fee, basket((10_00, 1), party=reverse))
    assert line.tax == 0
    assert "Reverse charge" in line.trace[-1]["detail"]
    assert charge_basket(fee, basket((10_00, 1)))[0].tax == 0


def test_a_fee_on_top_is_the_buyers():
    """Vinted's buyer protection as published: 5 % + 0.70."""
    fees = [
        Fee((rule(1, ppm=100_000),)),
        Fee((rule(2, ppm=50_000, fixed=70, fixed_per=PER_LINE),), code="buyer", payer=BUYER),
    ]
    [line] = charge_basket(fees, basket((20_00, 1)))
    assert (line.amount, line.seller_net, line.buyer_amount) == (2_00, 18_00, 1_70)
    [cheap] = charge_basket(fees[1:], basket((50, 1)))
    assert (cheap.amount, cheap.seller_net, cheap.buyer_amount) == (0, 50, 73)


@pytest.mark.parametrize(
    ("rounding", "expected"), [("half_up", 3), ("half_even", 2), ("down", 2), ("up", 3)]
)
def test_roundings(rounding, expected):
    assert charged([Fee((rule(ppm=100_000, rounding=rounding),))], (25, 1)) == expected


def test_the_base_says_what_is_charged_on():
    sale = Sale(
        "EUR", item=100_00, at=AT, shipping=10_00, discount=20_00, platform_discount=5_00,
        tax_included=15_00,
    )  # fmt: skip
    for values, expected in (
        ({}, 90_00),
        ({"include_shipping": False}, 80_00),
        ({"include_item": False}, 10_00),
        ({"include_tax": False}, 75_00),
        ({"include_platform_discount": False}, 85_00),
    ):
        [line] = charge_basket([Fee((rule(ppm=1, **values),))], Basket((sale,)))
        assert line.base == expected


def test_windows_follow_the_calendar_of_the_place():
    madrid = ZoneInfo("Europe/Madrid")
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    assert window_start("month", late, madrid) == datetime(2026, 4, 1, tzinfo=madrid)
    assert window_start("quarter", late, madrid) == datetime(2026, 4, 1, tzinfo=madrid)
    assert window_start("year", late, madrid) == datetime(2026, 1, 1, tzinfo=madrid)
    assert (late - window_start("30d", late, madrid)).days == 30
    assert window_start("lifetime", late, madrid) is None


rates = st.integers(0, 1_000_000)
units = st.sampled_from([PER_UNIT, PER_LINE, PER_ORDER])


@st.composite
def rules(draw):
    per = draw(units)
    order = [PER_UNIT, PER_LINE, PER_ORDER]
    minimum = draw(st.none() | st.integers(0, 2_000))
    return rule(
        draw(st.integers(1, 99)),
        per=per,
        ppm=draw(rates),
        fixed=draw(st.integers(0, 500)),
        fixed_per=draw(st.sampled_from(order[: order.index(per) + 1])),
        minimum=minimum,
        maximum=draw(st.none() | st.integers(minimum or 0, 5_000)),
        tax_ppm=draw(st.integers(0, 400_000)),
        rounding=draw(st.sampled_from(["half_up", "half_even", "down", "up"])),
        include_shipping=draw(st.booleans()),
        fixed_refundable=draw(st.booleans()),
    )


schedules = st.lists(
    st.builds(
        Fee,
        st.lists(rules(), min_size=1, max_size=3).map(tuple),
        combine=st.sampled_from(["first", "sum"]),
        payer=st.sampled_from(["seller", "seller", "buyer"]),
    ),
    max_size=3,
)
lines_of = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(1, 20), st.integers(0, 900)),
    min_size=1,
    max_size=5,
)


@given(schedules, lines_of)
def test_every_schedule_leaves_each_seller_something_or_nothing_but_never_less(fees, lines):
    for line in charge_basket(fees, basket(*lines)):
        assert line.seller_net >= 0
        assert line.amount + line.tax + line.seller_net == line.captured
        assert line.amount == sum(one.amount for one in line.charges if not one.is_paid_by_buyer)
        assert all(0 <= one.refundable <= one.amount for one in line.charges)


@given(rules(), lines_of)
def test_a_rule_per_order_is_the_same_however_the_lines_are_cut(one, lines):
    """The sum does not depend on how a basket of the same goods is written down."""
    per_order = rule(1, per=PER_ORDER, ppm=one.ppm, minimum=one.minimum, maximum=one.maximum)
    item = sum(price * quantity for price, quantity, _shipping in lines)
    shipping = sum(own for _price, _quantity, own in lines)
    together = charged([Fee((per_order,))], (item, 1, shipping))
    assert charged([Fee((per_order,))], *lines) == together


@given(rules(), st.integers(0, 5_000), st.integers(1, 12))
def test_a_rule_per_unit_charges_each_unit_as_if_it_were_alone(one, price, quantity):
    per_unit = rule(
        1, per=PER_UNIT, ppm=one.ppm, fixed=one.fixed, minimum=one.minimum, maximum=one.maximum,
        rounding=one.rounding,
    )  # fmt: skip
    alone = charged([Fee((per_unit,))], (price, 1))
    assert charged([Fee((per_unit,))], (price, quantity)) == quantity * alone


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1), st.data())
def test_shares_add_up_and_respect_their_limits(pairs, data):
    weights, limits = zip(*pairs, strict=True)
    total = data.draw(st.integers(0, sum(limits)))
    shares = share_within(total, weights, limits)
    assert sum(shares) == total
    assert all(0 <= share <= most for share, most in zip(shares, limits, strict=True))
