"""Who takes part in a ticket reads what they were sent, may answer it, and can be removed."""

import pytest
from django.urls import reverse

from support.mail_threading import reply_address
from support.models import OutboundMessage, TicketParticipant
from support.services import merge_tickets, reply_as_staff
from support.services.mail_keys import address_keys
from support.services.participants import add_participant, remove_participant
from support.tests.factories import make_mailbox, make_ticket
from support.tests.mail_texts import mail, receive
from systemadmin.foundation.queue import drain

pytestmark = pytest.mark.django_db


@pytest.fixture
def box(db):
    return make_mailbox()


@pytest.fixture
def ticket(box):
    """Ana's ticket, on which Beto is in copy."""
    return receive(box, mail("Help", Cc="Beto <beto@b.test>", message_id="<q@a.test>")).ticket


def sent(ticket, kind="reply"):
    return [m.recipient for m in ticket.outbound.filter(kind=kind).order_by("pk")]


class TestAnsweringAll:
    def test_the_requester_alone_unless_chosen(self, ticket, desk):
        desk.post(f"/api/admin/tickets/{ticket.pk}/reply", {"body": "Only you"}, format="json")
        assert sent(ticket) == ["ana@example.com"]

    def test_to_all_each_gets_a_copy_that_names_the_others(self, ticket, desk, mailoutbox):
        url = f"/api/admin/tickets/{ticket.pk}/reply"
        reply = desk.post(url, {"body": "All of you", "to_all": True}, format="json").json()
        assert sorted(d["recipient"] for d in reply["deliveries"]) == [
            "ana@example.com",
            "beto@b.test",
        ]
        drain()
        mails = [m for m in mailoutbox if "All of you" in m.body]
        assert sorted(m.recipients() for m in mails) == [["ana@example.com"], ["beto@b.test"]]
        assert {(*m.to, "|", *m.cc) for m in mails} == {("ana@example.com", "|", "beto@b.test")}

    def test_a_note_goes_to_nobody(self, ticket, agent):
        reply_as_staff(actor=agent, ticket=ticket, body="Psst", internal=True, to_all=True)
        assert sent(ticket) == []

    def test_to_was_kept_like_cc(self, box, agent):
        raw = mail("Help", to="support@atalaya.test, carla@c.test", message_id="<t@a.test>")
        ticket = receive(box, raw).ticket
        reply_as_staff(actor=agent, ticket=ticket, body="Hi", to_all=True)
        assert sent(ticket) == ["ana@example.com", "carla@c.test"]


class TestAdding:
    def url(self, ticket):
        return f"/api/admin/tickets/{ticket.pk}/participants"

    def test_an_added_person_answers_and_joins(self, box, ticket, desk, agent):
        answer = desk.post(self.url(ticket), {"address": "Carla@C.test"}, format="json")
        assert answer.status_code == 201
        reply_as_staff(actor=agent, ticket=ticket, body="Hi all", to_all=True)
        ours = ticket.outbound.get(recipient="Carla@C.test")
        message = receive(
            box, mail("Thanks", sender="carla@c.test", answers=f"<{ours.message_id}>")
        )
        assert message.ticket == ticket

    def test_they_are_sent_nothing_of_before(self, ticket, agent):
        reply_as_staff(actor=agent, ticket=ticket, body="SECRET-BEFORE")
        add_participant(actor=agent, ticket=ticket, address="carla@c.test")
        reply_as_staff(actor=agent, ticket=ticket, body="After", to_all=True)
        copy = OutboundMessage.objects.get(recipient="carla@c.test")
        assert "SECRET-BEFORE" not in copy.text + copy.html
        assert OutboundMessage.objects.filter(recipient="carla@c.test").count() == 1

    @pytest.mark.parametrize(
        ("address", "code"),
        [
            ("no address", "invalid"), ("", "blank"), ("support@atalaya.test", "own_address"),
            ("support+x@atalaya.test", "own_address"), ("ANA@example.com", "requester"),
            ("a@b.test\nBcc: x@y.test", "invalid"),
        ],
    )  # fmt: skip
    def test_what_is_no_address_of_theirs_is_refused(self, ticket, desk, address, code):
        answer = desk.post(self.url(ticket), {"address": address}, format="json")
        assert answer.status_code == 400
        error = answer.json()["errors"][0]
        assert (error["field"], error["code"]) == ("address", code)

    def test_twice_is_once(self, ticket, desk):
        for _ in range(2):
            answer = desk.post(self.url(ticket), {"address": "BETO@b.test"}, format="json")
            assert answer.status_code == 201
        assert ticket.participants.count() == 1

    def test_history_says_who_did_it(self, ticket, agent):
        person = add_participant(actor=agent, ticket=ticket, address="carla@c.test")
        remove_participant(actor=agent, ticket=ticket, participant=person.pk)
        events = ticket.events.filter(kind="participants").order_by("pk")
        assert [event.data for event in events] == [
            {"added": "carla@c.test"},
            {"removed": "carla@c.test"},
        ]
        assert {event.actor for event in events} == {agent}


