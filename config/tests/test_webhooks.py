"""The outbox: written with what happened, delivered, retried, replayed, and never to the inside."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.db import transaction
from django.utils import timezone
from standardwebhooks import Webhook

from marketplace import services
from marketplace.tests import factories
from systemadmin import webhook_transport
from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import problem
from systemadmin.models import PublishedEvent, WebhookDelivery, WebhookEndpoint
from systemadmin.services import webhooks
from systemadmin.services.event_log import dispatch_events
from systemadmin.webhook_transport import Answer

pytestmark = pytest.mark.django_db


@pytest.fixture
def wire(monkeypatch):
    """Collects what would be sent and answers as told."""

    class Wire:
        sent, status, error = [], 200, ""

        def send(self, url, body, headers, **_options):
            self.sent.append((url, body, headers))
            return Answer(self.status, self.error, "ok", 5)

    made = Wire()
    made.sent = []
    monkeypatch.setattr(webhook_transport, "send", made.send)
    return made


@pytest.fixture
def endpoint():
    made, secret = webhooks.create_endpoint(
        actor=factories.root(), url="https://hooks.example.test/in"
    )
    made.plain = secret
    return made


def test_orders_products_and_payouts_are_told_and_verify(endpoint, wire):
    order = factories.completed()
    payout = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    services.pay_payout(actor=factories.root(), payout=payout)
    drain()
    kinds = [json.loads(body)["type"] for _url, body, _headers in wire.sent]
    assert kinds == [
        "product.submitted",
        "product.approved",
        "order.created",
        "order.paid",
        "order.completed",
        "payout.created",
        "payout.paid",
    ]
    for _url, body, headers in wire.sent:
        told = Webhook(endpoint.plain).verify(body, headers)
        assert set(told) == {"id", "type", "timestamp", "sequence", "data"}
        assert len(body) < 20_000
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"sent"}


def test_nothing_is_told_of_what_was_rolled_back(endpoint):
    with transaction.atomic():
        factories.order()
        transaction.set_rollback(True)
    assert not PublishedEvent.objects.exists()


def test_only_what_was_asked_for(wire):
    webhooks.create_endpoint(
        actor=factories.root(), url="https://a.example.test/", event_types=["order.paid"]
    )
    factories.completed()
    drain()
    assert [json.loads(body)["type"] for _url, body, _h in wire.sent] == ["order.paid"]


def due_now(delivery):
    WebhookDelivery.objects.filter(pk=delivery.pk).update(next_attempt_at=timezone.now())


def test_failures_are_retried_by_the_table_and_then_given_up(endpoint, wire):
    wire.status = 500
    services.submit_product(actor=factories.root(), product=factories.draft())
    dispatch_events()
    delivery = WebhookDelivery.objects.get()
    waits = []
    for _ in range(len(webhooks.RETRY_SECONDS) + 1):
        due_now(delivery)
        webhooks.OUTBOX.deliver(delivery.pk)
        delivery.refresh_from_db()
        if delivery.next_attempt_at:
            waits.append((delivery.next_attempt_at - timezone.now()).total_seconds())
    assert delivery.status == "failed"
    for waited, wanted in zip(waits, webhooks.RETRY_SECONDS, strict=True):
        assert wanted - 5 <= waited <= wanted * 1.1 + 1
    assert delivery.log.count() == 10
    assert not webhooks.OUTBOX.deliver(delivery.pk)


def test_gone_switches_the_endpoint_off(endpoint, wire):
    wire.status = 410
    services.submit_product(actor=factories.root(), product=factories.draft())
    drain()
    endpoint.refresh_from_db()
    assert (endpoint.is_active, WebhookDelivery.objects.get().status) == (False, "failed")
    assert endpoint.disabled_reason


def test_two_workers_send_once(endpoint, wire):
    services.submit_product(actor=factories.root(), product=factories.draft())
    dispatch_events()
    delivery = WebhookDelivery.objects.get()
    webhooks.OUTBOX.deliver(delivery.pk)
    webhooks.OUTBOX.deliver(delivery.pk)
    assert len(wire.sent) == 1


def test_a_worker_that_died_is_followed_by_another(endpoint, wire):
    services.submit_product(actor=factories.root(), product=factories.draft())
    dispatch_events()
    delivery = WebhookDelivery.objects.get()
    # Claimed, and never heard of again.
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        attempts=1, next_attempt_at=timezone.now() - timedelta(seconds=1)
    )
    assert webhooks.OUTBOX.deliver_due() == [True]
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("sent", 2)


def test_replay_keeps_the_message_id(endpoint, wire, as_user, staff):
    services.submit_product(actor=factories.root(), product=factories.draft())
    drain()
    operator = as_user(staff("operator"))
    first = operator.get("/api/admin/webhook-deliveries").json()["results"][0]
    detail = operator.get(f"/api/admin/webhook-deliveries/{first['id']}").json()
    assert detail["attempts"][0]["status_code"] == 200
    again = operator.post(f"/api/admin/webhook-deliveries/{first['id']}/replay")
    assert (again.status_code, again.json()["replay_of"]) == (201, first["id"])
    drain()
    ids = {headers["webhook-id"] for _url, _body, headers in wire.sent}
    assert (len(wire.sent), len(ids)) == (2, 1)


def test_rotation_signs_with_both(endpoint, wire, as_user, staff):
    operator = as_user(staff("operator"))
    url = f"/api/admin/webhook-endpoints/{endpoint.pk}"
    secret = operator.post(f"{url}/rotate-secret").json()["secret"]
    services.submit_product(actor=factories.root(), product=factories.draft())
    drain()
    _url, body, headers = wire.sent[0]
    Webhook(secret).verify(body, headers)
    Webhook(endpoint.plain).verify(body, headers)
    WebhookEndpoint.objects.update(previous_secret_until=timezone.now())
    endpoint.refresh_from_db()
    assert webhooks.signing_secrets(endpoint) == [secret]


def test_endpoints_over_http(as_user, staff):
    operator = as_user(staff("operator"))
    made = operator.post("/api/admin/webhook-endpoints", {"url": "https://x.example.test/h"})
    assert made.json()["secret"].startswith("whsec_")
    url = f"/api/admin/webhook-endpoints/{made.json()['endpoint']['id']}"
    assert "secret" not in operator.get(url).json()
    assert operator.patch(url, {"is_active": False}).json()["is_active"] is False
    problem(operator.patch(url, {"event_types": ["nothing"]}), 400)
    for bad in ("http://x.example.test/", "https://u:p@x.example.test/", "ftp://x"):
        problem(operator.post("/api/admin/webhook-endpoints", {"url": bad}), 400, field="url")
    assert operator.delete(url).status_code == 204


class Receiver(BaseHTTPRequestHandler):
    """A receiver that keeps what it gets and answers by path."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, body, dict(self.headers)))
        status = 302 if self.path == "/moved" else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/inside")
        self.end_headers()
        self.wfile.write(b"thanks\x00")

    def log_message(self, *args):
        """Keep quiet."""


