"""What holds of any set of mails: their order changes nothing, and nobody reads a stranger's."""

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.models import InboundMessage, OutboundMessage, Ticket, TicketEvent
from support.services import reply_as_staff, update_ticket
from support.tests.factories import make_agent, make_mailbox, make_ticket
from support.tests.mail_texts import mail, receive
from systemadmin.foundation.testing import rolled_back
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

ANA, BETO, EVA, STRANGER = "ana@a.test", "beto@b.test", "eva@c.test", "zoe@z.test"
PEOPLE = [ANA, BETO, EVA]
GENERATED = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass(frozen=True)
class Letter:
    """One mail of a conversation, with those whom it was sent to beside the desk."""

    sender: str
    copies: tuple[str, ...]
    parents: tuple[str, ...]
    message_id: str
    has_all_references: bool = True

    @property
    def raw(self):
        fields = {"message_id": f"<{self.message_id}>"}
        if self.copies:
            fields["Cc"] = ", ".join(self.copies)
        if self.parents:
            fields["answers"] = f"<{self.parents[-1]}>"
        if self.has_all_references:
            fields["references"] = " ".join(f"<{one}>" for one in self.parents)
        return mail(f"Words of {self.message_id}", sender=self.sender, **fields)


@st.composite
def conversations(draw):
    """Mails as mail programs write them: answers go to all and name what they answer."""
    letters = []
    for at in range(draw(st.integers(2, 6))):
        message_id = f"{at}@mail.test"
        added = tuple(draw(st.lists(st.sampled_from(PEOPLE), max_size=1)))
        parent = draw(st.sampled_from([None, *letters]))
        if parent is None:
            known = draw(st.sampled_from([(), ("ours",), ("news@shop.test",)]))
            sender = ANA if known == ("ours",) else draw(st.sampled_from(PEOPLE))
            letters.append(Letter(sender, added, known, message_id))
            continue
        there = [parent.sender, *parent.copies]
        sender = draw(st.sampled_from(there))
        copies = tuple(dict.fromkeys(one for one in (*there, *added) if one != sender))
        parents = (*parent.parents, parent.message_id)
        letters.append(Letter(sender, copies, parents, message_id, draw(st.booleans())))
    if draw(st.booleans()):  # somebody to whom one was forwarded
        parent = draw(st.sampled_from(letters))
        letters.append(Letter(STRANGER, (), (*parent.parents, parent.message_id), "z@mail.test"))
    return letters


def groups(letters, order):
    """Receive letters in this order; return those of each ticket with whose ticket it is."""
    with rolled_back():
        box, agent = make_mailbox(), make_agent(username="agent")
        ticket = make_ticket(None, requester_email=ANA)
        reply_as_staff(actor=agent, ticket=ticket, body="Which one?")
        ours = OutboundMessage.objects.get(ticket=ticket, kind="reply").message_id
        for at in order:
            receive(box, letters[at].raw.replace(b"<ours>", f"<{ours}>".encode()))
        rows = InboundMessage.objects.filter(status="processed").select_related("ticket")
        found = {}
        for row in rows:
            found.setdefault(row.ticket_id, (row.ticket.customer_email, set()))[1].add(
                row.message_id
            )
        return {(person, frozenset(ids)) for person, ids in found.values()}


@given(st.data())
@GENERATED
def test_any_order_and_repetition_gives_the_same_tickets(data):
    letters = data.draw(conversations())
    order = data.draw(st.permutations(range(len(letters))))
    order += data.draw(st.lists(st.sampled_from(order), max_size=3))
    assert groups(letters, order) == groups(letters, range(len(letters)))


