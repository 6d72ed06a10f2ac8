"""The schedule on real orders: quotes equal orders, refunds give back what was refunded."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marketplace import errors, services
from marketplace.models import CommissionFee, FeeTaxRate, LedgerEntry
from marketplace.services import clock
from marketplace.services.order_creation import Item
from marketplace.services.refunds import RefundItem
from marketplace.services.schedule import tax_rate_for
from marketplace.tests import factories
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture
def moderator(as_user, staff):
    return as_user(staff("marketplace_moderator"))


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def order_of(*products, buyer=None, quantity=1):
    buyer = buyer or UserFactory()
    items = [Item(product.pk, quantity) for product in products]
    return services.create_order(actor=buyer, buyer=buyer, items=items)


def quoted(client, products, **more):
    answer = client.post(
        "/api/admin/commissions/quote",
        {"lines": [{"product": one.pk} for one in products], **more},
    )
    assert answer.status_code == 200, answer.json()
    return answer.json()


def commissions(order):
    return [line.commission.amount for line in order.lines.order_by("product_id")]


def booked(order, code):
    entries = LedgerEntry.objects.filter(transaction__order=order, account__code=code)
    return sum(entries.values_list("amount", flat=True))


def left(order):
    order.refresh_from_db()
    return order.commission - order.refunded_commission


def test_a_quote_of_the_basket_is_the_order(moderator):
    seller = UserFactory()
    factories.rule(currency="EUR", value_below=100_00, ppm=100_000)
    factories.rule(ppm=50_000, applies_to_all=True)
    products = [factories.approved(seller, price=60_00) for _ in range(2)]
    order = order_of(*products)
    assert commissions(order) == [3_00, 3_00]
    whole = quoted(moderator, products)
    assert [line["commission"] for line in whole["lines"]] == [3_00, 3_00]
    assert whole["commission"] == order.commission
    part = moderator.post(
        "/api/admin/commissions/quote", {"product": products[0].pk, "order_value": 120_00}
    )
    assert part.json()["commission"] == 3_00
    alone = moderator.post("/api/admin/commissions/quote", {"product": products[0].pk})
    assert alone.json()["commission"] == 6_00


def test_a_quote_knows_the_products_shipping_and_tax(moderator):
    factories.rule(ppm=100_000, include_tax=False)
    product = factories.approved(price=100_00, shipping_amount=20_00, tax_ppm=200_000)
    order = order_of(product)
    assert order.commission == 10_00
    assert quoted(moderator, [product])["commission"] == order.commission


def test_a_rule_net_of_tax_works_on_orders():
    """A product of 120.00 of which 20.00 is VAT, charged 10 % of the price without tax."""
    factories.rule(ppm=100_000, include_tax=False)
    order = order_of(factories.approved(price=120_00, tax_ppm=200_000))
    assert order.lines.get().tax_included == 20_00
    assert order.commission == 10_00


def test_several_fees_are_charged_and_shown_apart(moderator):
    factories.rule(ppm=65_000)
    payment = services.create_fee(actor=None, code="payment", name="Payment", position=2)
    factories.rule(fee=payment, currency="EUR", applies_to_all=True, ppm=30_000, fixed=25)
    product = factories.approved(price=10_07)
    order = order_of(product)
    assert order.commission == 1_20
    shown = moderator.get(f"/api/admin/orders/{order.pk}").json()["commission_lines"][0]
    assert [(one["fee_name"], one["amount"]) for one in shown["charges"]] == [
        ("Commission", 65),
        ("Payment", 55),
    ]
    assert quoted(moderator, [product])["commission"] == 1_20


def test_a_fixed_amount_per_order_counts_once():
    factories.rule(currency="EUR", applies_to_all=True, per="order", ppm=132_500, fixed=40)
    seller = UserFactory()
    order = order_of(
        factories.approved(seller, price=15_00), factories.approved(seller, price=10_00)
    )
    assert order.commission == 3_71
    assert sum(commissions(order)) == 3_71


def test_the_buyers_fee_is_part_of_the_total_and_of_the_revenue(moderator):
    factories.rule(ppm=100_000)
    protection = services.create_fee(
        actor=None, code="protection", name="Protection", position=2, payer="buyer"
    )
    factories.rule(
        fee=protection, currency="EUR", applies_to_all=True, ppm=50_000, fixed=70, tax_ppm=210_000
    )
    product = factories.approved(price=20_00)
    order = order_of(product)
    fee = 1_70 + 36
    assert (order.total, order.buyer_fee, order.commission) == (20_00 + fee, fee, 2_00)
    assert quoted(moderator, [product])["buyer_fee"] == fee
    services.pay_order(actor=None, order=order, amount=20_00 + fee)
    services.complete_order(actor=None, order=order)
    assert booked(order, "revenue") == -(2_00 + 1_70)
    assert booked(order, "tax") == -36
    assert booked(order, "seller_payable") == -18_00
    refund = services.refund_order(actor=None, order=order)
    assert (refund.amount, refund.buyer_fee) == (20_00 + fee, fee)
    assert booked(order, "revenue") == booked(order, "tax") == 0
    assert booked(order, "seller_payable") == 0


def test_rules_look_at_volume_and_level():
    seller, buyer = UserFactory(), UserFactory()
    factories.rule(
        currency="EUR",
        applies_to_all=True,
        volume_window="lifetime",
        volume_between="pair",
        tiers=[[0, 200_000], [500_00, 100_000]],
        tiers_by="volume",
    )
    product = factories.approved(seller, price=400_00)
    first = factories.completed(product, buyer=buyer)
    assert first.commission == 80_00
    second = order_of(product, buyer=buyer)
    assert second.commission == 20_00 + 30_00
    assert order_of(product).commission == 80_00


def test_the_month_of_a_volume_begins_where_the_place_is(moderator):
    """23:30 UTC of 28 February is March in Madrid."""
    change_settings(actor=None, values={"marketplace.time_zone": "Europe/Madrid"})
    factories.rule(
        currency="EUR", volume_window="month", volume_from=1, ppm=50_000, applies_to_all=False
    )
    factories.rule(ppm=100_000, applies_to_all=True)
    seller = UserFactory()
    with clock.frozen_at(datetime(2025, 2, 28, 23, 30, tzinfo=UTC)):
        factories.paid(factories.approved(seller, price=10_00))
    with clock.frozen_at(datetime(2025, 3, 15, tzinfo=UTC)):
        later = factories.order(factories.approved(seller, price=10_00))
    assert later.commission == 50


def test_tax_on_the_fee_follows_the_table(operator):
    seller = UserFactory(country="DE")
    factories.rule(ppm=100_000, tax_by_seller=True)
    for row in ({"ppm": 210_000}, {"country": "DE", "ppm": 190_000}):
        assert operator.post("/api/admin/fee-tax-rates", row).status_code == 201
    reverse = {"country": "DE", "tax_status": "business", "is_reverse_charge": True}
    assert operator.post("/api/admin/fee-tax-rates", reverse).status_code == 201
    problem(operator.post("/api/admin/fee-tax-rates", reverse), 400)
    product = factories.approved(seller, price=10_00)
    assert order_of(product).tax == 19
    assert order_of(factories.approved(UserFactory(country="FR"), price=10_00)).tax == 21
    path = f"/api/admin/sellers/{seller.pk}/profile"
    stale = operator.put(path, {"tax_status": "business"}, headers={"If-Match": '"999"'})
    problem(stale, 412)
    assert operator.put(path, {"tax_status": "business"}).json()["tax_status"] == "business"
    assert order_of(product).tax == 0
    assert tax_rate_for("DE", "private").ppm == 190_000
    assert FeeTaxRate.objects.count() == 3


def test_refunding_the_shipping_leaves_a_fee_that_was_not_charged_on_it():
    factories.rule(ppm=100_000, include_shipping=False)
    order = factories.completed(factories.approved(price=100_00, shipping_amount=20_00))
    refund = services.refund_order(actor=None, order=order, shipping=20_00)
    assert (refund.amount, refund.shipping) == (20_00, 20_00)
    assert left(order) == 10_00


def test_refunding_units_restocks_them_until_completion():
    factories.rule(ppm=100_000)
    seller = UserFactory()
    one = factories.approved(seller, stock=5)
    two = factories.approved(seller, stock=5)
    buyer = UserFactory()
    order = services.create_order(
        actor=buyer, buyer=buyer, items=[Item(one.pk, 2), Item(two.pk, 1)]
    )
    services.pay_order(actor=None, order=order)
    line = order.lines.get(product=one)
    services.refund_order(actor=None, order=order, line_id=line.pk)
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.stock, two.stock) == (5, 4)
    services.refund_order(actor=None, order=order)
    two.refresh_from_db()
    assert two.stock == 5


def test_units_of_a_completed_order_are_restocked_when_asked(operator):
    factories.rule(ppm=100_000)
    product = factories.approved(stock=5, price=10_00)
    order = factories.completed(product, quantity=3)
    line = order.lines.get()
    path = f"/api/admin/orders/{order.pk}/refund"
    kept = operator.post(path, {"lines": [{"line": line.pk, "quantity": 1}]})
    assert (kept.status_code, kept.json()["amount"]) == (201, 10_00)
    back = operator.post(path, {"lines": [{"line": line.pk, "quantity": 1, "restock": True}]})
    assert back.json()["commission"] == 1_00
    product.refresh_from_db()
    line.refresh_from_db()
    assert (product.stock, line.refunded_quantity, line.restocked_quantity) == (3, 2, 1)
    problem(
        operator.post(path, {"lines": [{"line": line.pk, "quantity": 2}]}), 409, "refund_too_high"
    )
    problem(operator.post(path, {"lines": [{"line": 10**9}]}), 400, field="lines")


def test_the_amount_beside_named_lines_is_a_check():
    order = factories.completed(factories.approved(price=10_00), quantity=2)
    line = order.lines.get()
    item = RefundItem(line.pk, quantity=1)
    with pytest.raises(errors.AmountMismatch):
        services.refund_order(actor=None, order=order, items=[item], amount=9_99)
    refund = services.refund_order(actor=None, order=order, items=[item], amount=10_00)
    assert refund.lines.get().quantity == 1


@pytest.mark.parametrize(
    ("policy", "expected"), [("proportional", 75_00), ("recalculate", 150_00), ("keep", 150_00)]
)
def test_a_capped_fee_goes_back_as_the_rule_says(policy, expected):
    """Discogs: 8 %, at most 150.00; half of a sale of 5,000.00 is refunded."""
    factories.rule(
        currency="EUR", applies_to_all=True, ppm=80_000, maximum=150_00, on_refund=policy
    )
    order = factories.completed(factories.approved(price=5_000_00))
    services.refund_order(actor=None, order=order, amount=2_500_00)
    assert left(order) == expected


def test_a_minimum_of_the_order_charged_anew_is_shared_by_the_lines_that_stay():
    factories.rule(
        currency="EUR", applies_to_all=True, per="order", ppm=50_000, minimum=50,
        on_refund="recalculate",
    )  # fmt: skip
    seller = UserFactory()
    order = order_of(factories.approved(seller, price=2_00), factories.approved(seller, price=4_00))
    services.pay_order(actor=None, order=order)
    services.complete_order(actor=None, order=order)
    services.refund_order(actor=None, order=order, line_id=order.lines.first().pk)
    assert left(order) == 50
    services.refund_order(actor=None, order=order)
    assert left(order) == 0


def test_fees_in_use_stay_and_wrong_ones_are_refused(operator):
    order_of(factories.approved(price=10_00))
    made = operator.post("/api/admin/fees", {"code": "listing", "name": "Listing"})
    assert made.status_code == 201
    pk = made.json()["id"]
    rule = factories.rule(fee=CommissionFee.objects.get(pk=pk), ppm=1)
    problem(operator.delete(f"/api/admin/fees/{pk}"), 409, "fee_in_use")
    services.delete_rule(actor=None, rule=rule)
    stale = operator.delete(f"/api/admin/fees/{pk}", headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    assert operator.delete(f"/api/admin/fees/{pk}").status_code == 204
    problem(operator.post("/api/admin/fees", {"code": "x y", "name": "X"}), 400, field="code")
    for values, field in (
        ({"per": "unit", "fixed": 5, "fixed_per": "order", "currency": "EUR"}, None),
        ({"unit_from": 5}, None),
        ({"volume_from": 5}, None),
        ({"tiers_by": "volume", "tiers": [[0, 1]], "currency": "EUR"}, None),
        ({"include_item": False, "include_shipping": False}, None),
        ({"countries": ["Spain"]}, "countries.0"),
    ):
        body = {"name": "Wrong", "applies_to_all": True, **values}
        problem(operator.post("/api/admin/commission-rules", body), 400, field=field)


def test_a_bare_day_is_refused_and_the_last_day_of_a_promotion_counts(operator):
    """Amazon's grocery promotion until 31 Dec 2019: 8 % at noon of its last day."""
    body = {"name": "Grocery", "applies_to_all": True, "ppm": 80_000}
    path = "/api/admin/commission-rules"
    days = {"valid_from": "2017-10-15", "valid_to": "2019-12-31"}
    problem(operator.post(path, {**body, **days}), 400, field="valid_to")
    moments = {"valid_from": "2017-10-15T00:00:00Z", "valid_to": "2020-01-01T00:00:00Z"}
    assert operator.post(path, {**body, **moments}).status_code == 201
    product = factories.approved(price=10_00)
    quote = {"product": product.pk, "at": "2019-12-31T12:00:00Z"}
    answer = operator.post("/api/admin/commissions/quote", quote)
    assert answer.json()["commission"] == 80


