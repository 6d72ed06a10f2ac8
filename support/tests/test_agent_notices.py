"""Agents are told what happened, by the ways each chose, and answer by mail."""

import pytest
from django.core import mail as django_mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from support.mail_bodies import REPLY_MARK
from support.models import AgentNotice, BlockedSender, InboundMessage, OutboundMessage
from support.services import reply_as_customer, reply_as_staff, update_ticket
from support.services.agent_addresses import answer_address
from support.services.agent_notices import notify_mentioned, save_choices, send_notices
from support.services.spam import block_sender
from support.tests.factories import make_agent, make_category, make_mailbox, make_ticket
from support.tests.mail_texts import mail, multipart, receive
from systemadmin.foundation.queue import drain
from systemadmin.models import Notification
from systemadmin.services import change_settings
from systemadmin.tests.factories import StaffFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def box(db):
    return make_mailbox()


@pytest.fixture
def ticket(box, agent, member):
    change_settings(actor=None, values={"support.notice_minutes": 0})
    ticket = make_ticket(member, acknowledge=False)
    update_ticket(actor=None, ticket=ticket, changes={"assignee": agent})
    AgentNotice.objects.all().delete()
    return ticket


def told(user):
    return list(
        AgentNotice.objects.filter(user=user).order_by("pk").values_list("event", flat=True)
    )


def mails_of(user):
    return [m for m in django_mail.outbox if user.email in m.to]


class TestWhatIsTold:
    def test_a_ticket_given_to_somebody(self, ticket, agent):
        other = make_agent()
        update_ticket(actor=agent, ticket=ticket, changes={"assignee": other})
        assert told(other) == ["assigned"]
        update_ticket(actor=other, ticket=ticket, changes={"assignee": None})
        update_ticket(actor=other, ticket=ticket, changes={"assignee": other})
        assert told(other) == ["assigned"]  # who takes one knows

    def test_the_customer_writes(self, ticket, agent, member):
        reply_as_customer(ticket=ticket, author=member, body="And?")
        assert told(agent) == ["replied"]

    def test_a_colleague_is_named_in_a_note_and_nowhere_else(self, ticket, agent):
        eve = make_agent(username="eve.b")
        reply_as_staff(actor=agent, ticket=ticket, body="Ask @eve.b.", internal=True)
        reply_as_staff(actor=agent, ticket=ticket, body="Write to @eve.b or x@eve.b")
        assert told(eve) == ["mentioned"]

    def test_new_ones_only_for_who_asked(self, ticket, agent, member):
        make_ticket(member)
        assert told(agent) == []
        save_choices(actor=agent, values={"new": {"on_page": True}})
        make_ticket(member)
        assert told(agent) == ["new"]

    def test_each_chooses(self, ticket, desk, agent, member):
        body = {"notices": {"replied": {"on_page": False, "by_mail": False}}}
        answer = desk.put("/api/admin/support/preferences", body, format="json").json()
        assert answer["notices"]["replied"] == {
            "on_page": False, "by_mail": False, "by_telegram": False,
        }  # fmt: skip
        reply_as_customer(ticket=ticket, author=member, body="And?")
        assert told(agent) == []
        wrong = desk.put("/api/admin/support/preferences", {"notices": {"x": {}}}, format="json")
        assert wrong.json()["code"] == "unknown_event"

    def test_who_may_not_see_the_ticket_is_told_nothing(self, ticket, agent, member):
        secret = make_category("hr", is_confined=True)
        eve = make_agent(username="eve")
        closed = make_ticket(member, category=secret)
        reply_as_staff(actor=eve, ticket=ticket, body="@ada hello", internal=True)
        assert told(agent) == ["mentioned"]
        notify_mentioned(closed, ticket.replies.last(), eve)
        assert told(agent) == ["mentioned"]