class TestLateMail:
    """An answer that came before the mail it answers."""

    def letters(self, *, copies=(ANA,)):
        question = Letter(ANA, (BETO,), (), "1@mail.test")
        return question, Letter(BETO, copies, ("1@mail.test",), "2@mail.test")

    def test_goes_to_the_ticket_of_that_mail(self):
        question, answer = self.letters()
        box = make_mailbox()
        early = receive(box, answer.raw)
        ticket = receive(box, question.raw).ticket
        early.refresh_from_db()
        early.reply.refresh_from_db()
        assert early.ticket == early.reply.ticket == ticket
        assert ticket.customer_email == ANA
        assert list(ticket.participants.values_list("address", flat=True)) == [BETO]

    def test_stays_where_somebody_has_worked_on_it(self, agent):
        question, answer = self.letters()
        box = make_mailbox()
        early = receive(box, answer.raw)
        update_ticket(actor=agent, ticket=early.ticket, changes={"priority": "high"})
        ticket = receive(box, question.raw).ticket
        assert ticket != early.ticket
        assert list(Ticket.objects.linked_to(ticket)) == [early.ticket]
        assert TicketEvent.objects.filter(ticket=ticket, kind="linked").count() == 1

    def test_whoever_makes_up_its_id_reads_nothing(self):
        """Beto answers a newsletter; Ana writes under its id with Beto in copy."""
        question, answer = self.letters(copies=())
        box = make_mailbox()
        early = receive(box, answer.raw)
        message = receive(box, question.raw)
        early.refresh_from_db()
        assert early.ticket != message.ticket
        assert not Ticket.objects.linked_to(message.ticket).exists()

    def test_joins_nobody_whom_the_later_mail_does_not_name(self, agent):
        """Eva makes up the id of a mail that Ana will write to the desk alone."""
        box = make_mailbox()
        early = receive(box, Letter(EVA, (ANA,), ("1@mail.test",), "2@mail.test").raw)
        ticket = receive(box, Letter(ANA, (), (), "1@mail.test").raw).ticket
        early.refresh_from_db()
        assert early.ticket != ticket
        answer = reply_as_staff(actor=agent, ticket=ticket, body="Your account", to_all=True)
        assert list(answer.outbound.values_list("recipient", flat=True)) == [ANA]

    def test_of_a_confined_mailbox_stays_there(self):
        question, answer = self.letters()
        confined = make_mailbox("hr@atalaya.test", is_confined=True)
        early = receive(confined, answer.raw)
        message = receive(make_mailbox(), question.raw)
        early.refresh_from_db()
        assert early.ticket != message.ticket


def words_of(client, ticket):
    """Everything that a member reads of a ticket."""
    shown = client.get(f"/api/tickets/{ticket['id']}").json()
    originals = [
        client.get(f"/api/tickets/{ticket['id']}/replies/{reply['id']}/original").content.decode()
        for reply in shown["replies"]
    ]
    return f"{shown} {originals}"


def circles(letters):
    """Who may read whom: those connected by mails that name them together."""
    circle = {person: {person} for person in (*PEOPLE, STRANGER)}
    for letter in letters:
        joined = set().union(*(circle[one] for one in (letter.sender, *letter.copies)))
        circle |= dict.fromkeys(joined, joined)
    return circle


FOREIGN = st.lists(
    st.builds(
        Letter,
        st.sampled_from(PEOPLE),
        st.lists(st.sampled_from(PEOPLE), max_size=1).map(tuple),
        st.lists(st.sampled_from(["0@m.test", "1@m.test", "2@m.test", "ours"]), max_size=3).map(
            tuple
        ),
        st.sampled_from(["0@m.test", "1@m.test", "2@m.test", "3@m.test"]),
    ),
    min_size=2,
    max_size=6,
)


@given(FOREIGN)
@example(  # Two who answer one newsletter, and one who writes under its id.
    [Letter(ANA, (), ("0@m.test",), "1@m.test"), Letter(BETO, (), ("0@m.test",), "2@m.test"),
     Letter(EVA, (), (), "0@m.test")]
)  # fmt: skip
@GENERATED
def test_no_mail_is_readable_by_who_was_never_named_with_its_writer(as_user, letters):
    """Everybody mentions any id, foreign ones included, and reads through the API."""
    with rolled_back():
        members = {person: UserFactory(email=person) for person in PEOPLE}
        agent = make_agent(username="agent")
        box, ticket = make_mailbox(), make_ticket(members[ANA])
        reply_as_staff(actor=agent, ticket=ticket, body="Which one?")
        ours = OutboundMessage.objects.get(ticket=ticket, kind="reply").message_id
        for at, letter in enumerate(letters):
            raw = letter.raw.replace(b"Words of", f"secret{at}word".encode())
            receive(box, raw.replace(b"<ours>", f"<{ours}>".encode()))
        circle = circles(letters)
        for person, account in members.items():
            client = as_user(account)
            tickets = client.get("/api/tickets").json()["results"]
            read = "".join(words_of(client, one) for one in tickets)
            for at, letter in enumerate(letters):
                if f"secret{at}word" in read:
                    assert letter.sender in circle[person]
                elif letter.sender == person and not letter.copies:
                    # What is not read is on nobody's ticket that this person does not share.
                    owner = InboundMessage.objects.order_by("pk")[at].ticket.customer_email
                    assert owner in circle[person]
            others = Ticket.objects.exclude(requester=account)
            for other in others:
                assert client.get(f"/api/tickets/{other.pk}").status_code == 404
            assert client.get("/api/admin/tickets", {"search": "secret"}).status_code == 403