def test_a_fee_on_top_is_not_charged_anew_on_a_refund_nor_kept_in_part():
    on_top = services.create_fee(actor=None, code="top", name="On top", payer="buyer")
    for terms in (
        {"on_refund": "recalculate"},
        {"fixed_refundable": False},
        {"refund_fee_ppm": 1},
        {"refund_fee_maximum": 1, "currency": "EUR"},
    ):
        with pytest.raises(InvalidInput):
            factories.rule(fee=on_top, applies_to_all=True, ppm=1, **terms)
        charged = services.create_fee(actor=None, code=f"f{len(terms)}{min(terms)}", name="F")
        factories.rule(fee=charged, applies_to_all=True, ppm=1, **terms)
        with pytest.raises(InvalidInput):
            services.update_fee(actor=None, fee=charged, payer="buyer")


@given(
    st.lists(st.integers(1, 5_00), min_size=1, max_size=3),
    st.lists(st.integers(1, 3_00), max_size=4),
    st.sampled_from(["proportional", "recalculate", "full"]),
    st.sampled_from(["unit", "line", "order"]),
)
@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_refunds_leave_the_fees_explained(prices, amounts, policy, per):
    """In parts or whole: what stays of each fee is what the order kept, and the books agree."""
    fee = services.create_fee(actor=None, code=f"f{CommissionFee.objects.count()}", name="F")
    rule = factories.rule(
        fee=fee, currency="EUR", applies_to_all=True, per=per, ppm=77_700, fixed=13, minimum=20,
        on_refund=policy,
    )  # fmt: skip
    seller = UserFactory()
    products = [factories.approved(seller, price=price, shipping_amount=33) for price in prices]
    order = order_of(*products)
    services.pay_order(actor=None, order=order)
    services.complete_order(actor=None, order=order)
    for amount in amounts:
        order.refresh_from_db()
        if amount < order.refundable:
            services.refund_order(actor=None, order=order, amount=amount)
    order.refresh_from_db()
    kept = sum(
        charge.amount - charge.reversed_amount
        for line in order.lines.all()
        for charge in line.charges.all()
    )
    assert kept == order.commission - order.refunded_commission == -booked(order, "revenue")
    services.refund_order(actor=None, order=order)
    assert left(order) == 0
    services.update_rule(actor=None, rule=rule, is_active=False)