class TestRemoving:
    @pytest.fixture
    def removed(self, ticket, agent):
        reply_as_staff(actor=agent, ticket=ticket, body="Hi", to_all=True)
        person = ticket.participants.get()
        remove_participant(actor=agent, ticket=ticket, participant=person.pk)
        return person

    def test_they_get_nothing_more(self, ticket, removed, agent, desk):
        reply_as_staff(actor=agent, ticket=ticket, body="Later", to_all=True)
        assert sent(ticket).count("beto@b.test") == 1
        assert desk.get(f"/api/admin/tickets/{ticket.pk}").json()["participants"] == []

    # By the reply address that we signed, and by the id of the mail that they got.
    @pytest.mark.parametrize("way", ["tag", "id"])
    def test_their_mail_joins_no_more_and_says_where_it_may_belong(self, box, ticket, removed, way):
        ours = ticket.outbound.get(recipient="beto@b.test")
        tag = reply_address("support@atalaya.test", ticket.number, address_keys()[0])
        fields = {"to": tag} if way == "tag" else {"answers": f"<{ours.message_id}>"}
        message = receive(box, mail("Me again", sender="beto+x@b.test", **fields))
        assert message.ticket != ticket
        assert message.may_belong_to == ticket

    def test_mail_that_names_them_does_not_take_them_in(self, box, ticket, removed):
        receive(box, mail("More", Cc="beto@b.test", answers="<q@a.test>", message_id="<r@a.test>"))
        assert not ticket.participants.present().exists()

    def test_merging_does_not_either(self, box, ticket, removed, agent):
        other = receive(box, mail("Else", message_id="<z@a.test>")).ticket
        merge_tickets(actor=agent, source=ticket, into=other)
        assert not other.participants.present().exists()
        assert TicketParticipant.objects.get(ticket=other).address == "beto@b.test"

    def test_an_agent_takes_them_in_again(self, box, ticket, removed, agent):
        add_participant(actor=agent, ticket=ticket, address="beto@b.test")
        message = receive(box, mail("Back", sender="beto@b.test", answers="<q@a.test>"))
        assert message.ticket == ticket

    def test_of_another_ticket_is_not_found(self, ticket, desk, member):
        other = make_ticket(member)
        person = ticket.participants.get()
        url = f"/api/admin/tickets/{other.pk}/participants/{person.pk}"
        assert desk.delete(url).status_code == 404


def test_on_the_page(ticket, agent, admin_client_for):
    client = admin_client_for(agent)
    url = reverse("admin:support_ticket_change", args=[ticket.pk])
    client.post(url, {"operation": "add_participant", "address": "carla@c.test", "name": "Carla"})
    client.post(url, {"operation": "reply", "body": "Hola", "to_all": "on"})
    assert sent(ticket) == ["ana@example.com", "beto@b.test", "carla@c.test"]
    person = ticket.participants.get(address="carla@c.test")
    client.post(url, {"operation": "remove_participant", "key": person.pk})
    assert "carla@c.test" not in client.get(url).content.decode().split("Also taking part")[1][:600]
