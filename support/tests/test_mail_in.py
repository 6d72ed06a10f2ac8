"""Mail that comes: each exactly once, where it belongs, whatever the order."""

import itertools
from pathlib import Path

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.mail_threading import reply_address
from support.models import InboundMessage, OutboundMessage, Reply, Ticket, TicketLink
from support.services import (
    merge_tickets,
    process_again,
    process_mail,
    reply_as_staff,
    store_mail,
    update_ticket,
)
from support.services.mail_in import content_hash, sweep_inbox
from support.services.mail_keys import address_keys
from support.tests.factories import make_agent, make_category, make_mailbox, make_ticket
from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import problem

pytestmark = pytest.mark.django_db
CORPUS = Path(__file__).parent / "mail"


@pytest.fixture
def box(db):
    return make_mailbox()


def raw(text, sender="ana@example.com", subject="Help", to="support@atalaya.test", **headers):
    names = {"message_id": "Message-ID", "references": "References", "answers": "In-Reply-To"}
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}"]
    lines += [f"{names.get(k, k.replace('_', '-'))}: {v}" for k, v in headers.items()]
    return ("\n".join(lines) + f"\nContent-Type: text/plain; charset=utf-8\n\n{text}\n").encode()


def receive(box, data):
    message, _new = store_mail(mailbox=box, raw=data)
    process_mail(message.pk)
    message.refresh_from_db()
    return message


class TestOpening:
    def test_a_stranger_opens_a_ticket(self, box):
        box.category = make_category()
        box.save()
        ticket = receive(box, raw("It is broken.", subject="Re: [x] Broken")).ticket
        assert ticket.subject == "[x] Broken"
        assert ticket.requester is None
        assert ticket.requester_email == "ana@example.com"
        assert ticket.channel == "email"
        assert ticket.category == box.category
        assert OutboundMessage.objects.get().kind == "received"

    def test_a_member_is_recognised(self, box, member):
        ticket = receive(box, raw("x", sender=f"Marta <{member.email.upper()}>")).ticket
        assert ticket.requester == member

    def test_two_accounts_of_one_address_are_nobody(self, box, member, other_member):
        other_member.email = member.email
        other_member.save()
        assert receive(box, raw("x", sender=member.email)).ticket.requester is None

    def test_files_come_along(self, box):
        message = receive(box, (CORPUS / "attachments.eml").read_bytes())
        files = message.reply.attachments.all()
        # The sample's picture is no picture inside: it stays in the raw mail.
        assert [f.name for f in files] == ["notes.txt"]
        note = message.ticket.replies.get(kind="internal")
        assert "x.exe" in note.body or "_x.exe" in note.body
        assert "fotografía.png" in note.body

    @pytest.mark.parametrize("name", sorted(path.stem for path in CORPUS.glob("*.eml")))
    def test_every_mail_of_the_corpus_finds_its_place(self, box, name):
        message = receive(box, (CORPUS / f"{name}.eml").read_bytes())
        expected = {"bounce": "ignored", "bounce_headers_only": "ignored",
                    "auto_reply_vacation": "ignored", "auto_reply_exchange": "ignored",
                    "no_from": "failed"}  # fmt: skip
        assert message.status == expected.get(name, "processed")
        assert (message.reply is not None) == (message.status == "processed")
        assert message.reason or message.status == "processed"


class TestThreading:
    def test_by_address_tag(self, box, member):
        ticket = make_ticket(member)
        to = reply_address(box.address, ticket.number, address_keys()[0])
        message = receive(box, raw("More.", sender="other@example.com", to=to))
        assert message.ticket == ticket
        assert message.reply.author is None

    def test_a_guessed_tag_opens_a_new_one(self, box, member):
        ticket = make_ticket(member)
        to = f"support+{ticket.number.lower()}.aaaaaaaaaaaa@atalaya.test"
        assert receive(box, raw("More.", to=to)).ticket != ticket

    def test_by_message_id_of_our_answer(self, box, member, agent):
        ticket = make_ticket(member)
        reply_as_staff(actor=agent, ticket=ticket, body="Which?")
        ours = OutboundMessage.objects.get(kind="reply").message_id
        message = receive(box, raw("That.", sender=member.email, answers=f"<{ours}>"))
        assert message.ticket == ticket
        assert message.reply.author == member
        ticket.refresh_from_db()
        assert ticket.status == "in_progress"

    def test_a_number_in_the_subject_is_a_hint(self, box, member):
        ticket = make_ticket(member)
        subject = f"Re: [{ticket.number}] x"
        for sender in (member.email, "eve@example.com"):
            message = receive(box, raw("a", sender=sender, subject=subject))
            assert message.ticket != ticket
            assert message.may_belong_to == ticket

    def test_a_merged_ticket_leads_to_its_target(self, box, member, agent):
        source, target = make_ticket(member), make_ticket(member)
        to = reply_address(box.address, source.number, address_keys()[0])
        merge_tickets(actor=agent, source=source, into=target)
        assert receive(box, raw("a", sender=member.email, to=to)).ticket == target

    def test_a_colleague_by_mail_informs_and_does_not_answer(self, box, member):
        ticket, boss = make_ticket(member), make_agent(username="boss")
        to = reply_address(box.address, ticket.number, address_keys()[0])
        message = receive(box, raw("I know her.", sender=boss.email, to=to))
        assert message.reply.kind == "internal"
        ticket.refresh_from_db()
        assert ticket.status == "new"

    def test_long_closed_means_a_new_one_linked(self, box, member, agent, monkeypatch):
        ticket = make_ticket(member)
        update_ticket(actor=agent, ticket=ticket, changes={"status": "closed"})
        monkeypatch.setattr("support.services.mail_in.may_reopen", lambda *_args: False)
        to = reply_address(box.address, ticket.number, address_keys()[0])
        message = receive(box, raw("Hello?", sender=member.email, to=to))
        assert message.ticket != ticket
        assert TicketLink.objects.count() == 1


