"""What others got wrong with payouts, step by step over HTTP: returned, on hold, tried again."""

import pytest

from marketplace import services
from marketplace.models import LedgerEntry
from marketplace.services.ledger import seller_balances
from marketplace.tests import factories
from systemadmin.foundation.testing import problem
from systemadmin.models import PublishedEvent
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]
URL = "/api/admin/payouts"


@pytest.fixture(autouse=True)
def _tenth():
    factories.rule(ppm=100_000)


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


@pytest.fixture
def product():
    return factories.approved(UserFactory(), price=100_00)


def pay_out(operator, seller, status=201):
    answer = operator.post(URL, {"seller": seller.pk, "currency": "EUR"})
    assert answer.status_code == status, answer.json()
    return answer.json()


def step(operator, payout, name, **body):
    answer = operator.post(f"{URL}/{payout['id']}/{name}", body)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def available(seller):
    return seller_balances(seller.pk)[0]["available"]


def cash():
    entries = LedgerEntry.objects.filter(account__code="cash")
    return sum(entries.values_list("amount", flat=True))


def test_the_bank_returns_a_paid_payout_and_the_money_is_the_sellers_again(operator, product):
    """Spree #14622: a failure after a success was thrown away."""
    seller = factories.completed(product).seller
    before = cash()
    payout = pay_out(operator, seller)
    step(operator, payout, "mark-paid")
    assert cash() == before - 90_00
    returned = step(operator, payout, "mark-failed", reason="Account closed")
    assert returned["status"] == "returned"
    assert (available(seller), cash()) == (90_00, before)
    assert pay_out(operator, seller)["amount"] == 90_00


def test_a_seller_suspended_for_fraud_is_paid_nothing(operator, product):
    seller = factories.completed(product).seller
    body = {"reason": "Stolen cards"}
    assert operator.post(f"/api/admin/users/{seller.pk}/suspend", body).status_code == 200
    refused = operator.post(URL, {"seller": seller.pk, "currency": "EUR"})
    assert problem(refused, 409, "payout_held")["reasons"] == ["suspended"]
    assert available(seller) == 90_00


def test_the_next_sale_is_held_for_a_dispute_over_one_that_was_paid_out(operator, product):
    """Stripe Connect: a dispute after the payout is covered by the seller's later income."""
    order = factories.completed(product)
    seller = order.seller
    step(operator, pay_out(operator, seller), "mark-paid")
    dispute = services.open_dispute(
        actor=order.buyer, order=order, reason="not_received", body="Where is it?"
    )
    assert dispute.held_amount == 0
    factories.completed(product)
    dispute.refresh_from_db()
    assert (dispute.held_amount, available(seller)) == (90_00, 0)
    problem(operator.post(URL, {"seller": seller.pk, "currency": "EUR"}), 409, "nothing_to_pay")
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="buyer")
    balance = seller_balances(seller.pk)[0]
    assert (balance["available"], balance["owed"], balance["held"]) == (0, 0, 0)


def test_a_payout_that_is_tried_again_tells_so(operator, product):
    payout = pay_out(operator, factories.completed(product).seller)
    step(operator, payout, "mark-failed", reason="No such account")
    step(operator, payout, "retry")
    step(operator, payout, "mark-paid")
    events = PublishedEvent.objects.filter(kind__startswith="payout.").order_by("pk")
    assert list(events.values_list("kind", flat=True)) == [
        "payout.created",
        "payout.failed",
        "payout.retried",
        "payout.paid",
    ]


def test_a_payout_says_which_orders_it_pays(operator, product):
    """Stripe's balance transactions by payout: gross, commission, tax and net of each order."""
    first, second = factories.completed(product), factories.completed(product, quantity=2)
    payout = pay_out(operator, product.seller)
    shown = operator.get(f"{URL}/{payout['id']}").json()["orders"]
    parts = ("order", "gross", "commission", "tax", "net")
    assert [tuple(one[name] for name in parts) for one in shown] == [
        (first.pk, 100_00, 10_00, 0, 90_00),
        (second.pk, 200_00, 20_00, 0, 180_00),
    ]
    rows = operator.get(f"/api/admin/ledger?payout={payout['id']}&page_size=100").json()["results"]
    assert {first.pk, second.pk} <= {row["order"] for row in rows}
