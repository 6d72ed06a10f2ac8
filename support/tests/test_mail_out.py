"""Mail to customers: written once, sent once, retried, given up in plain sight."""

import email

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from support.mail_bodies import REPLY_MARK
from support.mail_threading import number_of_address
from support.models import OutboundMessage
from support.services import reply_as_staff, retry, update_ticket
from support.services.mail_keys import address_keys
from support.services.mail_out import OUTBOX
from support.tests.factories import make_mailbox, make_ticket
from support.tests.mail_servers import SmtpServer
from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import problem
from systemadmin.models import Alert, AuditEntry, Notification

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(member):
    make_mailbox("support@atalaya.test", name="Support")
    return make_ticket(member, acknowledge=False)


def sent_reply(ticket, agent, **kwargs):
    reply = reply_as_staff(actor=agent, ticket=ticket, **{"body": "It is **here**.", **kwargs})
    return OutboundMessage.objects.get(reply=reply)


def test_an_answer_goes_to_the_customer_once(ticket, agent, member):
    message = sent_reply(ticket, agent)
    assert message.recipient == member.email
    drain()
    assert OUTBOX.deliver(message.pk) is False
    assert len(mail.outbox) == 1
    sent = mail.outbox[0]
    assert sent.subject == f"[{ticket.number}] Where is my order?"
    assert REPLY_MARK in sent.body
    assert "It is here." in sent.body
    assert "<strong>here</strong>" in sent.alternatives[0][0]
    assert number_of_address(sent.reply_to[0], address_keys()[0]) == ticket.number
    assert sent.from_email == "Support <support@atalaya.test>"
    message.refresh_from_db()
    assert message.status == "sent"


def test_a_note_goes_nowhere(ticket, agent):
    reply_as_staff(actor=agent, ticket=ticket, body="Careful.", internal=True)
    assert not OutboundMessage.objects.exists()


def test_files_go_along(ticket, agent):
    file = SimpleUploadedFile("bill.txt", b"12 EUR")
    message = sent_reply(ticket, agent, attachments=[file])
    OUTBOX.deliver(message.pk)
    assert mail.outbox[0].attachments[0].filename == "bill.txt"


def test_word_by_telegram_where_linked(ticket, agent, member):
    member.telegram_chat_id = "77"
    member.save()
    sent_reply(ticket, agent)
    notice = Notification.objects.get(channel="telegram")
    assert notice.user == member
    assert "It is here." in notice.body


def test_automatic_mail_says_so(member):
    make_mailbox()
    ticket = make_ticket(member)
    drain()
    headers = mail.outbox[0].extra_headers
    assert headers["Auto-Submitted"] == "auto-replied"
    assert headers["X-Atalaya-Ticket"] == ticket.number
    assert ticket.number in mail.outbox[0].subject


def test_no_more_confirmations_than_a_loop_deserves(member):
    for _ in range(9):
        make_ticket(member)
    assert OutboundMessage.objects.filter(kind="received").count() == 5


def test_resolution_is_announced_in_the_customers_language(ticket, agent):
    update_ticket(actor=agent, ticket=ticket, changes={"status": "resolved"})
    assert OutboundMessage.objects.filter(kind="resolved").count() == 1


def test_demo_people_get_no_mail(agent, member):
    member.is_demo = True
    member.save()
    ticket = make_ticket(member)
    reply_as_staff(actor=agent, ticket=ticket, body="x")
    assert not OutboundMessage.objects.exists()


class TestWithARealServer:
    @pytest.fixture
    def smtp(self, settings):
        with SmtpServer() as server:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
            settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
            settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
            settings.EMAIL_TIMEOUT = 5
            yield server

    def test_arrives_as_it_should(self, ticket, agent, smtp):
        first, second = sent_reply(ticket, agent), sent_reply(ticket, agent, body="And here.")
        assert OUTBOX.deliver(first.pk)
        assert OUTBOX.deliver(second.pk)
        got = [email.message_from_bytes(e.content) for e in smtp.inbox.mails]
        assert got[0]["Message-ID"] == f"<{first.message_id}>"
        assert got[1]["In-Reply-To"] == f"<{first.message_id}>"
        assert f"<{first.message_id}>" in got[1]["References"]
        assert {part.get_content_type() for part in got[0].walk()} >= {"text/plain", "text/html"}

    def test_is_tried_again_until_it_works(self, ticket, agent, smtp):
        message = sent_reply(ticket, agent)
        smtp.inbox.answers = ["451 try later", "451 try later"]
        assert not OUTBOX.deliver(message.pk)
        message.refresh_from_db()
        assert (message.status, message.attempts) == ("pending", 1)
        assert "451" in message.last_error
        assert OUTBOX.deliver_due() == []  # not due yet
        for _ in range(2):
            OutboundMessage.objects.update(next_attempt_at=timezone.now())
            OUTBOX.deliver_due()
        message.refresh_from_db()
        assert message.status == "sent"
        assert len(smtp.inbox.mails) == 1

    def test_a_final_no_is_a_dead_letter(self, ticket, agent, smtp):
        message = sent_reply(ticket, agent)
        smtp.inbox.answers = ["554 never"]
        OUTBOX.deliver(message.pk)
        message.refresh_from_db()
        assert message.status == "failed"
        assert Alert.objects.get(rule="support.mail_dead").key == str(message.pk)
        retry(actor=agent, message=message)
        assert OUTBOX.deliver(message.pk)
        assert Alert.objects.get(rule="support.mail_dead").status == Alert.Status.RESOLVED

    def test_after_every_attempt_it_is_given_up(self, ticket, agent, smtp):
        message = sent_reply(ticket, agent)
        smtp.inbox.answers = ["451 no"] * 10
        for _ in range(8):
            OutboundMessage.objects.filter(status="pending").update(next_attempt_at=timezone.now())
            OUTBOX.deliver(message.pk)
        message.refresh_from_db()
        assert (message.status, message.attempts) == ("failed", 6)

    def test_nobody_there_is_tried_later(self, ticket, agent, settings, smtp):
        settings.EMAIL_PORT = 1
        message = sent_reply(ticket, agent)
        assert not OUTBOX.deliver(message.pk)
        message.refresh_from_db()
        assert message.status == "pending"


def test_what_a_dead_worker_held_goes_out_under_the_same_id(ticket, agent):
    message = sent_reply(ticket, agent)
    OutboundMessage.objects.update(attempts=1, next_attempt_at=timezone.now() + OUTBOX.lease)
    assert not OUTBOX.deliver(message.pk)
    OutboundMessage.objects.update(next_attempt_at=timezone.now())
    assert OUTBOX.deliver_due() == [True]
    assert mail.outbox[0].extra_headers["Message-ID"] == f"<{message.message_id}>"


def test_over_the_api(desk, ticket, agent):
    message = sent_reply(ticket, agent)
    OutboundMessage.objects.update(status="failed")
    rows = desk.get("/api/admin/outbound-mail", {"status": "failed"}).json()["results"]
    assert [row["id"] for row in rows] == [message.pk]
    again = desk.post(f"/api/admin/outbound-mail/{message.pk}/retry")
    assert again.json()["status"] == "pending"
    twice = desk.post(f"/api/admin/outbound-mail/{message.pk}/retry")
    problem(twice, 409, "mail_not_failed")
    assert AuditEntry.objects.filter(action="support.mail.retried").count() == 1