class TestNoPersons:
    def test_an_automatic_answer_moves_nothing(self, box, member, agent):
        ticket = make_ticket(member)
        reply_as_staff(actor=agent, ticket=ticket, body="x")
        ours = OutboundMessage.objects.get(kind="reply").message_id
        away = raw("Away.", sender=member.email, answers=f"<{ours}>", Auto_Submitted="auto-replied")
        message = receive(box, away)
        assert message.reply.kind == "internal"
        ticket.refresh_from_db()
        assert ticket.status == "waiting_customer"
        assert OutboundMessage.objects.filter(kind="received").count() == 1

    def test_a_bounce_marks_what_bounced(self, box, member, agent):
        ticket = make_ticket(member)
        reply_as_staff(actor=agent, ticket=ticket, body="x")
        out = OutboundMessage.objects.get(kind="reply")
        bounce = (CORPUS / "bounce.eml").read_bytes()
        message = receive(box, bounce.replace(b"t-2026-000123.9.xyz@atalaya.test",
                                              out.message_id.encode()))  # fmt: skip
        out.refresh_from_db()
        assert out.status == "bounced"
        assert message.ticket == ticket
        assert "bounced" in message.reply.body

    def test_two_desks_do_not_talk_for_ever(self, box):
        """Our own mail sent back by a forwarder ends there."""
        ticket = receive(box, raw("x")).ticket
        before = OutboundMessage.objects.count()
        ours = OutboundMessage.objects.get(ticket=ticket).message_id
        loop = receive(box, raw("x", message_id=f"<{ours}>", X_Atalaya_Ticket=ticket.number))
        assert (loop.status, loop.kind) == ("ignored", "loop")
        assert OutboundMessage.objects.count() == before

    def test_a_stupid_robot_gets_no_endless_answers(self, box):
        for i in range(12):
            receive(box, raw(f"robot {i}", message_id=f"<{i}@robot.test>"))
        assert OutboundMessage.objects.filter(kind="received").count() == 5
        assert Ticket.objects.count() == 12

    def test_staff_can_make_a_ticket_of_it(self, box, agent):
        message = receive(box, (CORPUS / "auto_reply_vacation.eml").read_bytes())
        assert message.ticket is None
        process_again(actor=agent, message=message)
        message.refresh_from_db()
        assert message.ticket is not None

    def test_over_the_api(self, box, desk):
        message = receive(box, (CORPUS / "no_from.eml").read_bytes())
        rows = desk.get("/api/admin/inbound-mail", {"status": "failed"}).json()["results"]
        assert [row["id"] for row in rows] == [message.pk]
        assert "raw" not in rows[0]
        again = desk.post(f"/api/admin/inbound-mail/{message.pk}/process")
        assert again.json()["status"] == "processed"
        assert Ticket.objects.get().requester_email == "unknown@sender.invalid"
        assert not OutboundMessage.objects.exists()
        problem(desk.post("/api/admin/inbound-mail/99/process"), 404)


