"""A change of fees that makes one's own sales cheaper is about oneself, whatever it names."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from marketplace import services
from marketplace.models import CommissionRule, Order, Product, SellerProfile
from marketplace.tests import factories as shop
from riskops.tests.factories import confirmed
from systemadmin.errors import OwnInterest
from systemadmin.foundation.testing import problem
from systemadmin.models import User
from systemadmin.services import approvals
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.service_keys import create_service_key
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped")]


@pytest.fixture
def general():
    """The rule for everybody: a tenth."""
    return shop.rule(ppm=100_000)


def sells(operator, **content):
    """The operator sells by a related account, in a category where others sell too."""
    account = confirmed(operator, UserFactory(country="MC"))
    SellerProfile.objects.create(user=account, tax_status="private", level="new")
    product = shop.approved(account, price=12_34, **content)
    shop.approved(category=product.category, price=70_00)
    return product


# By what a rule may be narrowed to sales of one's own; none of them names a seller or a product.
NARROWED = {
    "unit price": {"currency": "EUR", "unit_from": 12_34, "unit_below": 12_35},
    "another unit price": {"currency": "EUR", "unit_from": 98_76, "unit_below": 98_77},
    "order line": {"currency": "EUR", "line_from": 61_70, "line_below": 61_71},
    "unit price and order line": {
        "currency": "EUR",
        "unit_from": 12_34,
        "unit_below": 12_35,
        "line_from": 12_340,
        "line_below": 12_341,
    },
    "order value": {"currency": "EUR", "value_from": 999_999, "value_below": 1_000_000},
    "country": {"countries": ["MC"]},
    "buyer's country": {"buyer_countries": ["VA"]},
    "tax status": {"tax_statuses": ["private"]},
    "level": {"levels": ["new"]},
    "kind": {"kinds": ["product"]},
    "currency": {"currency": "EUR"},
    "volume": {"currency": "EUR", "volume_window": "month", "volume_from": 5_000_00},
    "later": {"applies_to_all": True, "valid_from": timezone.now() + timedelta(days=30)},
    "everything": {"applies_to_all": True},
}


@pytest.mark.parametrize("by", NARROWED)
def test_nobody_writes_a_cheaper_rule_that_own_sales_can_meet(by, operator, general):
    sells(operator)
    rule = {"name": "Special", "ppm": 10_000, "position": 1, **NARROWED[by]}
    with pytest.raises(OwnInterest):
        services.create_rule(actor=operator, **rule)
    assert CommissionRule.objects.count() == 1
    # Who sells nothing writes it, and so does whoever would pay more.
    services.create_rule(actor=StaffFactory(role="operator"), **rule)
    CommissionRule.objects.exclude(pk=general.pk).delete()
    services.create_rule(actor=operator, **{**rule, "ppm": 300_000})


CHEAPER = {
    "rate": {"ppm": 90_000},
    "tiers": {"currency": "EUR", "ppm": 0, "tiers": [[0, 100_000], [50_000, 10_000]]},
    "maximum": {"currency": "EUR", "maximum": 1_00},
    "tax": {"tax_ppm": 0},
    "shipping": {"include_shipping": False},
    "included tax": {"include_tax": False},
    "platform's discount": {"include_platform_discount": False},
    "full refund": {"on_refund": "proportional"},
    "kept on refund": {"refund_fee_ppm": 0},
    "off": {"is_active": False},
    "end": {"valid_to": timezone.now() + timedelta(days=1)},
    "narrower": {"applies_to_all": False, "countries": ["ES"]},
}


@pytest.mark.parametrize("what", CHEAPER)
def test_nobody_makes_a_rule_for_everybody_cheaper_for_himself(what, operator, general):
    services.update_rule(
        actor=None, rule=general, tax_ppm=210_000, on_refund="full", refund_fee_ppm=100_000
    )
    sells(operator)
    with pytest.raises(OwnInterest):
        services.update_rule(actor=operator, rule=general, **CHEAPER[what])
    general.refresh_from_db()
    services.update_rule(actor=operator, rule=general, name="Fee", ppm=110_000)


def test_nobody_puts_a_cheaper_rule_first_or_deletes_a_dearer_one(operator, general):
    sells(operator)
    dearer = shop.rule(ppm=200_000, position=1)
    cheaper = shop.rule(ppm=50_000, kinds=["product"])
    with pytest.raises(OwnInterest):
        services.reorder_rules(actor=operator, ids=[cheaper.pk, dearer.pk, general.pk])
    with pytest.raises(OwnInterest):
        services.delete_rule(actor=operator, rule=dearer)
    with pytest.raises(OwnInterest):
        services.update_fee(actor=operator, fee=general.fee, is_active=False)
    services.delete_rule(actor=operator, rule=cheaper)


def test_nobody_makes_his_own_payouts_cheaper(operator):
    sells(operator)
    rule = shop.rule(per="payout", ppm=10_000, applies_to_all=True)
    with pytest.raises(OwnInterest):
        services.update_rule(actor=operator, rule=rule, ppm=0)
    services.update_rule(actor=operator, rule=rule, ppm=20_000)


@pytest.mark.two_people
def test_whoever_approves_a_cheaper_fee_sells_nothing_under_it(operator, general):
    seller, third = StaffFactory(role="operator"), StaffFactory(role="operator")
    product = sells(seller)
    shop.completed(product)
    with pytest.raises(SecondPersonNeeded) as waits, transaction.atomic():
        services.update_rule(actor=operator, rule=general, ppm=50_000)
    (row,) = approvals.keep(waits.value, "cheaper")
    with pytest.raises(OwnInterest):
        approvals.approve(actor=seller, request=row)
    row.refresh_from_db()
    assert row.state == "waiting"
    approvals.approve(actor=third, request=row)
    general.refresh_from_db()
    assert general.ppm == 50_000


# Each is cheaper for some sales only: where a fee bends, and between such places.
BENT = {
    "a higher maximum with a higher rate": (
        {"ppm": 100_000, "maximum": 5_00},
        {"ppm": 99_000, "maximum": 5_10},
    ),
    "a rate instead of a sum": (
        {"ppm": 0, "fixed": 37_03},
        {"ppm": 100_000, "fixed": 0, "minimum": 37_02},
    ),
    "a lower rate above a minimum": (
        {"ppm": 100_000, "minimum": 7_77},
        {"ppm": 100_500, "minimum": 7_76},
    ),
    "for each of many units": (
        {"ppm": 0, "fixed": 10, "per": "unit", "fixed_per": "unit"},
        {"ppm": 0, "fixed": 9_99, "per": "line", "fixed_per": "line"},
    ),
    "for each of many lines": (
        {"ppm": 0, "fixed": 50, "per": "line", "fixed_per": "line"},
        {"ppm": 0, "fixed": 9_99, "per": "order", "fixed_per": "order"},
    ),
}


@pytest.mark.parametrize("how", BENT)
def test_a_fee_that_is_cheaper_in_one_place_only_is_found(how, operator):
    before, after = BENT[how]
    sells(operator)
    rule = shop.rule(applies_to_all=True, currency="EUR", **before)
    with pytest.raises(OwnInterest):
        services.update_rule(actor=operator, rule=rule, **after)


def test_a_removed_product_and_orders_in_another_currency_count(operator, general):
    product = sells(operator)
    order = shop.completed(product)
    Product.objects.filter(pk=product.pk).update(status="removed")
    Order.objects.filter(pk=order.pk).update(currency="USD")
    for currency in ("EUR", "USD"):
        with pytest.raises(OwnInterest):
            services.create_rule(
                actor=operator, name="Special", ppm=0, position=1, currency=currency
            )


def test_rules_for_what_one_does_not_sell_are_nobodys(operator, general):
    sells(operator)
    for values in ({"countries": ["ES"]}, {"currency": "USD"}, {"categories": [shop.category()]}):
        services.create_rule(actor=operator, name="Special", ppm=0, position=1, **values)


def test_it_is_refused_by_api_by_key_and_on_the_page(operator, general, as_user, admin_client_for):
    sells(operator)
    path = f"/api/admin/commission-rules/{general.pk}"
    narrow = {"name": "Mine", "ppm": 0, "position": 1, **NARROWED["unit price"]}
    key = create_service_key(
        actor=None,
        name="k",
        owner=operator,
        permissions=["marketplace.add_commissionrule", "marketplace.change_commissionrule"],
    ).key
    for person in (operator, User.objects.get(pk=key.account_id)):
        with pytest.raises(OwnInterest):
            services.create_rule(actor=person, **narrow)
    client = as_user(operator)
    answers = [
        client.post("/api/admin/commission-rules", narrow, format="json"),
        client.patch(path, {"ppm": 0}, format="json"),
    ]
    assert [problem(one, 403)["code"] for one in answers] == ["own_interest"] * 2
    page = reverse("admin:marketplace_commissionrule_delete", args=[general.pk])
    admin_client_for(operator).post(page, {"post": "yes"})
    assert list(CommissionRule.objects.values_list("ppm", flat=True)) == [100_000]


@pytest.mark.parametrize("whose", ["own", "related"])
def test_nobody_moves_into_a_price_that_he_wrote_a_rule_for(whose, operator, general, as_user):
    colleague = StaffFactory(role="operator")
    seller = operator if whose == "own" else confirmed(operator, UserFactory())
    shop.approved(price=70_00)
    services.create_rule(
        actor=operator, name="Odd", ppm=0, position=1, currency="EUR", unit_from=98_76,
        unit_below=98_77,
    )  # fmt: skip
    client, category = as_user(seller), shop.category()
    body = {"title": "Lamp", "description": "x", "currency": "EUR", "category": category.pk}
    refused = client.post("/api/products", {**body, "price": 98_76}, format="json")
    error = problem(refused, 400)["errors"][0]
    assert (error["field"], error["code"]) == ("price", "own_interest")
    made = client.post("/api/products", {**body, "price": 70_00}, format="json")
    assert made.status_code == 201, made.content
    path = f"/api/products/{made.json()['id']}"
    problem(client.patch(path, {"price": 98_76}, format="json"), 400)
    # Once a colleague stands for the rule, or others sell at that price, it is like any other.
    rule = CommissionRule.objects.get(name="Odd")
    services.update_rule(actor=colleague, rule=rule, name="Odd price")
    assert client.patch(path, {"price": 98_76}, format="json").status_code == 200


def change_of_tax(what, actor, rate):
    if what == "created":
        values = {"country": "MC", "tax_status": "private", "ppm": 0}
        return services.create_fee_tax_rate(actor=actor, **values)
    if what == "deleted":
        return services.delete_fee_tax_rate(actor=actor, rate=rate)
    values = {"ppm": 0} if what == "lowered" else {"is_reverse_charge": True, "ppm": 0}
    return services.update_fee_tax_rate(actor=actor, rate=rate, **values)


@pytest.mark.parametrize("what", ["created", "lowered", "reversed", "deleted"])
def test_nobody_taxes_the_fees_of_his_own_sales_less(what, operator, general):
    sells(operator)
    rate = services.create_fee_tax_rate(actor=None, country="MC", ppm=200_000)
    with pytest.raises(OwnInterest), transaction.atomic():
        change_of_tax(what, operator, rate)
    change_of_tax(what, StaffFactory(role="operator"), rate)


def test_a_dearer_tax_and_other_countries_are_not_about_oneself(operator, general):
    sells(operator)
    rate = services.create_fee_tax_rate(actor=None, country="MC", ppm=200_000)
    services.update_fee_tax_rate(actor=operator, rate=rate, ppm=210_000)
    services.create_fee_tax_rate(actor=operator, country="PT", ppm=0)
