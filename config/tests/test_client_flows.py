"""One complete flow for each desk, through the generated Python client, against a live server."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission

from config.tests.clients import Refused
from marketplace.tests.conftest import ledger_db  # noqa: F401 (a fixture)
from marketplace.tests.factories import category, rule
from riskops.scores.recompute import recompute_touched
from systemadmin.foundation.configuration import setting
from systemadmin.tests.factories import PASSWORD, UserFactory, totp_code, totp_device_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def models(library):
    """The generated types."""
    return library.models


@pytest.fixture
def client_of(live_server, settings, library, models):
    """`client_of(user)`: a caller that signed in with password, and with the second factor."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.REQUIRE_STAFF_2FA = True

    def sign_in(user):
        credentials = models.LoginInputRequest(username=user.username, password=PASSWORD)
        if user.is_staff:
            credentials.otp_code = totp_code(totp_device_for(user))
        answer = library.caller(live_server.url).login(body=credentials)
        return library.caller(live_server.url, answer.token)

    return sign_in


def events_of(caller):
    """Yield (event, data) of the stream of messages; resume after the last one when it ends."""
    http, last = caller.http.get_httpx_client(), ""
    while True:
        with http.stream("GET", "/api/messages/stream", headers={"Last-Event-ID": last}) as answer:
            answer.raise_for_status()
            event = {}
            for line in answer.iter_lines():
                name, _colon, value = line.partition(": ")
                if line:
                    event[name] = value
                elif "data" in event:
                    last = event.get("id", last)
                    yield event["event"], json.loads(event["data"])
                    event = {}


def test_a_ticket_is_opened_answered_resolved_and_rated(client_of, models, library, member, staff):
    marta, agent = client_of(member), client_of(staff("support_agent"))
    receipt = library.types.File(io.BytesIO(b"Paid 20.00"), "receipt.txt", "text/plain")
    ticket = marta.create_ticket(
        body=models.MemberTicketInputFormRequest(
            subject="Lost parcel", body="It never came.", attachments=[receipt]
        )
    )
    assert ticket.status == "new"
    assert [file.name for file in ticket.replies[0].attachments] == ["receipt.txt"]

    new = [models.ListTicketsAsStaffStatusItem.NEW]
    waiting = next(
        one for one in agent.pages("list_tickets_as_staff", status=new) if one.id == ticket.id
    )
    reply = agent.reply_to_ticket_as_staff(
        waiting.id, body=models.StaffReplyInputRequest(body="We are looking into it.")
    )
    agent.reply_to_ticket_as_staff(
        waiting.id,
        body=models.StaffReplyInputRequest(body="Courier was late before.", internal=True),
    )
    with pytest.raises(Refused) as refused:
        agent.reply_to_ticket_as_staff(
            waiting.id,
            body=models.StaffReplyInputRequest(body="Me too.", expected_last_reply=reply.id - 1),
        )
    assert refused.value.status == 409

    seen = marta.get_ticket(ticket.id)
    assert [one.body for one in seen.replies] == ["It never came.", "We are looking into it."]
    marta.reply_to_ticket(
        ticket.id, body=models.MemberReplyInputRequest(body="It came, thank you.")
    )

    agent.get_ticket_as_staff(ticket.id)
    read = agent.last_headers["ETag"]
    resolved = models.PatchedTicketChangesInputRequest(status=models.TicketStatusEnum.RESOLVED)
    agent.update_ticket(ticket.id, body=resolved, if_match=read)
    with pytest.raises(Refused) as stale:
        agent.update_ticket(
            ticket.id,
            body=models.PatchedTicketChangesInputRequest(priority=models.TicketPriorityEnum.LOW),
            if_match=read,
        )
    assert stale.value.status == 412
    rating = models.TicketRatingInputRequest(score=5, comment="Quick.")
    assert marta.rate_ticket(ticket.id, body=rating).score == 5
    assert marta.get_ticket(ticket.id).rating.comment == "Quick."


@pytest.mark.usefixtures("ledger_db")
def test_a_product_is_approved_ordered_paid_completed_and_refunded(
    client_of, models, member, other_member, staff, superuser
):
    shelf = category("Home")
    rule(name="Ten percent", percent_bp=1000)
    seller, buyer = client_of(member), client_of(other_member)
    moderator, payments = client_of(staff("marketplace_moderator")), client_of(superuser)

    lamp = seller.create_product(
        body=models.ProductInputRequest(
            category=shelf.id, title="Olive lamp", price=20_00, currency="EUR", stock=3
        )
    )
    with pytest.raises(Refused) as unseen:
        buyer.get_product(lamp.id)
    assert unseen.value.status == 404
    seller.submit_product(lamp.id)
    assert moderator.approve_product(lamp.id).status == "approved"
    assert [one.title for one in buyer.pages("list_products", search="olive")] == ["Olive lamp"]

    wanted = models.OrderInputRequest(product=lamp.id, quantity=2)
    order = buyer.create_order(body=wanted, idempotency_key="cart-1")
    again = buyer.create_order(body=wanted, idempotency_key="cart-1")
    assert again.id == order.id
    assert order.total == 40_00
    with pytest.raises(Refused) as forbidden:
        buyer.pay_order(order.id)
    assert forbidden.value.status == 403
    paid = models.PayInputRequest(reference="pay-1")
    assert payments.pay_order(order.id, body=paid).status == "paid"
    assert payments.complete_order(order.id).status == "completed"
    refund = payments.refund_order(
        order.id, body=models.RefundInputRequest(amount=10_00, reason="Scratched.")
    )
    assert refund.amount == 10_00
    assert buyer.get_order(order.id).refunded == 10_00
    entries = list(payments.pages("list_ledger_entries", order=order.id))
    assert entries
    assert sum(one.amount for one in entries) == 0


