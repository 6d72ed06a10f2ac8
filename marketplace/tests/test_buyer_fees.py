"""Fees that the buyer pays on top: how they go back, and rules that look at the buyer's country."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marketplace import errors, services
from marketplace.models import CommissionFee, LedgerEntry
from marketplace.services.order_creation import Item
from marketplace.services.refunds import RefundItem
from marketplace.tests import factories
from systemadmin.foundation.testing import problem
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def on_top(way, **terms):
    """A fee of the buyer's of 10 % with 20 % tax on it."""
    number = CommissionFee.objects.count() + 1
    fee = services.create_fee(
        actor=None, code=f"service-{number}", name="Service", position=number, payer="buyer"
    )
    terms = {"ppm": 100_000, "tax_ppm": 200_000, **terms}
    return factories.rule(fee=fee, applies_to_all=True, on_refund=way, **terms)


def bought(*products, quantity=1, complete=True):
    buyer = UserFactory()
    items = [Item(one.pk, quantity) for one in products]
    order = services.create_order(actor=buyer, buyer=buyer, items=items)
    order = services.pay_order(actor=None, order=order)
    return services.complete_order(actor=None, order=order) if complete else order


def booked(order, code):
    entries = LedgerEntry.objects.filter(transaction__order=order, account__code=code)
    return -sum(entries.values_list("amount", flat=True))


