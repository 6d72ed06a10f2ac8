"""Chargebacks: cash leaves at once, a decision ends it, staff alone appeal."""

import io
import json
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace import errors, services
from marketplace.models import Dispute, LedgerEntry
from marketplace.services.ledger import seller_balances
from marketplace.tests import factories
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture(autouse=True)
def _tenth():
    factories.rule(ppm=100_000)


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def booked(code):
    return sum(LedgerEntry.objects.filter(account__code=code).values_list("amount", flat=True))


def have(seller):
    balance = seller_balances(seller.pk)[0]
    return balance["available"], balance["held"], balance["owed"]


def charge_back(order, **values):
    return services.record_chargeback(
        actor=factories.root(), order=order, reference="cb-1", fee=15_00, **values
    )


def decide(dispute, winner, **values):
    return services.resolve_dispute(
        actor=factories.root(), dispute=dispute, in_favour_of=winner, **values
    )


def test_cash_leaves_at_once_and_the_share_is_held(operator):
    order = factories.completed(factories.approved(price=100_00))
    url = f"/api/admin/orders/{order.pk}/chargeback"
    body = {"reference": "cb-1", "network_reason": "10.4", "fee": 15_00,
            "evidence_due_at": "2026-12-31T23:59:59Z"}  # fmt: skip
    made = operator.post(url, body)
    assert (made.status_code, made.json()["source"]) == (201, "payment_service")
    assert operator.post(url, body).json()["id"] == made.json()["id"]
    assert (booked("cash"), booked("chargebacks"), booked("dispute_fees")) == (
        -15_00, 100_00, 15_00,
    )  # fmt: skip
    assert have(order.seller) == (0, 90_00, 0)
    problem(operator.post(url, {**body, "reference": "cb-2"}), 400, field="reference")
    other = factories.completed(factories.approved(price=10_00))
    path = f"/api/admin/orders/{other.pk}/chargeback"
    problem(operator.post(path, {"reference": "x", "amount": 10_01}), 400, field="amount")
    problem(operator.post(path, {"reference": "x", "evidence_due_at": "2026-12-31"}), 400)
    problem(operator.post(path, {"reference": "cb-1"}), 400)


def test_lost_it_is_refunded_once_and_won_it_comes_back():
    lost = factories.completed(factories.approved(price=100_00))
    dispute = decide(charge_back(lost, amount=60_00), "buyer")
    lost.refresh_from_db()
    assert (dispute.refund_amount, lost.refunded) == (60_00, 60_00)
    assert (booked("cash"), booked("chargebacks")) == (100_00 - 60_00 - 15_00, 0)
    assert have(lost.seller) == (36_00, 0, 0)
    won = factories.completed(factories.approved(price=50_00))
    dispute = services.record_chargeback(actor=None, order=won, reference="cb-2")
    decide(dispute, "seller")
    assert have(won.seller) == (45_00, 0, 0)
    assert booked("chargebacks") == 0


def test_it_joins_a_dispute_that_is_open():
    order = factories.paid(factories.approved(price=100_00))
    opened = services.open_dispute(actor=order.buyer, order=order, reason="damaged", body="x")
    joined = charge_back(order)
    assert joined.pk == opened.pk
    assert Dispute.objects.count() == 1
    decide(joined, "buyer")
    assert booked("buyer_funds") == 0


def test_staff_appeal_and_the_share_is_held_again(as_user, staff):
    order = factories.completed(factories.approved(price=100_00))
    dispute = services.open_dispute(actor=order.buyer, order=order, reason="other", body="x")
    decide(dispute, "buyer", refund_amount=40_00)
    assert have(order.seller) == (54_00, 0, 0)
    with pytest.raises(errors.DisputeDecided):
        services.open_dispute(actor=order.buyer, order=order, reason="other", body="again")
    moderator = as_user(staff("marketplace_moderator"))
    path = f"/api/admin/disputes/{dispute.pk}/appeal"
    problem(moderator.post(path, {"reason": " "}), 400, field="reason")
    assert moderator.post(path, {"reason": "New photos"}).json()["status"] == "open"
    problem(moderator.post(path, {"reason": "x"}), 409)
    assert have(order.seller) == (0, 54_00, 0)
    dispute.refresh_from_db()
    decide(dispute, "seller")
    assert have(order.seller) == (54_00, 0, 0)
    assert AuditEntry.objects.get(action="marketplace.dispute.appealed").reason == "New photos"


def test_nothing_is_left_to_appeal_about():
    order = factories.completed(factories.approved(price=100_00))
    dispute = services.open_dispute(actor=order.buyer, order=order, reason="other", body="x")
    dispute = decide(dispute, "buyer")
    with pytest.raises(errors.AppealTooLate):
        services.appeal_dispute(actor=factories.root(), dispute=dispute, reason="x")


def test_the_pack_holds_what_the_parties_said_and_not_what_staff_noted(as_user, staff):
    order = factories.completed(factories.approved(price=100_00))
    dispute = charge_back(order, network_reason="10.4")
    file = SimpleUploadedFile("proof.pdf", b"%PDF-1.4 x", content_type="application/pdf")
    services.add_dispute_message(
        actor=order.seller, dispute=dispute, body="Sent on Monday", evidence=file
    )
    services.add_dispute_message(
        actor=factories.root(), dispute=dispute, body="Looks bad", is_internal=True
    )
    moderator = as_user(staff("marketplace_moderator"))
    answer = moderator.get(f"/api/admin/disputes/{dispute.pk}/evidence-pack")
    pack = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    facts = json.loads(pack.read("dispute.json"))
    assert (facts["chargeback"], facts["reason"], facts["total"]) == ("cb-1", "10.4", 100_00)
    assert b"Sent on Monday" in pack.read("messages.txt")
    assert b"Looks bad" not in pack.read("messages.txt")
    (name,) = [one for one in pack.namelist() if one.startswith("files/")]
    assert pack.read(name) == b"%PDF-1.4 x"
