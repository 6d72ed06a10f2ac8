"""One complete flow for each desk, through the client, against a running server."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission

from config.client import Client, Conflict, Forbidden, NotFound, NotSignedIn, StaleVersion
from marketplace.tests.conftest import ledger_db  # noqa: F401 (a fixture)
from marketplace.tests.factories import category, rule
from riskops.services.recompute import recompute_touched
from systemadmin.foundation.configuration import setting
from systemadmin.tests.factories import PASSWORD, UserFactory, totp_code, totp_device_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client_of(live_server, settings):
    """`client_of(user)`: a client that signed in with password, and with the second factor."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.REQUIRE_STAFF_2FA = True
    opened = []

    def sign_in(user):
        client = Client(live_server.url, language="en")
        opened.append(client)
        if user.is_staff:
            client.login(user.username, PASSWORD, otp_code=totp_code(totp_device_for(user)))
        else:
            client.login(user.username, PASSWORD)
        return client

    yield sign_in
    for client in opened:
        client.close()


def test_a_ticket_is_opened_answered_resolved_and_rated(client_of, member, staff):
    marta, agent = client_of(member), client_of(staff("support_agent"))
    ticket = marta.tickets.create(
        subject="Lost parcel", body="It never came.", attachments=[("receipt.txt", b"Paid 20.00")]
    )
    assert ticket.status == "new"
    assert [file.name for file in ticket.replies[0].attachments] == ["receipt.txt"]

    waiting = next(one for one in agent.admin.tickets.list(status=["new"]) if one.id == ticket.id)
    reply = agent.admin.tickets.reply(waiting.id, body="We are looking into it.")
    agent.admin.tickets.reply(waiting.id, body="Courier was late before.", internal=True)
    with pytest.raises(Conflict) as refused:
        agent.admin.tickets.reply(waiting.id, body="Me too.", expected_last_reply=reply.id - 1)
    assert refused.value.status == 409

    seen = marta.tickets.get(ticket.id)
    assert [one.body for one in seen.replies] == ["It never came.", "We are looking into it."]
    marta.tickets.reply(ticket.id, body="It came, thank you.")

    read = agent.admin.tickets.get(ticket.id)
    agent.admin.tickets.update(ticket.id, status="resolved", if_match=read)
    with pytest.raises(StaleVersion):
        agent.admin.tickets.update(ticket.id, priority="low", if_match=read)
    assert marta.tickets.rating(ticket.id, score=5, comment="Quick.").score == 5
    assert marta.tickets.get(ticket.id).rating.comment == "Quick."


@pytest.mark.usefixtures("ledger_db")
def test_a_product_is_approved_ordered_paid_completed_and_refunded(
    client_of, member, other_member, staff, superuser
):
    shelf = category("Home")
    rule(name="Ten percent", percent_bp=1000)
    seller, buyer = client_of(member), client_of(other_member)
    moderator, payments = client_of(staff("marketplace_moderator")), client_of(superuser)

    lamp = seller.products.create(
        title="Olive lamp", price=20_00, currency="EUR", category=shelf.id, stock=3
    )
    with pytest.raises(NotFound):
        buyer.products.get(lamp.id)
    seller.products.submit(lamp.id)
    assert moderator.admin.products.approve(lamp.id).status == "approved"
    assert [one.title for one in buyer.products.list(search="olive")] == ["Olive lamp"]

    order = buyer.orders.create(product=lamp.id, quantity=2, idempotency_key="cart-1")
    again = buyer.orders.create(product=lamp.id, quantity=2, idempotency_key="cart-1")
    assert again.id == order.id
    assert order.total == 40_00
    with pytest.raises(Forbidden):
        buyer.admin.orders.pay(order.id)
    assert payments.admin.orders.pay(order.id, reference="pay-1").status == "paid"
    assert payments.admin.orders.complete(order.id).status == "completed"
    refund = payments.admin.orders.refund(order.id, amount=10_00, reason="Scratched.")
    assert refund.amount == 10_00
    assert buyer.orders.get(order.id).refunded == 10_00
    entries = list(payments.admin.ledger.list(order=order.id))
    assert sum(one.amount for one in entries) == 0


def test_events_become_a_risk_score(client_of, member, staff):
    service = UserFactory(username="shop-service")
    service.user_permissions.add(Permission.objects.get(codename="ingest_events"))
    shop, analyst = client_of(service), client_of(staff("risk_analyst"))
    before = analyst.admin.users.risk_score_calculate(member.id)

    moment = datetime.now(UTC) - timedelta(minutes=5)
    rows = [
        {
            "kind": "login_failed",
            "account": member.id,
            "occurred_at": moment,
            "external_id": f"failed-{number}",
            "ip": "203.0.113.9",
        }
        for number in range(20)
    ]
    result = shop.events.create(events=rows)
    assert {one.status for one in result.results} == {"recorded"}
    twice = shop.events.create(events=rows)
    assert {one.status for one in twice.results} == {"duplicate"}
    recompute_touched()

    score = analyst.admin.users.risk_score(member.id)
    assert score.score > before.score
    assert score.breakdown[0].points > 0
    assert score.calculated_at > moment
    with pytest.raises(Forbidden):
        shop.admin.users.risk_score(member.id)


def test_a_message_is_sent_streamed_and_read(client_of, member, other_member):
    marta, oscar = client_of(member), client_of(other_member)
    events = oscar.listen()
    assert next(events).event == "ready"
    sent = marta.messages.send(recipient=other_member.id, body="Is the lamp still there?")
    assert oscar.messages.unread_count().unread_count == 1
    arrived = next(event for event in events if event.event == "message")
    assert arrived.data["message"]["body"] == "Is the lamp still there?"
    events.close()

    assert oscar.messages.conversations().first().user.id == member.id
    assert [one.id for one in oscar.messages.with_user(member.id)] == [sent.id]
    oscar.messages.read(sent.id)
    assert oscar.messages.unread_count().unread_count == 0


def test_the_operator_changes_a_setting_and_asks_for_a_backup(client_of, staff, monkeypatch):
    operator = client_of(staff("operator"))
    changed = operator.admin.config.replace(
        body={"ratelimit.read": "50/m", "reason": "A quiet week."}
    )
    assert next(one for one in changed.results if one.key == "ratelimit.read").value == "50/m"
    assert setting("ratelimit.read") == "50/m"
    newest = operator.admin.config.history().first()
    assert (newest.key, newest.old, newest.new) == ("ratelimit.read", "100/m", "50/m")

    backup = operator.admin.backup.create(note="Before the upgrade.")
    assert backup.status == "queued"
    assert backup.id in [one.id for one in operator.admin.backups.list()]
    with pytest.raises(Conflict):
        operator.admin.backup.create(note="Another.")


def test_signing_out_ends_the_token(client_of, member):
    marta = client_of(member)
    token = marta.token
    marta.logout()
    marta._transport.token = token
    with pytest.raises(NotSignedIn):
        marta.auth.me()


def test_pages_of_both_kinds_come_to_an_end(client_of, member):
    marta = client_of(member)
    for number in range(5):
        marta.tickets.create(subject=f"Question {number}", body="Hello?")
    numbered = marta.tickets.list(page_size=2)
    assert numbered.count() == 5
    assert len({ticket.id for ticket in numbered}) == 5
    shelf = category("Home")
    for number in range(5):
        marta.products.create(
            title=f"Lamp {number}", price=20_00, currency="EUR", category=shelf.id
        )
    by_cursor = marta.products.mine(page_size=2)
    assert by_cursor.count() is None
    assert len({product.id for product in by_cursor}) == 5
