"""Payouts: returned, cancelled and tried again; what each pays; holds that follow later income."""

import pytest

from marketplace import errors, services
from marketplace.models import LedgerEntry
from marketplace.services.ledger import seller_balances
from marketplace.tests import factories
from systemadmin.foundation.testing import problem
from systemadmin.models import PublishedEvent
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture(autouse=True)
def _tenth():
    factories.rule(ppm=100_000)


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def balance(seller):
    return seller_balances(seller.pk)[0]


def cash():
    entries = LedgerEntry.objects.filter(account__code="cash")
    return sum(entries.values_list("amount", flat=True))


def paid_out(product=None):
    order = factories.completed(product or factories.approved(price=100_00))
    payout = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    return order, services.pay_payout(actor=factories.root(), payout=payout)


def test_a_paid_payout_that_the_bank_returns_goes_back_to_the_balance(operator):
    order, payout = paid_out()
    before = cash()
    path = f"/api/admin/payouts/{payout.pk}"
    answer = operator.post(f"{path}/mark-failed", {"reason": "Account closed"})
    assert (answer.status_code, answer.json()["status"]) == (200, "returned")
    assert balance(order.seller)["available"] == 90_00
    assert cash() == before + 90_00
    problem(operator.post(f"{path}/mark-failed", {"reason": "Again"}), 409)
    problem(operator.post(f"{path}/retry"), 409)
    again = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    assert again.amount == 90_00


def test_what_the_seller_owes_is_taken_from_a_returned_payout():
    order, payout = paid_out()
    services.refund_order(actor=factories.root(), order=order)
    assert balance(order.seller)["owed"] == 90_00
    services.fail_payout(actor=factories.root(), payout=payout, reason="Returned")
    assert (balance(order.seller)["owed"], balance(order.seller)["available"]) == (0, 0)


def test_a_failed_payout_is_cancelled_rather_than_paid_to_a_seller_who_owes():
    order = factories.completed(factories.approved(price=100_00))
    payout = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    services.fail_payout(actor=factories.root(), payout=payout, reason="No such account")
    services.refund_order(actor=factories.root(), order=order, amount=40_00)
    with pytest.raises(errors.SellerOwes):
        services.retry_payout(actor=factories.root(), payout=payout)
    services.cancel_payout(actor=factories.root(), payout=payout, reason="Owes")
    assert (balance(order.seller)["available"], balance(order.seller)["owed"]) == (54_00, 0)
    rest = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    assert rest.amount == 54_00


def test_every_step_of_a_payout_is_an_event(operator):
    order = factories.completed(factories.approved(price=100_00))
    payout = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    path = f"/api/admin/payouts/{payout.pk}"
    for step, body in (
        ("mark-failed", {"reason": "x"}),
        ("retry", {}),
        ("mark-paid", {}),
        ("mark-failed", {"reason": "returned"}),
    ):
        assert operator.post(f"{path}/{step}", body).status_code == 200
    kinds = (
        PublishedEvent.objects.filter(kind__startswith="payout.")
        .order_by("pk")
        .values_list("kind", flat=True)
    )
    assert list(kinds) == [
        "payout.created", "payout.failed", "payout.retried", "payout.paid", "payout.returned",
    ]  # fmt: skip


def test_a_payout_shows_the_orders_it_pays(operator):
    seller = UserFactory()
    product = factories.approved(seller, price=100_00)
    first, second = factories.completed(product), factories.completed(product, quantity=2)
    services.refund_order(actor=factories.root(), order=first, amount=50_00)
    payout = services.create_payout(actor=factories.root(), seller=seller, currency="EUR")
    shown = operator.get(f"/api/admin/payouts/{payout.pk}").json()
    assert shown["orders"] == [
        {
            "order": first.pk,
            "gross": 100_00,
            "commission": 5_00,
            "tax": 0,
            "refunded": 50_00,
            "net": 45_00,
        },
        {
            "order": second.pk,
            "gross": 200_00,
            "commission": 20_00,
            "tax": 0,
            "refunded": 0,
            "net": 180_00,
        },
    ]
    total = sum(one["net"] for one in shown["orders"]) + sum(o["amount"] for o in shown["other"])
    assert total == shown["amount"] == 225_00
    rows = operator.get(f"/api/admin/ledger?payout={payout.pk}&page_size=100").json()["results"]
    assert {row["order"] for row in rows} == {first.pk, second.pk, None}


def test_a_hold_follows_later_income_until_the_share_is_covered():
    seller = UserFactory()
    product = factories.approved(seller, price=100_00)
    order, _payout = paid_out(product)
    dispute = services.open_dispute(
        actor=order.buyer, order=order, reason="not_received", body="Where is it?"
    )
    assert dispute.held_amount == 0
    factories.completed(factories.approved(seller, price=40_00))
    dispute.refresh_from_db()
    assert (dispute.held_amount, balance(seller)["available"]) == (36_00, 0)
    factories.completed(product)
    dispute.refresh_from_db()
    assert (dispute.held_amount, balance(seller)["available"]) == (90_00, 36_00)
    payout = services.create_payout(actor=factories.root(), seller=seller, currency="EUR")
    assert payout.amount == 36_00
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="buyer")
    assert (balance(seller)["held"], balance(seller)["owed"]) == (0, 0)


def test_a_released_hold_returns_all_that_was_held():
    seller = UserFactory()
    order, _payout = paid_out(factories.approved(seller, price=100_00))
    dispute = services.open_dispute(
        actor=order.buyer, order=order, reason="not_received", body="Where is it?"
    )
    for _sale in range(3):
        factories.completed(factories.approved(seller, price=40_00))
    dispute.refresh_from_db()
    assert dispute.held_amount == 90_00
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="seller")
    assert (balance(seller)["available"], balance(seller)["held"]) == (108_00, 0)


def test_a_decided_dispute_is_not_opened_again_by_its_parties():
    order = factories.completed()
    dispute = services.open_dispute(
        actor=order.buyer, order=order, reason="not_received", body="Where is it?"
    )
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="seller")
    with pytest.raises(errors.DisputeDecided):
        services.open_dispute(
            actor=order.buyer, order=order, reason="not_received", body="Once more"
        )
