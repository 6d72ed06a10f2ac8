"""Payment services tell: verified, kept, booked once, in whatever order they come."""

import base64
import hashlib
import hmac
import json
import random
import time

import pytest
import stripe

from marketplace import services
from marketplace.models import Dispute, Order, PaymentEvent, PaymentHook
from marketplace.services import payment_events, payment_hooks
from marketplace.tests import factories
from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import problem
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
SECRET = "whsec_" + "test" * 8


@pytest.fixture
def hook(superuser):
    return payment_hooks.save_payment_hook(
        actor=superuser, name="stripe", scheme="stripe", secret=SECRET
    )


@pytest.fixture
def order():
    order = factories.order(factories.approved(price=100_00))
    Order.objects.filter(pk=order.pk).update(external_id="shop-7")
    order.refresh_from_db()
    return order


def event(kind, told, number=None):
    """An event in the shape in which Stripe sends it."""
    return {
        "id": number or f"evt_{kind}_{random.randrange(10**9)}",
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": int(time.time()),
        "livemode": False,
        "type": kind,
        "data": {"object": told},
    }


def paid(order, **changed):
    told = {
        "id": "pi_1", "object": "payment_intent", "amount": order.total,
        "amount_received": order.total, "currency": "eur", "status": "succeeded",
        "metadata": {"order_id": "shop-7"}, "receipt_email": "buyer@example.test",
        "latest_charge": {"id": "ch_1", "balance_transaction": {"id": "txn_1", "fee": 59}},
    }  # fmt: skip
    return event("payment_intent.succeeded", told | changed)


def refunded(total, **changed):
    told = {
        "id": "ch_1", "object": "charge", "amount": 100_00, "amount_refunded": total,
        "currency": "eur", "payment_intent": "pi_1", "metadata": {},
        "billing_details": {"email": "buyer@example.test", "name": "Somebody"},
    }  # fmt: skip
    return event("charge.refunded", told | changed)


def dispute(step, status, **changed):
    told = {
        "id": "du_1", "object": "dispute", "amount": 100_00, "currency": "eur", "charge": "ch_1",
        "payment_intent": "pi_1", "reason": "fraudulent", "status": status,
        "balance_transactions": [{"id": "txn_2", "amount": -100_00, "fee": 15_00}],
        "evidence_details": {"due_by": 1893456000, "has_evidence": False},
    }  # fmt: skip
    return event(f"charge.dispute.{step}", told | changed)


def sign(body, *secrets, at=None):
    """As Stripe's own library computes it."""
    at = at or int(time.time())
    compute = stripe.WebhookSignature._compute_signature
    parts = [f"v1={compute(f'{at}.{body}', secret)}" for secret in secrets]
    return ",".join([f"t={at}", *parts])


@pytest.fixture
def send(client, hook):
    def post(told, *, secrets=(SECRET,), at=None, header=None, run=True):
        body = json.dumps(told)
        header = sign(body, *secrets, at=at) if header is None else header
        answer = client.post(
            "/api/hooks/stripe", body, content_type="application/json",
            headers={"Stripe-Signature": header},
        )  # fmt: skip
        if run:
            drain()
        return answer

    return post


def statuses():
    return list(PaymentEvent.objects.order_by("id").values_list("status", flat=True))