def test_events_become_a_risk_score(client_of, models, member, staff):
    service = UserFactory(username="shop-service")
    service.user_permissions.add(Permission.objects.get(codename="ingest_events"))
    shop, analyst = client_of(service), client_of(staff("risk_analyst"))
    before = analyst.calculate_risk_score(member.id)

    moment = datetime.now(UTC) - timedelta(minutes=5)
    rows = models.EventBatchBodyRequest(
        events=[
            models.EventRowRequest(
                kind=models.EventKindEnum.LOGIN_FAILED,
                occurred_at=moment,
                external_id=f"failed-{number}",
                account=member.id,
                ip="203.0.113.9",
            )
            for number in range(20)
        ]
    )
    result = shop.send_events(body=rows)
    assert {one.status for one in result.results} == {"recorded"}
    twice = shop.send_events(body=rows)
    assert {one.status for one in twice.results} == {"duplicate"}
    recompute_touched()

    score = analyst.get_risk_score(member.id)
    assert score.score > before.score
    assert score.breakdown[0].points > 0
    assert score.calculated_at > moment
    with pytest.raises(Refused) as forbidden:
        shop.get_risk_score(member.id)
    assert forbidden.value.status == 403


def test_a_message_is_sent_streamed_and_read(client_of, models, member, other_member):
    marta, oscar = client_of(member), client_of(other_member)
    events = events_of(oscar)
    assert next(events)[0] == "ready"
    sent = marta.send_message(
        body=models.SendInputRequest(recipient=other_member.id, body="Is the lamp still there?")
    )
    assert oscar.get_unread_count().unread_count == 1
    arrived = next(data for event, data in events if event == "message")
    assert arrived["message"]["body"] == "Is the lamp still there?"
    events.close()

    assert oscar.list_conversations().results[0].user.id == member.id
    assert [one.id for one in oscar.pages("list_messages", user_id=member.id)] == [sent.id]
    oscar.read_message(sent.id)
    assert oscar.get_unread_count().unread_count == 0


def test_the_operator_changes_a_setting_and_asks_for_a_backup(client_of, models, staff):
    operator = client_of(staff("operator"))
    changes = models.ChangeSettingsBody.from_dict(
        {"ratelimit.read": "50/m", "reason": "A quiet week."}
    )
    changed = operator.change_settings(body=changes)
    assert next(one for one in changed.results if one.key == "ratelimit.read").value == "50/m"
    assert setting("ratelimit.read") == "50/m"
    newest = operator.list_setting_changes().results[0]
    assert (newest.key, newest.old, newest.new) == ("ratelimit.read", "100/m", "50/m")

    wanted = models.BackupInputRequest(note="Before the upgrade.")
    backup = operator.create_backup(body=wanted)
    assert backup.status == "queued"
    assert backup.id in [one.id for one in operator.pages("list_backups")]
    with pytest.raises(Refused) as refused:
        operator.create_backup(body=models.BackupInputRequest(note="Another."))
    assert refused.value.status == 409


def test_signing_out_ends_the_token(client_of, member):
    marta = client_of(member)
    assert marta.get_me().username == member.username
    marta.logout()
    with pytest.raises(Refused) as refused:
        marta.get_me()
    assert refused.value.status == 401


def test_pages_of_both_kinds_come_to_an_end(client_of, models, member):
    marta = client_of(member)
    for number in range(5):
        marta.create_ticket(
            body=models.MemberTicketInputRequest(subject=f"Question {number}", body="Hello?")
        )
    assert marta.list_tickets(page_size=2).count == 5
    numbered = [ticket.id for ticket in marta.pages("list_tickets", page_size=2)]
    assert len(numbered) == len(set(numbered)) == 5
    shelf = category("Home")
    for number in range(5):
        marta.create_product(
            body=models.ProductInputRequest(
                category=shelf.id, title=f"Lamp {number}", price=20_00, currency="EUR"
            )
        )
    by_cursor = [product.id for product in marta.pages("list_my_products", page_size=2)]
    assert len(by_cursor) == len(set(by_cursor)) == 5