class TestOnce:
    def test_the_same_mail_twice_is_one(self, box):
        data = raw("x", message_id="<1@x.test>")
        assert receive(box, data).pk == receive(box, data).pk
        assert Reply.objects.count() == 1

    def test_another_way_here_is_the_same_mail(self, box):
        data = raw("x", message_id="<1@x.test>")
        travelled = b"Received: from a by b; now\nReturn-Path: <a@b>\n" + data.replace(
            b"\n", b"\r\n"
        )
        assert content_hash(data) == content_hash(travelled)
        assert receive(box, data).pk == receive(box, travelled).pk

    def test_a_reused_message_id_loses_no_mail(self, box):
        receive(box, raw("first", message_id="<1@x.test>"))
        receive(box, raw("second", message_id="<1@x.test>"))
        assert set(Reply.objects.values_list("body", flat=True)) == {"first", "second"}

    def test_no_message_id_stops_nothing(self, box):
        receive(box, raw("first"))
        receive(box, raw("second"))
        assert Reply.objects.count() == 2

    def test_one_mail_to_two_mailboxes_is_one_ticket(self, box):
        data = raw("x", message_id="<1@x.test>", Cc="sales@atalaya.test")
        first = receive(box, data)
        second = receive(make_mailbox("sales@atalaya.test"), data)
        assert second.status == "duplicate"
        assert second.ticket == first.ticket
        assert Ticket.objects.count() == 1

    def test_mail_between_our_own_mailboxes_is_not_swallowed(self, box):
        make_mailbox("sales@atalaya.test")
        message = receive(box, raw("Please take over.", sender="sales@atalaya.test"))
        assert message.status == "processed"

    def test_processing_twice_does_it_once(self, box):
        message = receive(box, raw("x"))
        process_mail(message.pk)
        drain()
        assert Reply.objects.count() == 1

    def test_a_failure_keeps_the_mail_and_tries_again(self, box, monkeypatch):
        message, _new = store_mail(mailbox=box, raw=raw("x"))

        def broken(*args, **kwargs):
            raise ValueError("a bug of ours")

        with monkeypatch.context() as patch:
            patch.setattr("support.services.mail_in.parse_mail", broken)
            for attempts in (1, 2):
                sweep_inbox()
                message.refresh_from_db()
                assert (message.status, message.attempts) == ("received", attempts)
            sweep_inbox()
        message.refresh_from_db()
        assert message.status == "failed"
        assert "a bug of ours" in message.reason
        process_again(actor=make_agent(), message=message)
        assert Reply.objects.count() == 1


def thread(name, *parents, of):
    refs = " ".join(f"<{parent}@{of}>" for parent in parents)
    extra = {"references": refs, "answers": f"<{parents[-1]}@{of}>"} if parents else {}
    return raw(
        f"{name} of {of}", sender=f"{of}@example.com", subject="Re: help" if parents else "help",
        message_id=f"<{name}@{of}>", **extra,
    )  # fmt: skip


THREAD = [
    thread("a", of="ana"),
    thread("b", "a", of="ana"),
    thread("c", "b", of="ana"),
    thread("d", "a", "b", "c", of="ana"),
    thread("a", of="bob"),
    thread("b", "a", of="bob"),
]


def partition():
    """Which words ended on one ticket or on tickets that are linked; joined ones are empty."""
    group = {pk: pk for pk in Ticket.objects.values_list("pk", flat=True)}
    joined = Ticket.objects.filter(merged_into__isnull=False).values_list("pk", "merged_into")
    pairs = [*TicketLink.objects.values_list("first", "second"), *joined]
    for _ in group:
        for first, second in pairs:
            group[first] = group[second] = min(group[first], group[second])
    words = {}
    for ticket in Ticket.objects.all():
        bodies = ticket.replies.values_list("body", flat=True)
        words.setdefault(group[ticket.pk], set()).update(bodies)
    return {frozenset(found) for found in words.values() if found}


def joins():
    """The requesters of tickets that were joined, with those of the tickets they went into."""
    found = Ticket.objects.filter(merged_into__isnull=False).select_related("merged_into")
    return {(one.customer_email, one.merged_into.customer_email) for one in found}


EXPECTED = {
    frozenset(f"{name} of ana" for name in "abcd"),
    frozenset(f"{name} of bob" for name in "ab"),
}


@given(st.permutations(THREAD), st.lists(st.sampled_from(THREAD), max_size=4), st.randoms())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_and_any_repetition_gives_the_same_linked_tickets(order, repeats, random):
    mails = list(order)
    for again in repeats:
        mails.insert(random.randrange(len(mails) + 1), again)
    start = transaction.savepoint()
    try:
        box = make_mailbox()
        for data in mails:
            receive(box, data)
        assert partition() == EXPECTED
        assert InboundMessage.objects.count() == len(THREAD)
        # An answer that came first is taken into its mail's ticket, and nobody else's ever.
        assert all(source == into for source, into in joins())
    finally:
        transaction.savepoint_rollback(start)


def test_all_orders_of_three(box):
    orders = list(itertools.permutations(THREAD[:3]))
    for order in orders:
        sid = transaction.savepoint()
        for data in order:
            receive(box, data)
        assert partition() == {frozenset(f"{name} of ana" for name in "abc")}, order
        transaction.savepoint_rollback(sid)
