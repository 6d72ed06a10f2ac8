"""Which rule applies: order, conditions, dates, and the trace that says why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.commission import (
    PER_PAYOUT,
    Conditions,
    Fee,
    Party,
    Rule,
    Sale,
    VolumeSpec,
    charge_payout,
    mismatch,
    quote,
)

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
SALE = Sale(
    "EUR",
    item=100_00,
    at=AT,
    category_path=(1, 4, 9),
    seller=7,
    product=70,
    kind="service",
)


def only(**conditions):
    return Rule(1, conditions=Conditions(**conditions), ppm=100_000)


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ({"categories": frozenset({4})}, None),
        ({"categories": frozenset({9, 33})}, None),
        ({"categories": frozenset({33})}, "category"),
        ({"sellers": frozenset({7})}, None),
        ({"sellers": frozenset({8})}, "seller"),
        ({"products": frozenset({70})}, None),
        ({"products": frozenset({71})}, "product"),
        ({"kinds": frozenset({"service"})}, None),
        ({"kinds": frozenset({"product"})}, "kind"),
        ({"currency": "EUR"}, None),
        ({"currency": "USD"}, "currency"),
        ({"value_from": 100_00}, None),
        ({"value_from": 100_01}, "value_too_low"),
        ({"value_below": 100_01}, None),
        ({"value_below": 100_00}, "value_too_high"),
        ({"everything": True, "valid_from": AT}, None),
        ({"everything": True, "valid_from": AT + timedelta(seconds=1)}, "too_early"),
        ({"everything": True, "valid_to": AT + timedelta(seconds=1)}, None),
        ({"everything": True, "valid_to": AT}, "expired"),
        ({"sellers": frozenset({7}), "currency": "USD"}, "currency"),
        ({}, "no_conditions"),
        ({"valid_from": AT}, "no_conditions"),
    ],
)
def test_one_condition(conditions, reason):
    assert mismatch(only(**conditions), SALE) == reason


def test_first_match_wins_and_the_trace_says_why():
    rules = [
        Rule(5, "Books", conditions=Conditions(categories=frozenset({77})), ppm=1),
        Rule(6, "Seller's own", conditions=Conditions(sellers=frozenset({7})), ppm=50_000),
        Rule(7, "All", conditions=Conditions(everything=True), ppm=100_000),
    ]
    result = quote(rules, SALE)
    assert result.rule.id == 6
    assert result.amount == 5_00
    considered = [
        (s["rule"], s["matched"], s["reason"]) for s in result.trace if s["step"] == "rule"
    ]
    assert considered == [(5, False, "category"), (6, True, None)]


def test_no_rule_charges_nothing():
    result = quote([], SALE)
    assert (result.amount, result.tax, result.rule, result.seller_net) == (0, 0, None, 100_00)
    assert result.trace[-1]["step"] == "no_rule"


def test_inactive_rule_is_passed_over():
    rule = Rule(1, conditions=Conditions(everything=True), ppm=1000, is_active=False)
    assert mismatch(rule, SALE) == "inactive"


def test_order_value_may_differ_from_the_line():
    rule = only(value_from=150_00)
    assert mismatch(rule, SALE) == "value_too_low"
    assert mismatch(rule, replace(SALE, order_value=150_00)) is None


def test_adding_a_rule_that_does_not_match_changes_nothing():
    rules = [only(everything=True)]
    extra = Rule(2, conditions=Conditions(sellers=frozenset({99})), ppm=900_000)
    assert quote([extra, *rules], SALE).amount == quote(rules, SALE).amount


def test_a_payout_is_charged_by_what_its_rule_asks_of_seller_day_country_and_volume():
    spec = VolumeSpec("month")
    narrowed = Conditions(
        currency="EUR",
        sellers=frozenset([7]),
        valid_from=AT,
        valid_to=AT + timedelta(days=1),
        countries=frozenset(["ES"]),
        volume_from=1_000,
    )
    own = Rule(1, conditions=narrowed, per=PER_PAYOUT, ppm=10_000, volume=spec)
    asked = {
        "currency": "EUR",
        "at": AT,
        "seller": 7,
        "party": Party(country="ES"),
        "volumes": {spec: 1_000},
    }

    def fee(**changes):
        return charge_payout([Fee((own,))], amount=50_00, **{**asked, **changes}).amount

    assert fee() == 50
    others = {
        "currency": "USD",
        "at": AT + timedelta(days=1),
        "seller": 8,
        "party": Party(country="FR"),
        "volumes": {spec: 999},
    }
    assert {name: fee(**{name: other}) for name, other in others.items()} == dict.fromkeys(
        others, 0
    )
    assert fee(volumes=None) == 0