class TestTheMails:
    def test_several_events_of_a_ticket_are_one_mail(self, ticket, agent, member):
        for body in ("One", "Two"):
            reply_as_customer(ticket=ticket, author=member, body=body)
        send_notices()
        send_notices()
        drain()
        (sent,) = mails_of(agent)
        assert "One" in sent.body
        assert "Two" in sent.body
        assert sent.body.startswith(REPLY_MARK)

    def test_many_tickets_are_one_mail_without_an_answer_address(self, ticket, agent, member):
        for _ in range(5):
            other = make_ticket(member, acknowledge=False)
            update_ticket(actor=None, ticket=other, changes={"assignee": agent})
        send_notices()
        drain()
        (sent,) = mails_of(agent)
        assert "5 tickets" in sent.subject
        assert not sent.reply_to

    def test_what_was_read_in_the_page_goes_into_no_mail(
        self, ticket, agent, member, admin_client_for
    ):
        reply_as_customer(ticket=ticket, author=member, body="And?")
        admin_client_for(agent).get(reverse("admin:support_ticket_change", args=[ticket.pk]))
        send_notices()
        drain()
        assert mails_of(agent) == []

    def test_gathered_for_some_minutes(self, ticket, agent, member):
        change_settings(actor=None, values={"support.notice_minutes": 5})
        reply_as_customer(ticket=ticket, author=member, body="And?")
        assert send_notices() == 0
        AgentNotice.objects.update(created_at=timezone.now() - timezone.timedelta(minutes=6))
        assert send_notices() == 1

    def test_a_confined_ticket_is_named_by_its_number_alone(self, ticket, agent, member):
        secret = make_category("hr", is_confined=True)
        secret.readers.add(agent)
        closed = make_ticket(member, category=secret, subject="SALARY", body="SALARY")
        update_ticket(actor=None, ticket=closed, changes={"assignee": agent})
        reply_as_customer(ticket=closed, author=member, body="SALARY")
        send_notices()
        assert Notification.objects.filter(subject__contains=closed.number).exists()
        assert not Notification.objects.filter(body__contains="SALARY").exists()
        assert not Notification.objects.filter(subject__contains="SALARY").exists()

    def test_the_page_lists_them_and_marks_them_read(
        self, ticket, agent, member, admin_client_for, desk
    ):
        reply_as_customer(ticket=ticket, author=member, body="And?")
        row = desk.get("/api/admin/support/notices").json()["results"][0]
        assert (row["event"], row["number"], row["seen_at"]) == ("replied", ticket.number, None)
        client = admin_client_for(agent)
        page = client.get(reverse("admin:support_ticket_notices"))
        assert ticket.number in page.content.decode()
        assert desk.get("/api/admin/support/notices").json()["results"][0]["seen_at"]
        client.post(reverse("admin:support_ticket_notices"), {"due_by_mail": "on"})
        chosen = desk.get("/api/admin/support/preferences").json()["notices"]
        assert chosen["due"] == {"on_page": False, "by_mail": True, "by_telegram": False}


