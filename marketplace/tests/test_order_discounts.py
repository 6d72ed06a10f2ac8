"""Discounts and tax of orders: what the buyer pays, the seller gets and the platform bears."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marketplace import services
from marketplace.models import LedgerEntry
from marketplace.services.order_creation import Item
from marketplace.services.refunds import RefundItem
from marketplace.tests import factories
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture
def moderator(as_user, staff):
    return as_user(staff("marketplace_moderator"))


def order_of(*items, **more):
    buyer = UserFactory()
    return services.create_order(actor=buyer, buyer=buyer, items=items, **more)


def sold(*items, **more):
    order = services.pay_order(actor=None, order=order_of(*items, **more))
    return services.complete_order(actor=None, order=order)


def booked(order, code):
    entries = LedgerEntry.objects.filter(transaction__order=order, account__code=code)
    return sum(entries.values_list("amount", flat=True))


def test_the_platform_pays_its_discount_and_the_seller_gets_the_full_price():
    factories.rule(ppm=100_000)
    product = factories.approved(price=100_00, shipping_amount=5_00)
    order = sold(Item(product.pk, platform_discount=20_00))
    assert (order.total, order.platform_discount, order.commission) == (85_00, 20_00, 10_50)
    assert booked(order, "cash") == 85_00
    assert booked(order, "promotions") == 20_00
    assert booked(order, "revenue") == -10_50
    assert booked(order, "seller_payable") == -94_50
    assert services.check_ledger() == []


def test_the_seller_bears_its_own_discount():
    factories.rule(ppm=100_000)
    product = factories.approved(price=100_00, tax_ppm=250_000)
    order = sold(Item(product.pk, discount=20_00))
    assert (order.total, order.discount, order.commission) == (80_00, 20_00, 8_00)
    assert (order.tax_included, order.lines.get().tax_included) == (16_00, 16_00)
    assert booked(order, "promotions") == 0
    assert booked(order, "seller_payable") == -72_00


@pytest.mark.parametrize(
    ("base", "commission"),
    [
        ({}, 9_80),  # 100 - 10 of the seller + 8 shipping
        ({"include_discount": True}, 10_80),
        ({"include_platform_discount": False}, 7_80),
        ({"include_shipping": False}, 9_00),
        ({"include_item": False}, 80),
        ({"include_tax": False}, 7_84),  # a fifth of 98.00 is tax
        ({"include_tax": False, "include_shipping": False}, 7_20),
        ({"include_tax": False, "include_item": False}, 64),
    ],
)
def test_what_a_fee_is_charged_on(base, commission):
    factories.rule(ppm=100_000, **base)
    product = factories.approved(price=100_00, shipping_amount=8_00, tax_ppm=250_000)
    order = order_of(Item(product.pk, discount=10_00, platform_discount=20_00))
    assert order.total == 78_00
    assert order.commission == commission


def test_discounts_of_the_order_are_shared_by_price():
    seller = UserFactory()
    one = factories.approved(seller, price=30_00)
    two = factories.approved(seller, price=10_00)
    order = order_of(
        Item(one.pk), Item(two.pk, discount=5_00), discount=7_01, platform_discount=3_00
    )
    lines = list(order.lines.order_by("product_id"))
    assert [line.discount for line in lines] == [6_01, 6_00]
    assert sum(line.platform_discount for line in lines) == 3_00
    assert (order.discount, order.platform_discount, order.total) == (12_01, 3_00, 24_99)


def test_units_refunded_return_the_platforms_discount_and_the_fee():
    """Two units at 50.00, half of each paid by the platform: one goes back."""
    factories.rule(ppm=100_000)
    product = factories.approved(price=50_00, stock=5)
    order = sold(Item(product.pk, 2, platform_discount=50_00))
    line = order.lines.get()
    refund = services.refund_order(actor=None, order=order, items=[RefundItem(line.pk, 1)])
    assert (refund.amount, refund.platform_discount, refund.commission) == (25_00, 25_00, 5_00)
    assert booked(order, "promotions") == 25_00
    assert booked(order, "seller_payable") == -45_00
    services.refund_order(actor=None, order=order)
    assert booked(order, "promotions") == booked(order, "seller_payable") == 0
    assert booked(order, "cash") == booked(order, "revenue") == 0
    assert services.check_ledger() == []


def test_a_line_that_the_platform_pays_whole_goes_back_with_the_rest():
    factories.rule(ppm=100_000)
    seller = UserFactory()
    free, other = factories.approved(seller, price=10_00), factories.approved(seller, price=5_00)
    order = sold(Item(free.pk, platform_discount=10_00), Item(other.pk))
    assert (order.total, booked(order, "seller_payable")) == (5_00, -13_50)
    services.refund_order(actor=None, order=order)
    assert booked(order, "promotions") == booked(order, "seller_payable") == 0
    assert services.check_ledger() == []


def test_shipping_alone_leaves_goods_that_cost_the_buyer_nothing():
    factories.rule(ppm=100_000)
    product = factories.approved(price=10_00, shipping_amount=4_00)
    order = sold(Item(product.pk, platform_discount=10_00))
    refund = services.refund_order(actor=None, order=order, shipping=4_00)
    assert (refund.platform_discount, refund.commission) == (0, 40)
    assert booked(order, "seller_payable") == -9_00


def test_a_fee_without_tax_and_shipping_stays_when_shipping_goes_back():
    factories.rule(ppm=100_000, include_tax=False)
    product = factories.approved(price=100_00, shipping_amount=20_00, tax_ppm=200_000)
    order = sold(Item(product.pk))
    assert order.commission == 10_00
    services.refund_order(actor=None, order=order, shipping=20_00)
    order.refresh_from_db()
    assert order.commission - order.refunded_commission == 8_33


@pytest.mark.parametrize(
    ("terms", "more", "field"),
    [
        ({"discount": 20_01}, {}, "discount"),
        ({"discount": 10_00, "platform_discount": 10_01}, {}, "platform_discount"),
        ({"discount": -1}, {}, "discount"),
        ({}, {"discount": 20_01}, "discount"),
        ({"discount": 1}, {"platform_discount": 20_00}, "platform_discount"),
        ({"tax_included": 20_01}, {}, "tax_included"),
        ({"discount": 20_00}, {}, "discount"),
    ],
)
def test_impossible_discounts_are_refused(terms, more, field):
    product = factories.approved(price=20_00)
    with pytest.raises(InvalidInput) as refused:
        order_of(Item(product.pk, **terms), **more)
    assert [one["field"] for one in refused.value.errors] == [field]


def test_the_same_product_twice_is_one_line_unless_the_terms_differ():
    product = factories.approved(price=20_00)
    assert order_of(Item(product.pk), Item(product.pk, 2)).total == 60_00
    with pytest.raises(InvalidInput):
        order_of(Item(product.pk), Item(product.pk, discount=1))


def test_a_quote_refuses_what_an_order_refuses(moderator):
    product = factories.approved(price=20_00)
    path = "/api/admin/commissions/quote"
    problem(moderator.post(path, {"product": product.pk, "discount": 20_01}), 400, field="discount")
    lines = [{"product": product.pk}]
    body = {"lines": lines, "platform_discount": 20_01}
    problem(moderator.post(path, body), 400, field="platform_discount")


SHOWN = ("discount", "platform_discount", "tax_included", "buyer_fee", "total")
RULES = st.fixed_dictionaries(
    {
        "per": st.sampled_from(["unit", "line", "order"]),
        "ppm": st.integers(0, 300_000),
        "fixed": st.integers(0, 90),
        "minimum": st.none() | st.integers(0, 100),
        "tax_ppm": st.sampled_from([0, 210_000]),
        "rounding": st.sampled_from(["half_up", "half_even", "down", "up"]),
        "value_below": st.none() | st.integers(1_00, 90_00),
        "unit_from": st.none() | st.integers(1, 9_00),
        "include_item": st.just(True),
        **{
            f"include_{what}": st.booleans()
            for what in ("shipping", "tax", "discount", "platform_discount")
        },
    }
)
LINES = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.integers(1, 20_00),
            "quantity": st.integers(1, 4),
            "shipping": st.integers(0, 5_00),
            "discount": st.integers(0, 1_00),
            "platform_discount": st.integers(0, 1_00),
        }
    ),
    min_size=1,
    max_size=3,
)


def _fits(lines, of_order):
    room = [
        one["amount"] * one["quantity"] - one["discount"] - one["platform_discount"]
        for one in lines
    ]
    return min(room) >= 0 and sum(room) > sum(of_order)


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    basket=st.tuples(LINES, st.tuples(st.integers(0, 3_00), st.integers(0, 3_00))).filter(
        lambda drawn: _fits(*drawn)
    ),
    rules=st.lists(RULES, min_size=1, max_size=2),
    on_top=st.booleans(),
)
def test_an_order_is_the_sum_of_its_quotes(moderator, basket, rules, on_top):
    """Through the front door: what was quoted for a basket is what the order is charged."""
    lines, (discount, platform_discount) = basket
    sid = transaction.savepoint()
    try:
        for number, values in enumerate(rules):
            payer = "buyer" if on_top and number else "seller"
            fee = services.create_fee(actor=None, code=f"fee-{number}", name="Fee", payer=payer)
            factories.rule(fee=fee, currency="EUR", applies_to_all=True, **values)
        seller = UserFactory()
        products = [factories.approved(seller, tax_ppm=100_000) for _ in lines]
        order_discounts = {"discount": discount, "platform_discount": platform_discount}
        asked = [{"product": p.pk, **line} for p, line in zip(products, lines, strict=True)]
        answer = moderator.post(
            "/api/admin/commissions/quote", {"lines": asked, **order_discounts}
        ).json()
        order = order_of(
            *(
                Item(p.pk, **{"unit_price" if k == "amount" else k: v for k, v in line.items()})
                for p, line in zip(products, lines, strict=True)
            ),
            **order_discounts,
        )
        assert [answer[name] for name in SHOWN] == [getattr(order, name) for name in SHOWN]
        assert (answer["commission"], answer["tax"]) == (order.commission, order.tax)
        own = list(order.lines.select_related("commission").order_by("product_id"))
        for line, quoted in zip(own, answer["lines"], strict=True):
            assert [quoted[name] for name in SHOWN] == [getattr(line, name) for name in SHOWN]
            assert quoted["commission"] == line.commission.amount
        if all(rule["per"] != "order" for rule in rules):
            value = sum(line.captured for line in own)
            alone = [
                moderator.post(
                    "/api/admin/commissions/quote", {**line, "order_value": value}
                ).json()
                for line in (
                    {
                        **one,
                        "discount": kept.discount,
                        "platform_discount": kept.platform_discount,
                    }
                    for one, kept in zip(asked, own, strict=True)
                )
            ]
            assert sum(one["commission"] for one in alone) == order.commission
            assert sum(one["total"] for one in alone) == order.total
    finally:
        transaction.savepoint_rollback(sid)
