"""Many at once, and death between steps: five pieces are sold five times, one key buys once."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from marketplace import errors, services
from marketplace.models import LedgerEntry, LedgerTransaction, Order, Payout, PayoutItem, Product
from marketplace.services.order_creation import Item
from marketplace.tests import factories
from systemadmin.errors import RequestIsDecided
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.testing import run_threads
from systemadmin.models import ApprovalRequest
from systemadmin.services import approvals
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _real_database(ledger_db):
    factories.rule(ppm=100_000, tax_ppm=210_000)
    yield
    assert services.check_ledger() == []


def outcomes(results, kind):
    return [one for one in results if isinstance(one, kind)]


def test_fifty_threads_buy_the_last_five():
    product = factories.approved(stock=5)
    buyers = [UserFactory() for _ in range(50)]

    def buy(number):
        buyer = buyers[number]
        return services.create_order(actor=buyer, buyer=buyer, items=[Item(product.pk)])

    results = run_threads(buy, 50)
    assert len(outcomes(results, Order)) == 5
    assert len(outcomes(results, errors.OutOfStock)) == 45
    product.refresh_from_db()
    assert product.stock == 0
    assert Order.objects.count() == 5


def test_the_same_key_twenty_times_at_once_is_one_order(as_user):
    product = factories.approved(stock=50)
    buyer = UserFactory()
    clients = [as_user(buyer) for _ in range(20)]

    def buy(number):
        return clients[number].post(
            "/api/orders", {"product": product.pk}, headers={"Idempotency-Key": "one"}
        )

    answers = run_threads(buy, 20)
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}
    assert Order.objects.count() == 1
    again = buy(0)
    assert (again.status_code, again.json()["id"]) == (201, Order.objects.get().pk)
    product.refresh_from_db()
    assert product.stock == 49


def test_crossed_baskets_do_not_deadlock():
    seller = UserFactory()
    one, two = factories.approved(seller, stock=500), factories.approved(seller, stock=500)
    buyer = UserFactory()

    def buy(number):
        pair = [Item(one.pk), Item(two.pk)]
        items = pair if number % 2 else pair[::-1]
        return services.create_order(actor=buyer, buyer=buyer, items=items)

    assert len(outcomes(run_threads(buy, 20), Order)) == 20


def test_one_payment_told_by_many():
    order = factories.order()

    def pay(_number):
        return services.pay_order(actor=None, order=order, reference="p-1")

    assert len(outcomes(run_threads(pay, 10), Order)) == 10
    assert LedgerTransaction.objects.filter(kind="payment").count() == 1


def test_refunds_at_once_never_exceed_what_was_paid():
    order = factories.completed()

    def refund(_number):
        return services.refund_order(actor=None, order=order, amount=3_00)

    results = run_threads(refund, 12)
    order.refresh_from_db()
    assert order.refunded == 18_00
    assert len(outcomes(results, errors.RefundTooHigh)) == 6


def test_payouts_at_once_claim_each_entry_once():
    seller = UserFactory()
    product = factories.approved(seller, stock=None)
    for _ in range(5):
        factories.completed(product)
    root = factories.root()

    def pay_out(_number):
        return services.create_payout(actor=root, seller=seller, currency="EUR")

    results = run_threads(pay_out, 8)
    assert len(outcomes(results, Payout)) == 1
    assert PayoutItem.objects.count() == 6


def test_completions_and_payouts_of_one_seller_at_once():
    seller = UserFactory()
    product = factories.approved(seller, stock=None)
    orders = [factories.paid(product) for _ in range(12)]
    root = factories.root()

    def step(number):
        if number < 12:
            return services.complete_order(actor=root, order=orders[number])
        payout = services.create_payout(actor=root, seller=seller, currency="EUR")
        return services.pay_payout(actor=root, payout=payout)

    results = run_threads(step, 16)
    assert not [one for one in results if isinstance(one, Exception) and not is_refusal(one)]


def is_refusal(error):
    return isinstance(error, DomainError)


def test_approve_and_edit_at_once_never_shows_the_unapproved():
    root = factories.root()
    for _ in range(5):
        product = factories.draft()
        services.submit_product(actor=product.seller, product=product)
        version = Product.objects.get(pk=product.pk).version

        def step(number, product=product, version=version):
            if number:
                return services.update_product(
                    actor=product.seller, product=product, title="Something never seen"
                )
            return services.approve_product(actor=root, product=product, expected_version=version)

        run_threads(step, 2)
        product.refresh_from_db()
        if product.status == "approved":
            assert product.title != "Something never seen"


KILLED = """
import os, signal
import django
django.setup()
from django.db import connection
from django.contrib.auth import get_user_model
connection.settings_dict["NAME"] = {name!r}
from marketplace import services
from marketplace.services import ledger
from marketplace.models import Order
order = Order.objects.get(pk={order})
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
{patch}
{call}
"""
PATCHES = {
    "before anything is booked": "ledger.post = die",
    "between entries and their transaction": "ledger.LedgerTransaction.objects.create = die",
    "after booking, before the commit": (
        "from marketplace.services import orders, refunds; "
        "orders.announce_order = die; refunds.save_step = die"
    ),
}
CALLS = {
    "pay": "services.pay_order(actor=None, order=order, reference='k')",
    "complete": "services.complete_order(actor=None, order=order)",
    "refund": "services.refund_order(actor=None, order=order, amount=500)",
}


@pytest.mark.parametrize("moment", PATCHES)
@pytest.mark.parametrize("step", CALLS)
def test_killed_between_any_two_steps(step, moment):
    """SIGKILL leaves the books balanced and the order where it was, so the step is repeated."""
    make = {"pay": factories.order, "complete": factories.paid, "refund": factories.completed}
    order = make[step]()
    before = (Order.objects.get(pk=order.pk).status, LedgerEntry.objects.count())
    script = KILLED.format(
        name=connection.settings_dict["NAME"],
        order=order.pk,
        patch=PATCHES[moment],
        call=CALLS[step],
    )
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "DJANGO_DEBUG": "1"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    after = (Order.objects.get(pk=order.pk).status, LedgerEntry.objects.count())
    assert after == before
    assert services.check_ledger() == []
    again = {
        "pay": lambda: services.pay_order(actor=None, order=order, reference="k"),
        "complete": lambda: services.complete_order(actor=None, order=order),
        "refund": lambda: services.refund_order(actor=None, order=order, amount=500),
    }
    with transaction.atomic():
        again[step]()
    assert LedgerEntry.objects.count() > before[1]


@pytest.mark.two_people
def test_of_four_people_who_approve_a_payout_at_once_one_does_it():
    call_command("setup", verbosity=0)
    asker, *people = [StaffFactory(role="operator") for _ in range(5)]
    order = services.pay_order(
        actor=None, order=factories.order(factories.approved(price=2_000_00))
    )
    services.complete_order(actor=None, order=order)
    payout = services.create_payout(actor=None, seller=order.seller, currency="EUR")
    with pytest.raises(SecondPersonNeeded) as found:
        services.pay_payout(actor=asker, payout=payout)
    (row,) = approvals.keep(found.value, "month's end")
    results = run_threads(lambda n: approvals.approve(actor=people[n], request=row), 4)
    assert len(outcomes(results, ApprovalRequest)) == 1
    assert len(outcomes(results, RequestIsDecided)) == 3
    payout.refresh_from_db()
    assert payout.status == "paid"
    row.refresh_from_db()
    assert row.state == "approved"
