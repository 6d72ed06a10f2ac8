"""A mail joins a ticket by proof only; what it merely mentions is a hint to staff."""

import pytest
from django.db import transaction
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.models import InboundMessage, InboundReference, OutboundMessage, Reply, Ticket
from support.services import reply_as_staff, update_ticket
from support.tests.factories import make_agent, make_mailbox, make_ticket
from support.tests.mail_texts import mail, receive
from systemadmin.foundation.testing import problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def box(db):
    return make_mailbox()


def answered(member, agent):
    ticket = make_ticket(member)
    reply_as_staff(actor=agent, ticket=ticket, body="Which one?")
    return ticket, OutboundMessage.objects.get(ticket=ticket, kind="reply").message_id


class TestProof:
    def test_two_who_answer_one_newsletter_do_not_meet(self, box):
        first = receive(box, mail("My order", message_id="<1@a.test>", answers="<news@shop.test>"))
        second = receive(
            box,
            mail("My account number", sender="beto@other.test", message_id="<2@b.test>",
                 answers="<news@shop.test>"),
        )  # fmt: skip
        assert first.ticket != second.ticket
        assert second.may_belong_to is None

    def test_a_stranger_who_knows_an_id_of_ours_gets_a_ticket_with_a_hint(self, box, member, agent):
        ticket, ours = answered(member, agent)
        message = receive(box, mail(sender="eve@other.test", answers=f"<{ours}>"))
        assert message.ticket != ticket
        assert message.may_belong_to == ticket

    def test_nearest_parent_before_older_ones(self, box):
        older = receive(box, mail("A", message_id="<a@x.test>")).ticket
        newer = receive(box, mail("B", message_id="<b@x.test>")).ticket
        message = receive(
            box, mail("Answer", answers="<b@x.test>", references="<a@x.test> <b@x.test>")
        )
        assert message.ticket == newer
        assert not Ticket.objects.filter(merged_into__isnull=False).exists()
        assert list(Ticket.objects.linked_to(newer)) == [older]

    def test_two_ids_of_others_merge_nothing(self, box):
        first = receive(box, mail("A", message_id="<a@x.test>")).ticket
        second = receive(box, mail("B", message_id="<b@x.test>")).ticket
        message = receive(box, mail(sender="eve@other.test", references="<a@x.test> <b@x.test>"))
        assert message.ticket not in (first, second)
        assert not Ticket.objects.filter(merged_into__isnull=False).exists()
        assert not Ticket.objects.linked_to(first).exists()

    def test_a_constant_message_id_joins_nobody(self, box):
        mails = [
            mail(f"Form of {name}", sender=sender, message_id="<form@localhost>",
                 references="<form@localhost>")
            for name, sender in (("Ana", "ana@a.test"), ("Beto", "beto@b.test"))
        ]  # fmt: skip
        tickets = [receive(box, raw).ticket for raw in mails]
        assert tickets[0] != tickets[1]
        # One program, one sender, one id, several people: the id proves nothing.
        again = receive(box, mail("An answer", sender="ana@a.test", answers="<form@localhost>"))
        assert again.ticket == tickets[0]

    def test_an_id_that_several_tickets_of_a_sender_received_is_no_proof(self, box):
        forms = [
            receive(box, mail(f"Form {i}", sender="noreply@form.test", message_id="<f@form.test>"))
            for i in range(2)
        ]
        later = receive(box, mail("Form 3", sender="noreply@form.test", answers="<f@form.test>"))
        assert later.ticket not in [form.ticket for form in forms]
        assert later.may_belong_to is not None

    def test_a_form_that_names_another_person_joins_nobody(self, box):
        form = {"sender": "noreply@form.test", "message_id": "<f@form.test>"}
        first = receive(box, mail("One", reply_to="lola@a.test", **form))
        assert first.ticket.requester_email == "lola@a.test"
        second = receive(
            box,
            mail("Two", sender="noreply@form.test", reply_to="ugo@b.test", answers="<f@form.test>"),
        )
        assert second.ticket != first.ticket
        own = receive(box, mail("More", sender="lola@a.test", answers="<f@form.test>"))
        assert own.ticket == first.ticket

    def test_a_list_that_writes_its_own_address_into_from_is_nobody(self, box, agent):
        """Two members of a group through which the desk is reached."""

        def through_group(text, author, **fields):
            return receive(
                box,
                mail(text, sender="'Someone' via Help <help@group.test>", to="help@group.test",
                     List_Id="<help.group.test>", reply_to=author, **fields),
            )  # fmt: skip

        first = through_group("My account", "lola@a.test", message_id="<1@a.test>")
        assert first.ticket.requester_email == "lola@a.test"
        assert not first.ticket.participants.exists()
        other = through_group("Mine", "ugo@b.test", answers="<1@a.test>")
        assert other.ticket != first.ticket
        assert through_group("More", "lola@a.test", answers="<1@a.test>").ticket == first.ticket

    def test_who_was_in_copy_may_answer(self, box):
        ticket = receive(
            box, mail(message_id="<1@a.test>", Cc="Beto Paz <beto@b.test>, support@atalaya.test")
        ).ticket
        assert list(ticket.participants.values_list("address", "name")) == [
            ("beto@b.test", "Beto Paz")
        ]
        assert receive(box, mail(sender="beto@b.test", answers="<1@a.test>")).ticket == ticket

    def test_another_spelling_of_an_address_is_known(self, box):
        ticket = receive(box, mail(sender="ana@gmail.com", message_id="<1@a.test>")).ticket
        again = receive(box, mail(sender="ana+shop@googlemail.com", answers="<1@a.test>"))
        assert again.ticket == ticket

    def test_an_agent_informs(self, box, member, agent):
        ticket, ours = answered(member, agent)
        colleague = make_agent(username="boss")
        message = receive(box, mail("I know her", sender=colleague.email, answers=f"<{ours}>"))
        assert message.ticket == ticket
        assert message.reply.is_internal

    def test_what_was_only_mentioned_is_marked_and_proves_nothing(self, box):
        receive(box, mail(message_id="<2@a.test>", answers="<1@a.test>"))
        rows = dict(InboundReference.objects.values_list("message_id", "is_mention"))
        assert (rows["1@a.test"], rows["2@a.test"]) == (True, False)

    def test_an_earlier_mail_that_comes_late_finds_its_answer(self, box):
        later = receive(box, mail("Second", message_id="<2@a.test>", answers="<1@a.test>"))
        assert receive(box, mail("First", message_id="<1@a.test>")).ticket == later.ticket