class TestAnsweringByMail:
    @pytest.fixture
    def asked(self, ticket, agent, member):
        reply_as_customer(ticket=ticket, author=member, body="QUESTION")
        send_notices()
        drain()
        return mails_of(agent)[0]

    def answer(self, asked, agent, text="It is on its way.", **fields):
        quoted = "\n".join(f"> {line}" for line in asked.body.split("\n"))
        values = {"sender": agent.email, "to": asked.reply_to[0], "subject": "Re: x", **fields}
        return mail(f"{text}\n\nOn 1 May 2026 10:00, Atalaya wrote:\n{quoted}", **values)

    def test_the_customer_gets_it(self, box, ticket, agent, asked):
        message = receive(box, self.answer(asked, agent))
        reply = message.reply
        assert (reply.author, reply.kind, reply.body) == (agent, "public", "It is on its way.")
        copy = OutboundMessage.objects.get(reply=reply)
        assert "QUESTION" not in copy.text
        assert REPLY_MARK not in copy.text

    def test_an_answer_to_a_note_is_a_note(self, box, ticket, agent):
        address = answer_address(agent, ticket, is_note=True)
        message = receive(box, mail("I know", sender=agent.email, to=address))
        assert (message.reply.kind, message.reply.author) == ("internal", agent)
        assert not OutboundMessage.objects.exists()

    def test_files_go_along_and_what_may_not_is_noted(self, box, ticket, agent, asked):
        head = "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename="
        raw = multipart(
            ("Content-Type: text/plain", "Here"), (f'{head}"a.txt"', "hello"),
            (f'{head}"a.exe"', b"MZ\x90\0"), sender=agent.email,
        ).replace(b"To: support@atalaya.test", b"To: " + asked.reply_to[0].encode())  # fmt: skip
        message = receive(box, raw)
        assert [f.name for f in message.reply.attachments.all()] == ["a.txt"]
        notes = ticket.replies.filter(kind="internal")
        assert any("a.exe" in note.body for note in notes)

    # The address alone, the sender alone, and both of two different agents prove nothing.
    def test_proof_is_address_and_sender(self, box, ticket, agent, asked):
        eve = make_agent(username="eve")
        for sender in ("eve@evil.test", eve.email):
            message = receive(box, self.answer(asked, agent, sender=sender))
            assert message.ticket != ticket
        forged = asked.reply_to[0].replace(f".{ticket.pk}.", f".{ticket.pk + 1}.")
        make_ticket()
        assert receive(box, self.answer(asked, agent, to=forged)).ticket != ticket
        assert not ticket.replies.filter(author=eve).exists()
        assert not OutboundMessage.objects.filter(ticket=ticket, kind="reply").exists()

    def test_a_sender_whom_the_server_found_forged_is_nobody(self, box, ticket, agent, asked):
        raw = b"Authentication-Results: mx.test; dmarc=fail\n" + self.answer(asked, agent)
        assert receive(box, raw).ticket != ticket
        assert not OutboundMessage.objects.filter(ticket=ticket, kind="reply").exists()

    def test_an_absence_notice_answers_nobody(self, box, ticket, agent, asked):
        raw = b"Auto-Submitted: auto-replied\n" + self.answer(asked, agent, text="On holiday")
        receive(box, raw)
        assert not ticket.replies.filter(body__contains="On holiday", kind="public").exists()

    def test_words_that_cannot_be_told_from_the_notice_are_a_note(self, box, ticket, agent, asked):
        text = f"ok\n>> {REPLY_MARK} inside\nmore of my words\n>> again {REPLY_MARK}"
        message = receive(box, mail(text, sender=agent.email, to=asked.reply_to[0]))
        if message.reply.kind == "public":
            assert REPLY_MARK not in message.reply.body
        else:
            assert not OutboundMessage.objects.filter(kind="reply").exists()

    def test_who_lost_the_right_answers_no_more(self, box, ticket, agent, asked):
        agent.is_staff = False
        agent.save()
        assert receive(box, self.answer(asked, agent)).ticket != ticket
        assert not OutboundMessage.objects.filter(kind="reply").exists()

    def test_a_closed_ticket_gets_the_words_as_a_note(self, box, ticket, agent, asked):
        update_ticket(actor=agent, ticket=ticket, changes={"status": "closed"})
        message = receive(box, self.answer(asked, agent))
        assert message.ticket == ticket
        assert "It is on its way." in ticket.replies.filter(kind="internal").last().body

    def test_it_can_be_switched_off(self, box, ticket, agent, asked):
        change_settings(actor=None, values={"support.answers_by_mail": False})
        receive(box, self.answer(asked, agent))
        assert not OutboundMessage.objects.filter(ticket=ticket, kind="reply").exists()


FORWARDS = {
    "gmail": "FYI, a nasty one\n\n---------- Forwarded message ---------\nFrom: Lola Flores "
    "<lola@c.test>\nDate: Mon, 4 May 2026\nSubject: Broken\nTo: <ada@corp.test>\n\nIt BROKE.",
    "outlook": "FYI, a nasty one\n\nFrom: Lola Flores <lola@c.test>\nSent: Monday, 4 May 2026\n"
    "To: Ada <ada@corp.test>\nSubject: Broken\n\nIt BROKE.",
    "outlook-es": "FYI, a nasty one\n\nDe: Lola Flores [mailto:lola@c.test]\nEnviado el: lunes\n"
    "Para: Ada\nAsunto: Broken\n\nIt BROKE.",
    "apple": "FYI, a nasty one\n\nBegin forwarded message:\n\n> From: Lola Flores <lola@c.test>\n"
    "> Subject: Broken\n> Date: 4 May 2026\n> To: ada@corp.test\n>\n> It BROKE.",
}


