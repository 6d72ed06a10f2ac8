"""Disputes: hold, conversation, and both ways to end."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from marketplace import errors, services
from marketplace.models import LedgerTransaction, Order
from marketplace.services.ledger import seller_balances
from marketplace.tests import factories
from systemadmin.foundation.errors import InvalidInput, RuleViolation
from systemadmin.tests.factories import UserFactory
from systemadmin.tests.pictures import png

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]
PNG = png()


@pytest.fixture(autouse=True)
def _tenth():
    factories.rule(ppm=100_000)


def open_on(order):
    return services.open_dispute(
        actor=order.buyer, order=order, reason="not_received", body="Where is it?"
    )


def balance(order):
    return seller_balances(order.seller_id)[0]


def test_after_completion_the_sellers_share_is_held():
    order = factories.completed()
    dispute = open_on(order)
    assert dispute.held_amount == 18_00
    assert (balance(order)["available"], balance(order)["held"]) == (0, 18_00)
    with pytest.raises(errors.NothingToPay):
        services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="seller")
    order.refresh_from_db()
    assert order.status == "completed"
    assert (balance(order)["available"], balance(order)["held"]) == (18_00, 0)
    release = LedgerTransaction.objects.get(key=f"dispute:{dispute.pk}:release")
    assert release.reverses.key == f"dispute:{dispute.pk}:hold"


def test_for_the_buyer_in_full():
    order = factories.completed()
    dispute = services.resolve_dispute(
        actor=factories.root(), dispute=open_on(order), in_favour_of="buyer"
    )
    order.refresh_from_db()
    assert (order.status, dispute.refund_amount) == ("refunded", 20_00)
    assert balance(order)["balance"] == 0


def test_for_the_buyer_in_part():
    order = factories.completed()
    services.resolve_dispute(
        actor=factories.root(), dispute=open_on(order), in_favour_of="buyer", refund_amount=5_00
    )
    order.refresh_from_db()
    assert (order.status, order.refunded) == ("completed", 5_00)
    assert balance(order)["available"] == 18_00 - 4_50


@pytest.mark.parametrize(
    ("favour", "amount", "status", "left"),
    [
        ("buyer", None, "refunded", 0),
        ("buyer", 5_00, "completed", 13_50),
        ("seller", None, "completed", 18_00),
    ],
)
def test_before_completion_the_money_never_left_the_buyers_funds(favour, amount, status, left):
    order = factories.paid()
    dispute = open_on(order)
    assert dispute.held_amount == 0
    with pytest.raises(errors.DisputeOpen):
        services.complete_order(actor=None, order=order)
    services.resolve_dispute(
        actor=factories.root(), dispute=dispute, in_favour_of=favour, refund_amount=amount
    )
    order.refresh_from_db()
    assert order.status == status
    balances = seller_balances(order.seller_id)
    assert (balances[0]["available"] if balances else 0) == left


def test_after_the_payout_what_is_missing_is_owed():
    order = factories.completed()
    payout = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    services.pay_payout(actor=factories.root(), payout=payout)
    dispute = open_on(order)
    assert dispute.held_amount == 0
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="buyer")
    assert balance(order)["owed"] == 18_00


def test_debts_made_meanwhile_are_taken_from_the_release():
    seller = UserFactory()
    product = factories.approved(seller)
    first, second = factories.completed(product), factories.completed(product)
    dispute = open_on(first)
    payout = services.create_payout(actor=factories.root(), seller=seller, currency="EUR")
    services.pay_payout(actor=factories.root(), payout=payout)
    services.refund_order(actor=None, order=second)
    assert balance(first)["owed"] == 18_00
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="seller")
    assert (balance(first)["owed"], balance(first)["available"]) == (0, 0)


def test_one_open_dispute_and_no_plain_refund_meanwhile():
    order = factories.completed()
    open_on(order)
    order.refresh_from_db()
    with pytest.raises(errors.TransitionNotAllowed):
        open_on(order)
    with pytest.raises(errors.DisputeOpen):
        services.refund_order(actor=None, order=order)


def test_too_late():
    order = factories.completed()
    Order.objects.filter(pk=order.pk).update(paid_at=timezone.now() - timedelta(days=61))
    with pytest.raises(errors.DisputeTooLate):
        open_on(order)


def test_evidence_is_checked_by_its_bytes():
    dispute = open_on(factories.completed())
    message = services.add_dispute_message(
        actor=dispute.opened_by,
        dispute=dispute,
        body="",
        evidence=SimpleUploadedFile("photo.exe", PNG),
    )
    assert (message.evidence_type, message.evidence_name) == ("image/png", "photo.png")
    with pytest.raises(InvalidInput):
        services.add_dispute_message(
            actor=dispute.opened_by,
            dispute=dispute,
            body="",
            evidence=SimpleUploadedFile("page.png", b"<html>\x00</html>"),
        )
    with pytest.raises(InvalidInput):
        services.add_dispute_message(actor=dispute.opened_by, dispute=dispute, body=" ")


def test_resolved_is_final():
    dispute = open_on(factories.completed())
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="seller")
    with pytest.raises(errors.TransitionNotAllowed):
        services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="buyer")
    with pytest.raises(RuleViolation):
        services.add_dispute_message(actor=dispute.opened_by, dispute=dispute, body="But…")
    with pytest.raises(InvalidInput):
        services.resolve_dispute(
            actor=factories.root(), dispute=dispute, in_favour_of="seller", refund_amount=1
        )