class TestHint:
    @pytest.fixture
    def message(self, box, member, agent):
        _ticket, ours = answered(member, agent)
        return receive(box, mail("It is me", sender="other@home.test", answers=f"<{ours}>"))

    def test_one_call_joins(self, message, desk, box):
        target = message.may_belong_to
        shown = desk.get(f"/api/admin/tickets/{message.ticket_id}").json()
        assert shown["may_belong_to"] == {"id": target.pk, "number": target.number}
        joined = desk.post(f"/api/admin/tickets/{message.ticket_id}/join")
        assert joined.json()["id"] == target.pk
        people = joined.json()["participants"]
        assert ("other@home.test", "other@home.test") in [(p["address"], p["name"]) for p in people]
        bodies = [reply["body"] for reply in joined.json()["replies"]]
        assert "It is me" in bodies
        # From now on the sender takes part.
        ours = OutboundMessage.objects.filter(ticket=target, kind="reply").first().message_id
        again = receive(box, mail("Once more", sender="other@home.test", answers=f"<{ours}>"))
        assert again.ticket == target

    def test_nothing_to_join(self, desk, member):
        ticket = make_ticket(member)
        problem(desk.post(f"/api/admin/tickets/{ticket.pk}/join"), 409, "nothing_suggested")

    def test_a_closed_ticket_is_not_joined(self, message, desk, agent):
        update_ticket(actor=agent, ticket=message.may_belong_to, changes={"status": "closed"})
        problem(desk.post(f"/api/admin/tickets/{message.ticket_id}/join"), 409)

    def test_on_the_page(self, message, agent, admin_client_for):
        browser = admin_client_for(agent)
        url = reverse("admin:support_ticket_change", args=[message.ticket_id])
        assert f"{message.may_belong_to.number}</a>" in browser.get(url).content.decode()
        browser.post(url, {"operation": "join"})
        message.ticket.refresh_from_db()
        assert message.ticket.merged_into == message.may_belong_to

    def test_from_the_list(self, message, agent, admin_client_for):
        data = {"action": "join", "_selected_action": [message.ticket_id]}
        admin_client_for(agent).post(reverse("admin:support_ticket_changelist"), data)
        message.ticket.refresh_from_db()
        assert message.ticket.merged_into == message.may_belong_to


PEOPLE = ["ana@a.test", "beto@b.test", "eva@c.test"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(PEOPLE),
            st.lists(st.integers(0, 6), max_size=3),
            st.integers(0, 6),
        ),
        min_size=2,
        max_size=7,
    )
)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_mail_is_readable_by_who_is_not_on_the_ticket(conversation):
    """Generated conversations in which everybody mentions any id, foreign ones included."""
    start = transaction.savepoint()
    box = make_mailbox()
    for at, (sender, parents, own) in enumerate(conversation):
        references = " ".join(f"<{parent}@mail.test>" for parent in parents)
        receive(box, mail(f"Words {at}", sender=sender, message_id=f"<{own}@mail.test>",
                          references=references))  # fmt: skip
    for reply in Reply.objects.filter(is_from_customer=True).select_related("ticket"):
        assert reply.author_name == reply.ticket.requester_email
    assert InboundMessage.objects.filter(status="processed").count() == len(conversation)
    transaction.savepoint_rollback(start)