@pytest.mark.parametrize(
    ("way", "after_half", "after_all"),
    [("proportional", 12_00, 24_00), ("full", 0, 24_00), ("keep", 0, 0)],
)
@pytest.mark.parametrize("complete", [True, False])
def test_on_a_refund_of_one_unit_and_of_the_rest(operator, way, after_half, after_all, complete):
    """Two units of 100.00 with 20.00 of service fee and 4.00 of tax on it."""
    on_top(way)
    order = bought(factories.approved(price=100_00), quantity=2, complete=complete)
    kept = 24_00 - after_all
    assert (order.total, order.buyer_fee, order.kept_buyer_fee) == (224_00, 24_00, kept)
    assert order.refundable == 224_00 - kept
    path = f"/api/admin/orders/{order.pk}/refund"
    line = {"line": order.lines.get().pk, "quantity": 1}
    one = operator.post(path, {"lines": [line]}).json()
    assert (one["amount"], one["buyer_fee"]) == (100_00 + after_half, after_half)
    rest = operator.post(path, {"lines": [line]}).json()
    assert rest["amount"] == 100_00 + after_all - after_half
    order.refresh_from_db()
    assert (order.status, order.refundable) == ("refunded", 0)
    assert order.refunded_buyer_fee == after_all
    assert (booked(order, "revenue"), booked(order, "tax")) == (kept * 5 // 6, kept // 6)
    assert (booked(order, "seller_payable"), booked(order, "buyer_funds")) == (0, 0)
    charge = order.lines.get().charges.get()
    assert (charge.reversed_amount, charge.reversed_tax) == (after_all * 5 // 6, after_all // 6)


def test_all_that_is_left_is_all_but_the_kept_fee(operator):
    on_top("keep")
    order = bought(factories.approved(price=100_00, shipping_amount=10_00))
    path = f"/api/admin/orders/{order.pk}/refund"
    too_much = problem(operator.post(path, {"amount": 122_00}), 409, "refund_too_high")
    assert too_much["refundable"] == 110_00
    assert operator.post(path, {}).json()["amount"] == 110_00
    order.refresh_from_db()
    assert order.status == "refunded"
    assert booked(order, "revenue") == 11_00


def test_a_fee_of_the_order_waits_for_its_last_line():
    on_top("full", per="order")
    seller = UserFactory()
    order = bought(*(factories.approved(seller, price=100_00) for _ in range(2)))
    first, second = order.lines.order_by("pk")
    assert services.refund_order(actor=None, order=order, line_id=first.pk).buyer_fee == 0
    last = services.refund_order(actor=None, order=order, items=[RefundItem(second.pk)])
    assert (last.amount, last.buyer_fee) == (124_00, 24_00)
    assert sorted(last.lines.values_list("buyer_fee", "buyer_fee_tax")) == [(12_00, 2_00)] * 2


def test_an_amount_takes_the_waiting_fee_last():
    on_top("full")
    order = bought(factories.approved(price=100_00))
    assert services.refund_order(actor=None, order=order, amount=100_00).buyer_fee == 0
    order.refresh_from_db()
    assert (order.status, order.refundable) == ("completed", 12_00)
    assert services.refund_order(actor=None, order=order).buyer_fee == 12_00


def test_three_ways_beside_each_other():
    for way in ("proportional", "full", "keep"):
        on_top(way)
    order = bought(factories.approved(price=100_00), quantity=2)
    item = RefundItem(order.lines.get().pk, quantity=1)
    assert services.refund_order(actor=None, order=order, items=[item]).buyer_fee == 12_00
    assert services.refund_order(actor=None, order=order, items=[item]).buyer_fee == 36_00
    charges = order.lines.get().charges.order_by("pk")
    assert [one.reversed_amount + one.reversed_tax for one in charges] == [24_00, 24_00, 0]


def test_a_chargeback_takes_the_kept_fee_too():
    on_top("keep")
    order = bought(factories.approved(price=100_00))
    dispute = services.record_chargeback(actor=None, order=order, reference="dp_1")
    assert dispute.charged_back == 112_00
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="buyer")
    order.refresh_from_db()
    assert (order.refunded, order.refunded_buyer_fee, order.status) == (112_00, 12_00, "refunded")
    assert booked(order, "revenue") == booked(order, "tax") == 0


def test_a_quote_says_what_is_kept_and_how_each_fee_goes_back(operator):
    on_top("keep")
    product = factories.approved(price=100_00)
    quote = operator.post("/api/admin/commissions/quote", {"product": product.pk}).json()
    assert (quote["buyer_fee"], quote["kept_buyer_fee"]) == (12_00, 12_00)
    assert [one["on_refund"] for one in quote["charges"]] == ["keep"]
    shown = operator.get(f"/api/admin/orders/{bought(product).pk}").json()
    assert (shown["kept_buyer_fee"], shown["lines"][0]["kept_buyer_fee"]) == (12_00, 12_00)


@given(
    st.lists(st.sampled_from(["proportional", "full", "keep"]), min_size=1, max_size=3),
    st.lists(st.integers(1, 3_00), max_size=4),
    st.sampled_from(["unit", "line", "order"]),
)
@hypothesis_settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_refunds_leave_the_buyers_fees_explained(ways, amounts, per):
    CommissionFee.objects.update(is_active=False)
    for way in ways:
        on_top(way, per=per, ppm=77_700, fixed=13, currency="EUR")
    seller = UserFactory()
    prices = ((2_99, 33), (1_01, 0))
    order = bought(
        *(factories.approved(seller, price=one, shipping_amount=two) for one, two in prices)
    )
    for amount in [*amounts, None]:
        order.refresh_from_db()
        if amount is None or amount < order.refundable:
            services.refund_order(actor=None, order=order, amount=amount)
        charges = [one for line in order.lines.all() for one in line.charges.all()]
        order.refresh_from_db()
        gone = sum(one.reversed_amount + one.reversed_tax for one in charges)
        assert gone == order.refunded_buyer_fee
        kept = sum(one.amount - one.reversed_amount for one in charges)
        assert booked(order, "revenue") == kept
    assert (order.refundable, order.status) == (0, "refunded")
    assert order.total - order.refunded == order.kept_buyer_fee


def test_the_buyers_country_decides_and_the_quote_is_the_order(operator):
    """Etsy, eBay: an international fee where the buyer is abroad; none at home."""
    fee = services.create_fee(actor=None, code="abroad", name="International", position=2)
    home = {"countries": ["US"], "buyer_countries": ["US"], "applies_to_all": False}
    factories.rule(fee=fee, **home)
    factories.rule(fee=fee, countries=["US"], applies_to_all=False, ppm=16_500)
    product = factories.approved(UserFactory(country="US"), price=100_00)
    for country, expected in (("US", 0), ("DE", 1_65), ("", 1_65)):
        buyer = UserFactory(country=country)
        order = factories.order(product, buyer=buyer)
        assert order.commission == expected
        about = {"product": product.pk, "buyer": buyer.pk}
        quote = operator.post("/api/admin/commissions/quote", about).json()
        assert quote["commission"] == expected
    asked = {"product": product.pk, "buyer_country": "US"}
    quote = operator.post("/api/admin/commissions/quote", asked).json()
    assert quote["commission"] == 0
    assert "does not match (buyer_country)" not in str(quote["trace"])
    asked["buyer_country"] = "Germany"
    problem(operator.post("/api/admin/commissions/quote", asked), 400, field="buyer_country")


def test_a_rule_on_the_buyers_country_is_checked_linted_and_used_by_what_ifs(operator):
    factories.rule(ppm=100_000)
    german = UserFactory(country="DE")
    factories.paid(factories.approved(price=100_00), buyer=german)
    factories.paid(factories.approved(price=100_00), buyer=UserFactory(country="ES"))
    rules = [
        {"name": "Germans", "buyer_countries": ["DE"], "ppm": 50_000},
        {"name": "Germans again", "buyer_countries": ["DE"], "currency": "EUR", "ppm": 1},
        {"name": "All", "applies_to_all": True, "ppm": 100_000},
    ]
    period = {"start": "2000-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}
    path = "/api/admin/commission-rules"
    shown = operator.post(f"{path}/preview", {"rules": rules, **period}).json()
    assert [(one["before"], one["after"]) for one in shown["currencies"]] == [(20_00, 15_00)]
    assert [one["rule"] for one in shown["findings"]] == [2]
    wrong = {"name": "x", "buyer_countries": ["Spain"]}
    problem(operator.post(path, wrong), 400, field="buyer_countries.0")
    per_payout = {"name": "x", "buyer_countries": ["DE"], "per": "payout", "ppm": 1}
    problem(operator.post(path, per_payout), 400, field="buyer_countries")


def test_a_kept_fee_is_no_part_of_a_refund_that_is_too_high():
    on_top("keep")
    order = bought(factories.approved(price=100_00))
    with pytest.raises(errors.RefundTooHigh):
        services.refund_order(actor=None, order=order, amount=100_01)