class TestSignatures:
    def test_our_check_and_stripes_agree(self, send):
        body = json.dumps(event("customer.created", {"id": "cus_1"}))
        header = sign(body, SECRET)
        assert stripe.Webhook.construct_event(body, header, SECRET).type == "customer.created"
        assert send(json.loads(body), header=header).json() == {"received": True}
        assert statuses() == ["ignored"]

    @pytest.mark.parametrize("header", ["", "t=1", "v1=x", "t=1,v1=é", "t=x,v1=y", "t=٣,v1=y"])
    def test_nonsense_is_refused(self, send, header):
        problem(send(event("a", {}), header=header), 401, "not_signed")

    def test_wrong_old_and_future_are_refused(self, send):
        now = int(time.time())
        problem(send(event("a", {}), secrets=["whsec_other"]), 401, "not_signed")
        problem(send(event("a", {}), at=now - 400), 401, "not_signed")
        problem(send(event("a", {}), at=now + 400), 401, "not_signed")
        assert send(event("a", {}), secrets=["whsec_other", SECRET]).status_code == 200
        assert PaymentEvent.objects.count() == 1

    def test_two_secrets_while_rotating(self, send, hook, superuser):
        payment_hooks.save_payment_hook(actor=superuser, hook=hook, secret="whsec_new")
        assert send(event("a", {})).status_code == 200
        assert send(event("a", {}), secrets=["whsec_new"]).status_code == 200
        PaymentHook.objects.update(previous_secret_until="2020-01-01T00:00:00Z")
        problem(send(event("a", {})), 401)

    def test_unknown_and_closed_hooks(self, client, send, hook):
        assert client.post("/api/hooks/nobody", "{}", content_type="text/plain").status_code == 404
        PaymentHook.objects.update(is_active=False)
        problem(send(event("a", {})), 404)

    def test_no_json_and_no_id(self, client, hook):
        for body in ("nonsense", "{}", '{"id": ""}', "[]"):
            answer = client.post(
                "/api/hooks/stripe", body, content_type="application/json",
                headers={"Stripe-Signature": sign(body, SECRET)},
            )  # fmt: skip
            problem(answer, 400)


class TestBooks:
    def test_paid_once_however_often_it_is_told(self, send, order):
        told = paid(order)
        for _ in range(3):
            assert send(told).status_code == 200
        assert send(paid(order)).status_code == 200
        order.refresh_from_db()
        assert (order.status, order.payment_reference) == ("paid", "pi_1")
        assert order.processing_fee == 59
        assert statuses() == ["done", "done"]
        assert services.check_ledger() == []

    def test_who_paid_is_not_kept(self, send, order):
        send(paid(order))
        send(refunded(0))
        kept = json.dumps(list(PaymentEvent.objects.values_list("body", flat=True)))
        assert "buyer@example.test" not in kept
        assert "Somebody" not in kept

    def test_refunds_by_their_sum(self, send, order):
        send(paid(order))
        send(refunded(30_00))
        send(refunded(50_00))
        send(refunded(30_00))  # late
        order.refresh_from_db()
        assert order.refunded == 50_00
        services.refund_order(actor=None, order=order, amount=10_00)
        send(refunded(60_00))  # of the one begun here
        order.refresh_from_db()
        assert order.refunded == 60_00
        assert services.check_ledger() == []

    @pytest.mark.parametrize(("status", "wanted"), [("won", "seller"), ("lost", "buyer")])
    def test_disputes_to_their_end(self, send, order, status, wanted):
        send(paid(order))
        send(dispute("created", "needs_response"))
        found = Dispute.objects.get()
        assert (found.external_reference, found.fee) == ("du_1", 15_00)
        assert found.evidence_due_at.year == 2030
        send(dispute("closed", status))
        send(dispute("closed", status))
        found.refresh_from_db()
        assert found.status == f"resolved_{wanted}"
        assert services.check_ledger() == []

    @pytest.mark.parametrize("seed", range(4))
    def test_in_any_order(self, send, order, seed):
        told = [paid(order), dispute("created", "needs_response"), dispute("closed", "won")]
        told *= 2
        random.Random(seed).shuffle(told)
        for one in told:
            send(one)
        assert set(statuses()) == {"done"}
        order.refresh_from_db()
        assert Dispute.objects.get().status == "resolved_seller"
        assert order.status == "completed"
        assert services.check_ledger() == []

    def test_an_order_that_comes_later(self, send, order, as_user, superuser):
        Order.objects.filter(pk=order.pk).update(external_id="other")
        send(paid(order))
        assert statuses() == ["waiting"]
        Order.objects.filter(pk=order.pk).update(external_id="shop-7")
        PaymentEvent.objects.update(next_attempt_at="2020-01-01T00:00:00Z")
        assert payment_events.process_due() == 1
        assert statuses() == ["done"]

    def test_what_does_not_fit_is_listed_and_tried_again(self, send, order, as_user, superuser):
        send(paid(order, amount_received=1))
        send(paid(order, currency="usd"))
        send(paid(order))
        client = as_user(superuser)
        failed = client.get("/api/admin/payment-events?status=failed").json()["results"]
        assert len(failed) == 2
        order.refresh_from_db()
        assert order.status == "paid"
        url = f"/api/admin/payment-events/{failed[0]['id']}"
        assert client.get(url).json()["body"]["type"] == "payment_intent.succeeded"
        assert client.post(f"{url}/retry").json()["status"] == "pending"
        drain()
        assert client.get(url).json()["status"] == "failed"
        done = PaymentEvent.objects.get(status="done")
        problem(client.post(f"/api/admin/payment-events/{done.pk}/retry"), 409)

    def test_payouts_paid_and_returned(self, send):
        sold = factories.completed(factories.approved(price=100_00))
        payout = services.create_payout(actor=None, seller=sold.seller, currency="EUR")
        told = {
            "id": "po_1", "object": "payout", "amount": payout.amount, "currency": "eur",
            "metadata": {"payout": str(payout.pk)}, "failure_message": "closed account",
        }  # fmt: skip
        send(event("payout.paid", told | {"amount": 1}))
        send(event("payout.paid", told))
        send(event("payout.paid", told))
        payout.refresh_from_db()
        assert (payout.status, payout.reference) == ("paid", "po_1")
        send(event("payout.failed", told))
        send(event("payout.failed", told))
        payout.refresh_from_db()
        assert payout.status == "returned"
        assert statuses() == ["failed", "done", "done", "done", "done"]
        assert services.check_ledger() == []

    def test_currencies_without_a_smaller_unit(self):
        from marketplace.payment_notices import stripe_notice

        told = paid(Order(total=500), currency="isk", amount_received=50000, latest_charge="ch_1")
        assert stripe_notice(told).amount == 500
        told = paid(Order(total=500), currency="jpy", latest_charge="ch_1")
        assert stripe_notice(told).amount == 500