class TestForwarding:
    @pytest.mark.parametrize("layout", FORWARDS)
    def test_it_becomes_the_customers_ticket(self, box, agent, layout):
        message = receive(box, mail(FORWARDS[layout], sender=agent.email, subject="Fwd: Broken"))
        ticket = message.ticket
        assert (ticket.customer_email, ticket.requester_name) == ("lola@c.test", "Lola Flores")
        assert ticket.subject == "Broken"
        assert "BROKE" in message.reply.body
        shown = message.reply.body + message.reply.original_text + message.reply.original_html
        assert "nasty" not in shown
        note = ticket.replies.get(kind="internal")
        assert "nasty" in note.body
        assert not ticket.outbound.exists()

    @pytest.mark.parametrize("subject", ["Fwd: Broken", "Broken", ""])
    def test_also_as_a_file(self, box, agent, subject):
        inner = "From: Lola <lola@c.test>\nSubject: Broken\nMessage-ID: <l@c.test>\n\nIt BROKE."
        raw = multipart(("Content-Type: text/plain", "A nasty one"),
                        ("Content-Type: message/rfc822", inner),
                        sender=agent.email, subject=subject)  # fmt: skip
        message = receive(box, raw)
        assert message.ticket.customer_email == "lola@c.test"
        assert (message.reply.body, message.reply.original_text) == ("It BROKE.", "")
        assert "nasty" in message.ticket.replies.get(kind="internal").body
        answer = receive(box, mail("More", sender="lola@c.test", answers="<l@c.test>"))
        assert answer.ticket == message.ticket

    def test_of_a_member_it_is_theirs(self, box, agent, member, mine):
        text = FORWARDS["gmail"].replace("lola@c.test", member.email)
        message = receive(box, mail(text, sender=agent.email, subject="Fwd: Broken"))
        assert message.ticket.requester == member
        shown = mine.get(f"/api/tickets/{message.ticket_id}").json()
        assert "nasty" not in str(shown)

    @pytest.mark.parametrize(
        "text",
        [
            "---- Forwarded message ----\nFrom: Lola\nDate: x\nSubject: y\n\nIt broke.",
            "---- Forwarded message ----\nFrom: a@b.test, c@d.test\nDate: x\nTo: z\n\nX.",
            "---- Forwarded message ----\nFrom: support@atalaya.test\nDate: x\nTo: z\n\nX.",
            "From here on: I write\n\nTo you.",
        ],
    )
    def test_in_doubt_it_is_the_agents_own(self, box, agent, text):
        message = receive(box, mail(text, sender=agent.email, subject="Fwd: Broken"))
        assert message.ticket.customer_email == agent.email

    def test_a_customers_forward_stays_the_customers(self, box):
        message = receive(box, mail(FORWARDS["gmail"], subject="Fwd: Broken"))
        assert message.ticket.customer_email == "ana@example.com"


