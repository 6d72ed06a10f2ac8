"""Fees per payout: charged once, on what is paid out, and given back when it does not arrive."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace import dac7, errors, services
from marketplace.models import LedgerEntry, PayoutCharge
from marketplace.querysets import reports
from marketplace.querysets.statements import commission_of, movements
from marketplace.services import clock
from marketplace.services.ledger import seller_balances
from marketplace.tests import factories
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


@pytest.fixture
def payout_fee():
    """0.25 % + 0.25 per payout with 21 % tax, as Stripe Connect publishes them."""
    return services.create_fee(actor=factories.root(), code="payouts", name="Payouts", position=2)


def rule(fee, **values):
    about = {"per": "payout", "currency": "EUR", "applies_to_all": True, "name": "Per payout"}
    return services.create_rule(actor=factories.root(), fee=fee, **(about | values))


def stripe(fee, **values):
    return rule(fee, ppm=2_500, fixed=25, tax_ppm=210_000, **values)


def sold(amount=100_00, seller=None):
    return factories.completed(factories.approved(seller, price=amount)).seller


def pay_out(seller):
    return services.create_payout(actor=factories.root(), seller=seller, currency="EUR")


def named(answer):
    """The fields that a refusal names."""
    return [one["field"] for one in problem(answer, 400)["errors"]]


def booked(code):
    entries = LedgerEntry.objects.filter(account__code=code, transaction__kind="payout_fee")
    return sum(entries.values_list("amount", flat=True))


def balance(seller):
    return seller_balances(seller.pk)[0]


def test_it_is_charged_once_per_payout_and_on_no_order(payout_fee, operator):
    stripe(payout_fee)
    seller = UserFactory()
    for _sale in range(2):
        sold(100_00, seller)
    assert all(order.commission == 0 for order in seller.sales.all())
    payout = pay_out(seller)
    # 0.25 % of 200.00 + 0.25 = 0.75, and 21 % of it.
    assert (payout.gross, payout.fee, payout.fee_tax, payout.amount) == (200_00, 75, 16, 199_09)
    assert (booked("revenue"), booked("tax")) == (-75, -16)
    assert balance(seller)["available"] == 0
    shown = operator.get(f"/api/admin/payouts/{payout.pk}").json()
    parts = [one["net"] for one in shown["orders"]] + [one["amount"] for one in shown["other"]]
    assert sum(parts) == shown["amount"] == 199_09
    assert shown["other"] == [{"kind": "payout_fee", "amount": -91}]
    (charge,) = shown["charges"]
    assert (charge["fee_name"], charge["amount"], charge["tax"]) == ("Payouts", 75, 16)
    assert [step["step"] for step in shown["fee_trace"]] == [
        "rule", "base", "percent", "fixed", "tax",
    ]  # fmt: skip
    assert services.check_ledger() == []


def test_the_preview_is_the_payout(payout_fee, operator):
    stripe(payout_fee)
    seller = sold(80_00)
    order = seller.sales.get()
    pay_out(seller)
    services.refund_order(actor=factories.root(), order=order, amount=30_00)
    sold(100_00, seller)
    services.open_dispute(
        actor=order.buyer, order=order, reason="not_received", body="Where is it?"
    )
    path = f"/api/admin/sellers/{seller.pk}/payout-preview?currency=EUR"
    services.cancel_payout(actor=factories.root(), payout=seller.payouts.get(), reason="Anew")
    shown = operator.get(path).json()
    assert (shown["debt"], shown["held"], shown["reasons"]) == (0, 0, [])
    payout = pay_out(seller)
    for name in ("gross", "fee", "fee_tax", "amount"):
        assert shown[name] == getattr(payout, name)
    assert shown["charges"][0]["amount"] == payout.fee
    assert operator.get(path).json()["reasons"] == ["too_little"]


def test_the_preview_takes_debts_and_holds_off_first(payout_fee, operator):
    stripe(payout_fee)
    seller = sold(60_00)
    first = seller.sales.get()
    services.pay_payout(actor=factories.root(), payout=pay_out(seller))
    services.refund_order(actor=factories.root(), order=first, amount=20_00)
    assert balance(seller)["owed"] == 20_00
    # The debt is repaid by the sale itself, and the rest of the disputed order is held of it.
    services.open_dispute(
        actor=first.buyer, order=first, reason="not_received", body="Where is it?"
    )
    sold(100_00, seller)
    path = f"/api/admin/sellers/{seller.pk}/payout-preview?currency=EUR"
    shown = operator.get(path).json()
    payout = pay_out(seller)
    assert (shown["gross"], shown["amount"]) == (payout.gross, payout.amount) == (40_00, 39_58)


def test_the_preview_names_what_is_wrong_with_the_question(operator):
    seller = UserFactory()
    path = f"/api/admin/sellers/{seller.pk}/payout-preview"
    assert named(operator.get(path)) == ["currency"]
    assert named(operator.get(f"{path}?currency=XXXX")) == ["currency"]
    assert named(operator.get(f"{path}?currency=EUR&tz=UTC")) == ["tz"]


@pytest.mark.parametrize("arrives", ["returned", "cancelled"])
def test_a_payout_that_does_not_arrive_brings_its_fee_back(payout_fee, arrives):
    stripe(payout_fee)
    seller = sold()
    payout = pay_out(seller)
    root = factories.root()
    if arrives == "returned":
        services.pay_payout(actor=root, payout=payout)
        services.fail_payout(actor=root, payout=payout, reason="Account closed")
    else:
        services.cancel_payout(actor=root, payout=payout, reason="Wrong account")
    assert (booked("revenue"), booked("tax")) == (0, 0)
    assert balance(seller)["available"] == 100_00
    charge = PayoutCharge.objects.get()
    assert (charge.reversed_amount, charge.reversed_tax) == (charge.amount, charge.tax) == (50, 11)
    again = pay_out(seller)
    assert (again.fee, again.amount) == (50, 99_39)
    assert services.check_ledger() == []


def test_a_second_attempt_of_the_same_payout_costs_nothing(payout_fee):
    stripe(payout_fee)
    payout = pay_out(sold())
    root = factories.root()
    payout = services.fail_payout(actor=root, payout=payout, reason="Try later")
    payout = services.retry_payout(actor=root, payout=payout)
    payout = services.pay_payout(actor=root, payout=payout)
    assert (payout.attempts, payout.amount, booked("revenue")) == (2, 99_39, -50)
    assert services.check_ledger() == []


@pytest.mark.parametrize(
    ("terms", "kept"),
    [
        ({}, 0),
        ({"on_refund": "keep"}, 50),
        ({"on_refund": "recalculate"}, 0),
        ({"fixed_refundable": False}, 25),
        ({"refund_fee_ppm": 200_000}, 10),
    ],
)
def test_what_stays_with_the_platform_is_what_the_rule_says(payout_fee, terms, kept):
    stripe(payout_fee, **terms)
    payout = pay_out(sold())
    services.cancel_payout(actor=factories.root(), payout=payout, reason="Wrong account")
    assert booked("revenue") == -kept
    assert services.check_ledger() == []


def test_a_debt_is_paid_from_the_fee_that_goes_back(payout_fee):
    rule(payout_fee, fixed=10_00)
    seller = sold()
    payout = pay_out(seller)
    services.pay_payout(actor=factories.root(), payout=payout)
    services.refund_order(actor=factories.root(), order=seller.sales.get())
    services.fail_payout(actor=factories.root(), payout=payout, reason="Returned")
    assert (balance(seller)["owed"], balance(seller)["available"]) == (0, 0)
    assert services.check_ledger() == []


def test_nothing_is_paid_where_the_fee_leaves_nothing(payout_fee):
    rule(payout_fee, fixed=5_00)
    seller = sold(4_00)
    with pytest.raises(errors.NothingToPay):
        pay_out(seller)
    assert (balance(seller)["available"], PayoutCharge.objects.count()) == (4_00, 0)


def test_tiers_minimum_country_and_volume_are_of_the_payout(payout_fee):
    rule(payout_fee, name="PT", countries=["PT"], applies_to_all=False, fixed=1_00)
    rule(payout_fee, tiers=[[0, 20_000], [100_00, 10_000]], minimum=1_50, maximum=3_00)
    assert pay_out(sold(50_00)).fee == 1_50
    assert pay_out(sold(150_00)).fee == 2_50
    assert pay_out(sold(500_00)).fee == 3_00
    seller = UserFactory(country="PT")
    assert pay_out(sold(50_00, seller)).fee == 1_00


def test_the_first_payout_of_a_month_can_be_free(payout_fee):
    rule(
        payout_fee,
        volume_window="month",
        volume_measure="orders",
        volume_below=2,
        applies_to_all=False,
    )
    rule(payout_fee, name="Later", fixed=2_00)
    seller = sold()
    assert pay_out(seller).fee == 0
    services.pay_payout(actor=factories.root(), payout=seller.payouts.get())
    sold(seller=seller)
    assert pay_out(seller).fee == 2_00


def test_statement_invoice_report_and_dac7_show_it(payout_fee):
    stripe(payout_fee)
    seller = sold()
    payout = pay_out(seller)
    start, end = timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1)
    key = (seller.pk, "EUR")
    assert movements(start, end)[key] == {
        "completion": 100_00, "payout_fee": -61, "payout": -99_39,
    }  # fmt: skip
    assert dict(commission_of(start, end)[key]) == {"charged": 0, "tax": 11, "payouts": 50}
    (row,) = reports.commissions(start=start, end=end, group_by=["seller"], seller=seller.pk)
    assert (row["seller"], row["commission"], row["tax"]) == (seller.pk, 50, 11)
    place = (clock.today().month - 1) // 3
    (year,) = dac7.rows_of(clock.today().year)
    assert (year.consideration[place], year.fees[place]) == (99_39, 61)
    assert payout.amount == year.consideration[place]


def test_the_invoice_of_a_month_names_the_fees_of_payouts(payout_fee, operator):
    stripe(payout_fee)
    change_settings(actor=None, values={"marketplace.platform_legal_name": "Place Ltd"})
    with clock.frozen_at(clock.day_start(clock.month_of(clock.now())) - timedelta(days=10)):
        seller = sold()
        pay_out(seller)
        month = clock.month_of(clock.now())
    services.close_month(actor=factories.root(), month=month)
    services.make_statements(actor=factories.root(), month=month)
    invoice = seller.commission_invoices.get()
    assert (invoice.net, invoice.tax, invoice.content["lines"]["payouts"]) == (50, 11, 50)
    statement = seller.seller_statements.get()
    assert (statement.closing, statement.movements["payout_fee"]) == (0, -61)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"unit_from": 1}, "unit_from"),
        ({"line_below": 5}, "line_below"),
        ({"kinds": ["service"]}, "kinds"),
        ({"include_shipping": False}, "include_shipping"),
        ({"include_tax": False}, "include_tax"),
        ({"volume_window": "month", "volume_between": "pair"}, "volume_between"),
    ],
)
def test_what_only_orders_have_is_refused(payout_fee, operator, values, field):
    body = {"name": "x", "fee": payout_fee.pk, "per": "payout", "currency": "EUR"}
    answer = operator.post("/api/admin/commission-rules", body | {"applies_to_all": True} | values)
    assert named(answer) == [field]


def test_categories_and_products_are_refused_on_creating_and_on_changing(payout_fee, operator):
    product = factories.approved()
    body = {"name": "x", "fee": payout_fee.pk, "per": "payout"}
    for field, value in (("products", product.pk), ("categories", product.category_id)):
        answer = operator.post("/api/admin/commission-rules", body | {field: [value]})
        assert named(answer) == [field]
    stored = factories.rule(fee=payout_fee, products=[product], ppm=10)
    path = f"/api/admin/commission-rules/{stored.pk}"
    answer = operator.patch(path, {"per": "payout"}, headers={"If-Match": f'"{stored.version}"'})
    assert named(answer) == ["products"]


def test_buyers_pay_none(payout_fee):
    stripe(payout_fee)
    with pytest.raises(InvalidInput):
        services.update_fee(actor=factories.root(), fee=payout_fee, payer="buyer")
    on_top = services.create_fee(
        actor=factories.root(), code="top", name="On top", position=3, payer="buyer"
    )
    with pytest.raises(InvalidInput):
        stripe(on_top)


def test_a_rule_and_a_fee_that_charged_a_payout_stay(payout_fee):
    stored = stripe(payout_fee)
    pay_out(sold())
    with pytest.raises(errors.RuleInUse):
        services.delete_rule(actor=factories.root(), rule=stored)
    with pytest.raises(errors.FeeInUse):
        services.delete_fee(actor=factories.root(), fee=payout_fee)


def test_rules_of_orders_and_of_payouts_do_not_shadow_one_another(payout_fee):
    factories.rule(fee=payout_fee, ppm=10_000)
    stripe(payout_fee)
    assert services.lint_rules() == []
    late = rule(payout_fee, name="Never reached", fixed=1)
    assert [finding.rule for finding in services.lint_rules()] == [late.pk]


def test_a_what_if_charges_past_payouts_anew(payout_fee, operator):
    stripe(payout_fee)
    pay_out(sold())
    moments = {
        "start": (timezone.now() - timedelta(days=1)).isoformat(),
        "end": (timezone.now() + timedelta(days=1)).isoformat(),
    }
    draft = {"name": "Flat", "fee": payout_fee.pk, "per": "payout", "currency": "EUR"}
    body = {**moments, "rules": [draft | {"applies_to_all": True, "fixed": 1_00}]}
    shown = operator.post("/api/admin/commission-rules/preview", body).json()
    assert shown["payouts"] == [
        {"currency": "EUR", "payouts": 1, "changed": 1, "before": 50, "after": 1_00}
    ]
    stored = operator.post("/api/admin/commission-rules/preview", moments).json()
    assert stored["payouts"][0] | {"changed": 0, "after": 50} == stored["payouts"][0]


def test_the_pages_say_what_is_taken_and_why(payout_fee, admin_client_for, superuser):
    browser = admin_client_for(superuser)
    stripe(payout_fee)
    seller = sold()
    account = seller.ledger_accounts.get(code="seller_payable")
    page = browser.get(reverse("admin:marketplace_ledgeraccount_change", args=[account.pk]))
    asked = page.content.decode()
    assert "99.39" in asked
    assert "0.61" in asked
    payout = pay_out(seller)
    page = browser.get(reverse("admin:marketplace_payout_change", args=[payout.pk]))
    text = page.content.decode()
    for shown in ("100.00", "0.61", "99.39", "Per payout", "0.25 % of 100.00 EUR"):
        assert shown in text
