"""Rules that can never match are found, and no other rule is accused."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from marketplace.commission import Conditions, Rule, Sale, mismatch
from marketplace.commission_lint import ProductFacts, unreachable

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TREE = {1: frozenset({2, 3}), 2: frozenset(), 3: frozenset()}


def rule(number, **conditions):
    return Rule(number, conditions=Conditions(**conditions))


def found(*rules, products=None):
    findings = unreachable(rules, now=NOW, descendants=TREE, products=products)
    return [(finding.rule, finding.code, finding.shadowed_by) for finding in findings]


def test_catch_all_shadows_what_follows():
    assert found(rule(1, everything=True), rule(2, sellers=frozenset({3}))) == [
        (2, "shadowed", (1,))
    ]


def test_category_shadows_its_descendants_but_not_the_reverse():
    parent, child = rule(1, categories=frozenset({1})), rule(2, categories=frozenset({2}))
    assert found(parent, child) == [(2, "shadowed", (1,))]
    assert found(child, parent) == []


def test_several_rules_together_shadow_one():
    low, high = rule(1, value_below=100), rule(2, value_from=100)
    assert found(low, high, rule(3, everything=True)) == [(3, "shadowed", (1, 2))]
    assert found(low, rule(2, value_from=101), rule(3, everything=True)) == []


def test_empty_expired_and_contradictory_rules():
    assert found(rule(1)) == [(1, "no_conditions", ())]
    assert found(rule(1, everything=True, valid_to=NOW)) == [(1, "expired", ())]
    assert found(rule(1, value_from=10, value_below=10)) == [(1, "contradiction", ())]
    late = NOW + timedelta(days=2)
    assert found(rule(1, everything=True, valid_from=late, valid_to=NOW + timedelta(days=1))) == [
        (1, "contradiction", ())
    ]


def test_a_rule_that_starts_later_does_not_shadow_today():
    soon = rule(1, everything=True, valid_from=NOW + timedelta(days=3))
    assert found(soon, rule(2, currency="EUR")) == []


def test_a_past_rule_shadows_nothing():
    past = rule(1, everything=True, valid_to=NOW)
    assert found(past, rule(2, currency="EUR")) == [(1, "expired", ())]


def test_product_facts_reveal_contradiction_and_shadow():
    facts = {9: ProductFacts((1, 2), 5, "product", "EUR")}
    wrong = rule(2, products=frozenset({9}), kinds=frozenset({"service"}))
    assert found(wrong, products=facts) == [(2, "contradiction", ())]
    parent = rule(1, categories=frozenset({1}))
    assert found(parent, rule(2, products=frozenset({9})), products=facts) == [
        (2, "shadowed", (1,))
    ]
    assert found(parent, rule(2, products=frozenset({9, 10})), products=facts) == []


def test_inactive_rules_neither_shadow_nor_are_reported():
    off = Rule(1, conditions=Conditions(everything=True), is_active=False)
    assert found(off, rule(2, everything=True)) == []


maybe_ids = st.none() | st.frozensets(st.integers(1, 3), min_size=1)


@st.composite
def random_rules(draw):
    made = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        everything = draw(st.booleans())
        made.append(
            Rule(
                number,
                conditions=Conditions(
                    categories=draw(maybe_ids),
                    sellers=draw(maybe_ids),
                    kinds=draw(st.none() | st.sampled_from([frozenset({"product"})])),
                    value_from=draw(st.none() | st.integers(0, 3)),
                    value_below=draw(st.none() | st.integers(0, 4)),
                    everything=everything,
                ),
            )
        )
    return made


UNIVERSE = [
    Sale("EUR", item=value, at=NOW, category_path=path, seller=seller, kind=kind)
    for value in range(5)
    for path in [(1,), (1, 2), (1, 3), (8,)]
    for seller in (1, 2, 3, 9)
    for kind in ("product", "service")
]


@given(random_rules())
def test_agrees_with_trying_every_sale(rules):
    """On a small world every sale can be tried: the linter is exact there."""
    reached = set()
    for sale in UNIVERSE:
        first = next((r.id for r in rules if mismatch(r, sale) is None), None)
        reached.add(first)
    reported = {f.rule for f in unreachable(rules, now=NOW, descendants=TREE)}
    assert reported == {r.id for r in rules} - reached
