"""The event log: every desk publishes, nothing is missed, messages are as the schema says."""

import json
import threading
from io import StringIO

import jsonschema_rs
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections, transaction
from standardwebhooks import Webhook

from config.tests.schema_watch import document
from config.tests.test_webhooks import endpoint, wire  # noqa: F401 - fixtures
from marketplace import services as market
from marketplace.tests import factories as shop
from messaging import services as messaging
from messaging.tests.factories import old_member, send
from riskops.announcements import announce_levels
from support.services import rate_ticket, reply_as_customer, reply_as_staff
from support.tests.factories import make_agent, make_ticket
from systemadmin.events import database_restored
from systemadmin.foundation import plugins
from systemadmin.foundation.published_events import event_kinds
from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import problem
from systemadmin.models import EventCounter, PublishedEvent, WebhookDelivery
from systemadmin.services import publish_event, reinstate_user, suspend_user
from systemadmin.services.event_log import RESTORE_STEP, dispatch_events
from systemadmin.services.maintenance import disable_maintenance, enable_maintenance
from systemadmin.tests.factories import UserFactory

LEVEL = {"level": "high", "previous_level": "low", "score": 70}


def publish(number, **about):
    publish_event("risk.level_changed", key=f"k{number}", data={"user": 1, **LEVEL, **about})


def kinds():
    return list(PublishedEvent.objects.order_by("id").values_list("kind", flat=True))


@pytest.mark.django_db
class TestWhatIsPublished:
    def test_support(self):
        agent, ticket = make_agent(), make_ticket()
        reply_as_customer(author=ticket.requester, ticket=ticket, body="More")
        reply_as_staff(actor=agent, ticket=ticket, body="secret", internal=True)
        reply_as_staff(actor=agent, ticket=ticket, body="Answer", status="resolved")
        rate_ticket(user=ticket.requester, ticket=ticket, score=5)
        found = [kind for kind in kinds() if kind != "ticket.status_changed"]
        assert found == ["ticket.opened", "ticket.replied", "ticket.replied", "ticket.rated"]
        last = PublishedEvent.objects.get(kind="ticket.rated")
        assert (last.data["score"], last.user_id) == (5, ticket.requester_id)
        assert "secret" not in json.dumps(list(PublishedEvent.objects.values_list("data")))

    def test_messages_and_accounts(self, superuser):
        one, two = old_member(), old_member()
        message = send(one, two, "Buy this")
        report = messaging.report_message(actor=two, message=message, reason="spam", note="x")
        messaging.dismiss_report(actor=superuser, report=report, resolution="Fine")
        suspend_user(actor=superuser, user=one, reason="Spam")
        reinstate_user(actor=superuser, user=one)
        enable_maintenance(actor=superuser, message="Soon")
        disable_maintenance(actor=superuser)
        assert kinds() == [
            "message.reported", "message.report_handled", "user.suspended", "user.reinstated",
            "maintenance.enabled", "maintenance.disabled",
        ]  # fmt: skip

    def test_refunds_say_their_amount_and_disputes_what_they_are(self):
        product = shop.approved(price=100_00)
        order = shop.completed(product)
        market.refund_order(actor=None, order=order, amount=30_00)
        market.record_chargeback(actor=None, order=order, reference="du_1", amount=70_00, fee=15_00)
        refund = PublishedEvent.objects.get(kind="order.refunded").data
        assert (refund["refund_amount"], refund["refunded"]) == (30_00, 30_00)
        dispute = PublishedEvent.objects.get(kind="order.dispute_opened").data
        assert (dispute["charged_back"], dispute["fee"]) == (70_00, 15_00)
        assert dispute["dispute_source"] == "payment_service"

    def test_levels_in_bulk_once_each(self):
        announce_levels([(1, "high", "low", 70), (2, "low", "high", 10)])
        assert kinds() == ["risk.level_changed"] * 2

    def test_what_is_not_declared_is_refused(self):
        with pytest.raises(ValueError, match="surprise"):
            publish(1, surprise=2)
        with pytest.raises(KeyError):
            publish_event("no.such", key="k", data={})

    def test_the_same_key_is_one_event(self):
        publish(1)
        publish(1)
        assert PublishedEvent.objects.count() == 1