@pytest.fixture
def receiver():
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.got = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_real_transport(receiver):
    base = f"http://127.0.0.1:{receiver.server_port}"
    options = {"timeout": 5, "allow_private": True}
    answer = webhook_transport.send(f"{base}/in?x=1", b"{}", {"webhook-id": "1"}, **options)
    assert (answer.status, answer.error, answer.excerpt) == (200, "", "thanks")
    path, body, headers = receiver.got[0]
    assert (path, body, headers["webhook-id"]) == ("/in?x=1", b"{}", "1")
    moved = webhook_transport.send(f"{base}/moved", b"{}", {}, **options)
    assert (moved.status, len(receiver.got)) == (302, 2)
    refused = webhook_transport.send(f"{base}/in", b"{}", {}, timeout=5, allow_private=False)
    assert refused.status is None
    assert len(receiver.got) == 2
    nobody = webhook_transport.send("http://127.0.0.1:9/", b"{}", {}, **options)
    assert nobody.status is None
    assert nobody.error


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://fec0.example/@", "https://[fec0::1]/"]
)
def test_an_address_inside_is_refused_when_saved_and_the_field_is_named(as_user, superuser, url):
    sent = as_user(superuser).post("/api/admin/webhook-endpoints", {"url": url})
    if "example" in url:
        assert sent.status_code == 201
    else:
        problem(sent, 400, field="url")
        assert "webhooks.private_addresses" in sent.json()["errors"][0]["detail"]
    assert WebhookEndpoint.objects.count() == ("example" in url)


def test_an_address_that_no_setting_allows_names_none(as_user, superuser):
    url = "https://user:pass@x.example/"
    sent = as_user(superuser).post("/api/admin/webhook-endpoints", {"url": url})
    assert sent.status_code == 400
    assert "private_addresses" not in sent.json()["errors"][0]["detail"]