class TestSpam:
    @pytest.fixture
    def junk(self, box):
        return receive(box, mail("Buy", sender="spam@bad.test")).ticket

    def test_marked_blocked_and_taken_back(self, box, junk, desk):
        url = f"/api/admin/tickets/{junk.pk}"
        sent = junk.outbound.count()
        marked = desk.post(f"{url}/spam", {"block_sender": True}, format="json").json()
        assert marked["status"] == "closed"
        assert marked["spam_at"]
        again = receive(box, mail("Buy more", sender="spam+2@bad.test"))
        assert (again.status, again.kind) == ("ignored", "blocked")
        assert junk.outbound.count() == sent
        back = desk.post(f"{url}/not-spam").json()
        assert (back["status"], back["spam_at"]) == ("in_progress", None)
        assert receive(box, mail("Sorry", sender="spam@bad.test")).status == "processed"
        assert desk.post(f"{url}/not-spam").json()["code"] == "not_spam"

    def test_blocked_mail_is_listed_and_becomes_a_ticket_by_hand(self, box, desk):
        desk.post("/api/admin/blocked-senders", {"address": "@Bad.test"}, format="json")
        message = receive(box, mail("Hello", sender="a@mail.bad.test"))
        assert message.status == "ignored"
        assert desk.post(f"/api/admin/inbound-mail/{message.pk}/process").status_code == 200
        message.refresh_from_db()
        assert message.status == "processed"

    @pytest.mark.parametrize("address", ["x", "@", "@test", "support@atalaya.test", "a b@c.test"])
    def test_what_is_no_stranger_is_refused(self, box, desk, address):
        answer = desk.post("/api/admin/blocked-senders", {"address": address}, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "address"

    def test_a_colleague_is_never_blocked(self, box, desk, agent):
        body = {"address": agent.email}
        assert desk.post("/api/admin/blocked-senders", body, format="json").status_code == 400

    def test_the_page_tells_whose_rule_it_is_and_takes_it_back(self, box, agent, admin_client_for):
        browser, url = admin_client_for(agent), reverse("admin:support_blockedsender_changelist")
        values = {"address": "@Bad.test", "reason": "Casino adverts"}
        browser.post(reverse("admin:support_blockedsender_add"), values)
        rule = BlockedSender.objects.get()
        held = [receive(box, mail(f"{i}", sender=f"{i}@bad.test")) for i in range(2)]
        page = browser.get(url).content.decode()
        assert "Casino adverts" in page
        assert f'?blocked_by={rule.pk}">2</a>' in page
        listed = reverse("admin:support_inboundmessage_changelist")
        assert browser.get(listed, {"blocked_by": rule.pk}).context["cl"].result_count == 2
        data = {"action": "unblock_and_take_mail", "_selected_action": [rule.pk], "apply": "1"}
        browser.post(url, data)
        assert not BlockedSender.objects.exists()
        statuses = InboundMessage.objects.filter(pk__in=[m.pk for m in held])
        assert set(statuses.values_list("status", flat=True)) == {"processed"}

    def test_who_only_looks_sets_no_rule(self, box, agent, admin_client_for):
        auditor = StaffFactory(role="auditor")
        rule = block_sender(actor=agent, address="@bad.test")
        browser, url = admin_client_for(auditor), reverse("admin:support_blockedsender_changelist")
        assert browser.get(url).status_code == 200
        assert browser.get(reverse("admin:support_blockedsender_add")).status_code == 403
        browser.post(url, {"action": "unblock", "_selected_action": [rule.pk]})
        assert BlockedSender.objects.exists()

    def test_unblocking(self, box, desk):
        body = {"address": "a@bad.test", "reason": "junk"}
        row = desk.post("/api/admin/blocked-senders", body, format="json").json()
        receive(box, mail("Hi", sender="a@bad.test"))
        shown = desk.get("/api/admin/blocked-senders").json()["results"]
        assert [(one["reason"], one["held"]) for one in shown] == [("junk", 1)]
        assert (
            len(desk.get(f"/api/admin/inbound-mail?blocked_by={row['id']}").json()["results"]) == 1
        )
        assert desk.delete(f"/api/admin/blocked-senders/{row['id']}").status_code == 204
        assert receive(box, mail("Hi again", sender="a@bad.test")).status == "processed"


def test_a_bounce_is_told_to_whoever_wrote_the_answer(box, ticket, agent, member):
    other = make_agent(username="eve")
    reply_as_staff(actor=other, ticket=ticket, body="Hi",
                   attachments=[SimpleUploadedFile("a.txt", b"x")])  # fmt: skip
    ours = ticket.outbound.get(kind="reply")
    bounce = multipart(
        ("Content-Type: text/plain", "failed"),
        ("Content-Type: message/delivery-status", f"Reporting-MTA: dns; x\n\nFinal-Recipient: "
         f"rfc822; {member.email}\nAction: failed\nStatus: 5.1.1"),
        ("Content-Type: text/rfc822-headers", f"Message-ID: <{ours.message_id}>"),
        subtype='report; report-type="delivery-status"', sender="MAILER-DAEMON@x.test",
    )  # fmt: skip
    receive(box, bounce)
    assert told(agent) == ["bounced"]
    assert told(other) == ["bounced"]
