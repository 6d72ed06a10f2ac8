"""Tickets of a confined category or mailbox are read by its named readers and by nobody else."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import NoReverseMatch, get_resolver, reverse
from django.utils import timezone

from config.tests.routes import readable, walk
from support.models import (
    FileLink,
    InboundMessage,
    OutboundMessage,
    SlaBreach,
    Ticket,
    TicketRating,
)
from support.querysets.reports import build_report
from support.services import link_tickets, reply_as_staff, update_ticket
from support.services.participants import add_participant
from support.tests.factories import make_agent, make_category, make_mailbox, make_ticket
from support.tests.mail_texts import mail, multipart, receive
from systemadmin.foundation.queue import drain
from systemadmin.models import Alert, AuditEntry

pytestmark = pytest.mark.django_db
SECRET = "SALARYSECRET"


@pytest.fixture
def agent(db):
    """An agent who is no reader."""
    return make_agent(username="ada")


@pytest.fixture
def reader(db):
    return make_agent(username="hr")


@pytest.fixture(params=["category", "mailbox"])
def closed(request, reader, agent):
    """A ticket with everything on it that a ticket can have, which only `reader` reads."""
    category = make_category("hr", is_confined=request.param == "category")
    box = make_mailbox("hr@atalaya.test", category=category,
                       is_confined=request.param == "mailbox")  # fmt: skip
    (category if request.param == "category" else box).readers.add(reader)
    head = f'Content-Type: text/plain\nContent-Disposition: attachment; filename="{SECRET}.txt"'
    message = receive(
        box,
        multipart(("Content-Type: text/html", f"<p>{SECRET} <img src='cid:a'>"), (head, SECRET),
                  sender=f"{SECRET.lower()}@c.test", subject=SECRET, Cc=f"x{SECRET}@c.test"),
    )  # fmt: skip
    ticket = message.ticket
    reply = reply_as_staff(actor=reader, ticket=ticket, body=SECRET, to_all=True)
    update_ticket(actor=reader, ticket=ticket, changes={"assignee": reader, "status": "resolved"})
    now = timezone.now()
    SlaBreach.objects.create(
        ticket=ticket, clock="resolution", cycle=1, due_at=now, detected_at=now
    )
    TicketRating.objects.create(ticket=ticket, score=1, comment=SECRET, rated_at=now)
    FileLink.objects.create(
        attachment=message.reply.attachments.first(), message=reply.outbound.first(),
        expires_at=now + timedelta(days=1),
    )  # fmt: skip
    other = make_ticket(subject="Open to all")
    link_tickets(actor=reader, ticket=ticket, other=other)
    receive(box, mail("x", sender=f"{SECRET.lower()}2@c.test", subject=SECRET,
                      Auto_Submitted="auto-replied"))  # fmt: skip
    drain()
    ticket.refresh_from_db()
    return ticket


def keys_of(ticket):
    """What stands for each placeholder of a route."""
    reply = ticket.replies.filter(kind="public").first()
    file = ticket.replies.filter(attachments__isnull=False).first().attachments.first()
    return {
        "pk": ticket.pk, "object_id": ticket.pk, "reply_id": reply.pk, "attachment_id": file.pk,
        "attachment": file.pk, "participant_id": ticket.participants.first().pk,
        "link_id": FileLink.objects.first().pk, "template": 1,
    }  # fmt: skip


def api_routes(method):
    """Every route of the desk below a ticket or with mail of one, for one method."""
    for route, pattern in walk(get_resolver().url_patterns):
        path = readable(route)
        view = getattr(pattern.callback, "cls", None)
        actions = getattr(pattern.callback, "actions", None) or {}
        is_ours = view is not None and view.__module__.startswith("support.api")
        if is_ours and method in actions and path.startswith("/api/admin/"):
            yield path, actions[method]


def body_of(response):
    if getattr(response, "streaming", False):
        return b"".join(response.streaming_content).decode(errors="replace")
    return response.content.decode(errors="replace")


def filled(path, keys):
    return re.sub(r"\{(\w+)\}", lambda m: str(keys[m[1]]), path)


def test_no_route_of_the_api_shows_it(closed, as_user, agent):
    client, keys = as_user(agent), keys_of(closed)
    inbound, outbound = InboundMessage.objects.get(ticket=closed), closed.outbound.first()
    seen = []
    for path, _action in api_routes("get"):
        own = {"inbound-mail": inbound.pk, "outbound-mail": outbound.pk}
        part = next((own[name] for name in own if f"/{name}/" in path), None)
        values = {**keys, "pk": part} if part else keys
        query = {"start": "2026-01-01", "end": "2026-12-31"} if "reports" in path else {}
        response = client.get(filled(path, values), query)
        text = body_of(response).lower()
        assert SECRET.lower() not in text, path
        if "{pk}" in path and ("/tickets/" in path or part):
            assert response.status_code == 404, path
        seen.append(path)
    assert len(seen) > 25


def test_no_route_of_the_api_changes_it(closed, as_user, agent):
    client, keys = as_user(agent), keys_of(closed)
    version = closed.version
    tried = 0
    for method in ("post", "put", "patch", "delete"):
        for path, _action in api_routes(method):
            if "/admin/tickets/{pk}" not in path:
                continue
            bodies = {"into": closed.pk, "ticket": closed.pk, "body": "x", "address": "a@b.test"}
            response = getattr(client, method)(
                filled(path, keys), bodies, format="json", HTTP_IF_MATCH=f'"{version}"'
            )
            assert response.status_code in (400, 404), (method, path, response.status_code)
            tried += 1
    closed.refresh_from_db()
    assert (closed.version, tried > 12) == (version, True)


def test_the_reader_sees_and_answers_it(closed, as_user, reader):
    client = as_user(reader)
    assert client.get(f"/api/admin/tickets/{closed.pk}").json()["subject"] == SECRET
    assert client.get("/api/admin/tickets", {"search": SECRET}).json()["results"]
    body = {"body": "ok", "status": "resolved"}
    url = f"/api/admin/tickets/{closed.pk}/reply"
    assert client.post(url, body, format="json").status_code == 201


@pytest.mark.parametrize("search", [SECRET, SECRET.lower(), "salary"])
def test_search_does_not_find_it(closed, as_user, agent, search):
    found = as_user(agent).get("/api/admin/tickets", {"search": search}).json()
    assert found["results"] == []


def test_no_page_of_the_admin_shows_it(closed, admin_client_for, agent):
    client, keys = admin_client_for(agent), keys_of(closed)
    names = [name for name in get_resolver().namespace_dict["admin"][1].reverse_dict
             if isinstance(name, str) and name.startswith("support_")]  # fmt: skip
    rows = {"inboundmessage": InboundMessage.objects.get(ticket=closed).pk,
            "outboundmessage": closed.outbound.first().pk,
            "slabreach": SlaBreach.objects.first().pk,
            "ticketrating": TicketRating.objects.first().pk}  # fmt: skip
    opened = 0
    for name in sorted(names):
        part = next((pk for model, pk in rows.items() if f"_{model}_" in name), closed.pk)
        for values in ((), (part,), (part, keys["attachment"])):
            try:
                url = reverse(f"admin:{name}", args=values)
            except NoReverseMatch:
                continue
            response = client.get(url)
            assert SECRET.lower() not in body_of(response).lower().replace(url.lower(), ""), name
            opened += 1
    assert opened > 20
    home = client.get(reverse("admin:index"))
    assert SECRET not in home.content.decode()


def test_nobody_else_is_given_it(closed, agent, reader, member):
    with pytest.raises(Exception, match="does not read"):
        update_ticket(actor=None, ticket=closed, changes={"assignee": agent})
    ordinary = make_ticket(member)
    update_ticket(actor=None, ticket=ordinary, changes={"assignee": agent})
    secret = make_category("pay", is_confined=True)
    update_ticket(actor=None, ticket=ordinary, changes={"category": secret})
    ordinary.refresh_from_db()
    assert ordinary.assignee is None


def test_figures_leave_it_out(closed, agent, reader):
    day = datetime.now(UTC)
    period = (day - timedelta(days=2), day + timedelta(days=2))
    ours, theirs = build_report(agent, *period), build_report(reader, *period)
    assert theirs.opened == ours.opened + 1
    assert "Hr" not in [row.name for row in ours.categories]
    assert theirs.rating_count == ours.rating_count + 1 == 1
    assert (ours.breaches, theirs.breaches) == ({}, {"resolution": 1})


def test_alerts_and_the_audit_trail_do_not_say_what_it_is_about(closed):
    assert AuditEntry.objects.filter(action="support.ticket.opened").exists()
    for entry in AuditEntry.objects.all():
        assert SECRET not in f"{entry.before} {entry.after} {entry.metadata}"
    for alert in Alert.objects.all():
        assert SECRET not in f"{alert.summary} {alert.detail}"


def test_who_sees_everything_sees_it(closed, staff, superuser):
    assert closed in Ticket.objects.visible_to(superuser)
    assert closed in Ticket.objects.visible_to(staff("auditor"))
    assert closed not in Ticket.objects.visible_to(staff("operator"))


def test_a_confined_place_without_readers_is_nobodys(db, agent, member):
    ticket = make_ticket(member, category=make_category("x", is_confined=True))
    assert ticket not in Ticket.objects.visible_to(agent)


def test_answers_leave_from_the_tickets_mailbox_with_its_signature(reader, mailoutbox):
    make_mailbox("first@atalaya.test")
    box = make_mailbox("hr@atalaya.test", name="People", signature="Yours, {{agent}}",
                       quotes_history=True)  # fmt: skip
    ticket = receive(box, mail("OLD WORDS", Cc="beto@b.test", message_id="<h@a.test>")).ticket
    add_participant(actor=reader, ticket=ticket, address="carla@c.test")
    reply_as_staff(actor=reader, ticket=ticket, body="Answer", to_all=True)
    drain()
    copies = {m.recipients()[0]: m for m in mailoutbox if "Answer" in m.body}
    assert {m.from_email for m in copies.values()} == {"People <hr@atalaya.test>"}
    assert all("Yours, hr" in m.body for m in copies.values())
    assert "> OLD WORDS" in copies["ana@example.com"].body
    # Quoted is only what each was sent or wrote.
    for other in ("beto@b.test", "carla@c.test"):
        assert "OLD WORDS" not in copies[other].body + copies[other].alternatives[0][0]
    receive(box, mail("BETO SAYS", sender="beto@b.test", answers="<h@a.test>"))
    reply_as_staff(actor=reader, ticket=ticket, body="Second", to_all=True)
    last = OutboundMessage.objects.filter(text__contains="Second")
    assert "BETO SAYS" in last.get(recipient="beto@b.test").text
    assert "BETO SAYS" not in last.get(recipient="carla@c.test").text