@pytest.mark.django_db
class TestReading:
    def test_pages_and_filters(self, as_user, staff):
        member = UserFactory(external_id="u-7")
        for number in range(5):
            publish(number, user=member.pk)
        publish_event("user.verified", key="v", data={"user": 1, "suspended_until": None})
        auditor = as_user(staff("auditor"))
        first = auditor.get("/api/admin/events?page_size=4").json()
        assert [row["sequence"] for row in first["results"]] == [1, 2, 3, 4]
        assert first["results"][0]["data"]["user_external_id"] == "u-7"
        rest = auditor.get(first["next"]).json()["results"]
        assert [row["type"] for row in rest] == ["risk.level_changed", "user.verified"]
        missed = auditor.get("/api/admin/events?after=4").json()["results"]
        assert missed == rest
        only = auditor.get("/api/admin/events?type=user.verified").json()["results"]
        assert [row["sequence"] for row in only] == [6]
        problem(auditor.get("/api/admin/events?type=no.such"), 400, field="type")

    def test_ids_of_people_are_masked_for_some(self, as_user, staff):
        publish(1, user=UserFactory(external_id="platform-7").pk)
        answer = as_user(staff("operator")).get("/api/admin/events")
        assert "platform-7" not in answer.content.decode()

    def test_who_comes_too_late_hears_it(self, as_user, superuser):
        for number in range(4):
            publish(number)
        client = as_user(superuser)
        client.get("/api/admin/events")
        PublishedEvent.objects.filter(sequence__lte=3).delete()
        for wrong in ("-1", "", "x"):
            problem(client.get(f"/api/admin/events?after={wrong}"), 400, field="after")
        gone = problem(client.get("/api/admin/events?after=1"), 410, "events_gone")
        assert gone["oldest"] == 4
        assert len(client.get("/api/admin/events?after=3").json()["results"]) == 1

    def test_queries_do_not_grow(self, as_user, superuser, django_assert_num_queries):
        def count(size):
            from django.test.utils import CaptureQueriesContext

            with CaptureQueriesContext(connection) as found:
                as_user(superuser).get(f"/api/admin/events?page_size={size}")
            return len(found)

        for number in range(12):
            publish(number, user=UserFactory().pk)
        count(1)
        assert count(1) == count(12)

    def test_a_restored_log_goes_on_beyond_what_was_seen(self):
        publish(1)
        dispatch_events()
        publish(2)
        database_restored.send(sender=None)
        publish(3)
        dispatch_events()
        found = list(PublishedEvent.objects.order_by("id").values_list("sequence", flat=True))
        assert found == [1, 2, 3 + RESTORE_STEP]


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_a_transaction_that_commits_late_is_not_missed():
    """The row with the lower id commits after the reader has passed the higher one."""
    wrote, go_on = threading.Event(), threading.Event()

    def slow():
        try:
            with transaction.atomic():
                publish("slow")
                wrote.set()
                assert go_on.wait(30)
        finally:
            connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    assert wrote.wait(30)
    publish("quick")
    dispatch_events()
    seen = PublishedEvent.objects.numbered().get()
    go_on.set()
    thread.join(30)
    dispatch_events()
    late = PublishedEvent.objects.after(seen.sequence, None).get()
    assert (seen.key, late.key) == ("kquick", "kslow")
    assert late.pk < seen.pk
    assert (seen.sequence, late.sequence) == (1, 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_many_dispatchers_give_each_number_once():
    from systemadmin.foundation.testing import run_threads

    for number in range(30):
        publish(number)
    outcomes = run_threads(lambda _i: dispatch_events(), 5)
    assert sum(outcomes) == 30
    found = PublishedEvent.objects.order_by("sequence").values_list("sequence", flat=True)
    assert list(found) == list(range(1, 31))
    assert EventCounter.objects.get().last == 30


@pytest.mark.django_db
class TestWebhooksOfTheLog:
    def test_replay_of_what_was_missed(self, endpoint, wire, as_user, staff):  # noqa: F811
        for number in range(3):
            publish(number)
        drain()
        lost = WebhookDelivery.objects.order_by("id")[1]
        WebhookDelivery.objects.filter(pk=lost.pk).update(status="failed")
        operator = as_user(staff("operator"))
        url = f"/api/admin/webhook-endpoints/{endpoint.pk}/replay"
        problem(operator.post(url, {}), 400, field="after")
        assert operator.post(url, {"after": 0}).json() == {"queued": 1}
        drain()
        assert json.loads(wire.sent[-1][1])["sequence"] == 2
        assert operator.post(url, {"after": 0}).json() == {"queued": 0}
        out = StringIO()
        call_command("replay_events", str(endpoint.pk), "--after", "1", "--everything", stdout=out)
        assert out.getvalue().startswith("2 events")
        with pytest.raises(CommandError):
            call_command("replay_events", "999", "--after", "1")

    def test_a_test_event_is_marked_and_not_in_the_log(
        self,
        endpoint,  # noqa: F811
        wire,  # noqa: F811
        as_user,
        staff,
    ):
        out = StringIO()
        call_command("send_test_event", "order.paid", stdout=out)
        assert "sent" in out.getvalue()
        url = f"/api/admin/webhook-endpoints/{endpoint.pk}/test"
        operator = as_user(staff("operator"))
        assert operator.post(url, {"type": "ticket.opened"}).status_code == 201
        problem(operator.post(url, {"type": "no.such"}), 400, field="type")
        drain()
        told = [Webhook(endpoint.plain).verify(body, heads) for _url, body, heads in wire.sent]
        assert [(one["type"], one["test"]) for one in told] == [
            ("order.paid", True), ("ticket.opened", True),
        ]  # fmt: skip
        assert operator.get("/api/admin/events").json()["results"] == []
        wire.status = 500
        with pytest.raises(CommandError):
            call_command("send_test_event", "order.paid", stdout=out)


@pytest.mark.django_db
def test_every_kind_is_in_the_schema_and_its_example_fits():
    schema = document()
    assert list(schema["webhooks"]) == list(event_kinds())
    for name, item in schema["webhooks"].items():
        media = item["post"]["requestBody"]["content"]["application/json"]
        (example,) = [one["value"] for one in media["examples"].values()]
        shape = {**media["schema"], "components": schema["components"]}
        jsonschema_rs.validate(shape, example)
        assert example["type"] == name
        assert set(example["data"]) == set(event_kinds()[name].payload().fields)


@pytest.mark.django_db
def test_an_erasure_leaves_numbers_and_no_words(superuser):
    product = shop.draft(title="My very own bicycle")
    market.submit_product(actor=product.seller, product=product)
    tables = {table.model: table for module in plugins.modules("personal_data")
              for table in module.TABLES}  # fmt: skip
    erase = tables[PublishedEvent].erase
    assert erase(product.seller) == 1
    assert erase(product.seller) == 0
    event = PublishedEvent.objects.get()
    assert (event.data["title"], event.data["id"], event.user) == ("", product.pk, None)