class TestAnyService:
    MAPPING = {
        "signature_header": "X-Signature",
        "timestamp_header": "X-Time",
        "prefix": "sha256=",
        "encoding": "base64",
        "event_id": "notification.id",
        "type": "notification.kind",
        "kinds": {"captured": "payment_succeeded", "refund": "refunded"},
        "fields": {
            "order": "payment.order",
            "reference": "payment.id",
            "amount": "payment.amount.value",
            "currency": "payment.amount.unit",
            "refunded_total": "payment.refunded",
        },
        "amounts": "major",
    }

    def post(self, client, told, secret="s3cret"):
        body, stamp = json.dumps(told), str(int(time.time()))
        signed = f"{stamp}.{body}".encode()
        digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
        return client.post(
            "/api/hooks/other-pay", body, content_type="application/json",
            headers={
                "X-Signature": "sha256=" + base64.b64encode(digest).decode(), "X-Time": stamp,
            },
        )  # fmt: skip

    def test_a_mapped_service(self, client, order, superuser):
        payment_hooks.save_payment_hook(
            actor=superuser, name="other-pay", scheme="hmac", secret="s3cret", mapping=self.MAPPING
        )
        told = {
            "notification": {"id": "n1", "kind": "captured"},
            "payment": {
                "id": "p1", "order": "shop-7",
                "amount": {"value": str(order.total / 100), "unit": "eur"},
            },
        }  # fmt: skip
        problem(self.post(client, told, secret="wrong"), 401)
        assert self.post(client, told).status_code == 200
        told["notification"] = {"id": "n2", "kind": "refund"}
        told["payment"]["refunded"] = "10.50"
        assert self.post(client, told).status_code == 200
        drain()
        order.refresh_from_db()
        assert (order.status, order.refunded) == ("paid", 10_50)
        assert statuses() == ["done", "done"]

    @pytest.mark.parametrize(
        "changed",
        [
            {"kinds": {"x": "nonsense"}},
            {"fields": {"nonsense": "a"}},
            {"algorithm": "md5"},
            {"signature_header": ""},
            {"surprise": "x"},
            {"fields": {"order": 7}},
        ],
    )
    def test_a_mapping_that_cannot_be_used(self, superuser, changed):
        from systemadmin.foundation.errors import InvalidInput

        with pytest.raises(InvalidInput) as refusal:
            payment_hooks.save_payment_hook(
                actor=superuser, name="x", scheme="hmac", secret="s",
                mapping=self.MAPPING | changed,
            )  # fmt: skip
        assert refusal.value.errors[0]["field"] == "mapping"


def test_a_member_sees_no_payment_events(as_user, hook):
    problem(as_user(UserFactory()).get("/api/admin/payment-events"), 403)
