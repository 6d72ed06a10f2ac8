"""A ticket's whole way by mail, through a real IMAP server in and a real SMTP server out."""

import email
import email.policy

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from support.models import AgentNotice, FileLink, OutboundMessage, Ticket
from support.services import fetching, reply_as_staff
from support.services.mail_out import OUTBOX
from support.tests.factories import make_mailbox
from support.tests.mail_servers import DOVECOT, ImapServer, SmtpServer
from support.tests.mail_texts import mail, multipart
from systemadmin.foundation.queue import drain

pytestmark = [
    pytest.mark.skipif(not DOVECOT, reason="needs dovecot-imapd"),
    pytest.mark.django_db(transaction=True),
]
MEGABYTE = 1024 * 1024


@pytest.fixture
def imap(settings):
    settings.OUTGOING_PRIVATE_HOSTS = ["127.0.0.1"]
    with ImapServer() as server:
        yield server


@pytest.fixture
def smtp(settings):
    with SmtpServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_TIMEOUT = 30
        yield server


@pytest.fixture
def box(imap):
    box = make_mailbox(host="127.0.0.1", port=imap.port, use_tls=False, username="desk")
    fetching.set_password(box, "secret")
    box.save()
    return box


def arrive(imap, box, *mails):
    """Put mails into the IMAP folder, fetch them, and do what they cause."""
    imap.put(*mails)
    assert fetching.fetch(box) == len(mails)
    drain()
    OUTBOX.deliver_due()


def parsed(envelope):
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


def test_from_the_question_to_a_loop(imap, smtp, box, agent):
    arrive(imap, box, mail("Where is it?", Cc="Beto <beto@b.test>", message_id="<q@a.test>"))
    ticket = Ticket.objects.get()
    acknowledged = smtp.inbox.mails.pop()
    assert acknowledged.rcpt_tos == ["ana@example.com"]

    # An answer to all, with 12 MB of files.
    files = [SimpleUploadedFile(f"{n}.pdf", b"%PDF-1.4 " + b"x" * (4 * MEGABYTE)) for n in "abc"]
    reply = reply_as_staff(actor=agent, ticket=ticket, body="See.", attachments=files, to_all=True)
    drain()
    sent = {envelope.rcpt_tos[0]: envelope for envelope in smtp.inbox.mails}
    assert {len(envelope.rcpt_tos) for envelope in sent.values()} == {1}
    assert sorted(sent) == ["ana@example.com", "beto@b.test"]
    for envelope in sent.values():
        got = parsed(envelope)
        assert (got["To"], got["Cc"]) == ("ana@example.com", "beto@b.test")
        assert [part.get_filename() for part in got.iter_attachments()] == ["a.pdf", "b.pdf"]
        text = got.get_body(("plain",)).get_content()
        assert "c.pdf: http" in text
        assert len(envelope.content) < 15 * MEGABYTE
    assert FileLink.objects.count() == 2

    # Beto's copy comes back.
    copy = OutboundMessage.objects.get(reply=reply, recipient="beto@b.test")
    bounce = multipart(
        ("Content-Type: text/plain", "It could not be delivered."),
        ("Content-Type: message/delivery-status", "Reporting-MTA: dns; mx.b.test\n\n"
         "Final-Recipient: rfc822; beto@b.test\nAction: failed\nStatus: 5.1.1"),
        ("Content-Type: text/rfc822-headers", f"Message-ID: <{copy.message_id}>"),
        subtype='report; report-type="delivery-status"', sender="MAILER-DAEMON@mx.b.test",
    )  # fmt: skip
    arrive(imap, box, bounce)
    statuses = dict(OutboundMessage.objects.filter(reply=reply).values_list("recipient", "status"))
    assert statuses == {"ana@example.com": "sent", "beto@b.test": "bounced"}
    assert AgentNotice.objects.filter(user=agent, event="bounced").count() == 1

    # Ana forwards the answer to Carla, who answers it: nothing proves that Carla takes part.
    ours = OutboundMessage.objects.get(reply=reply, recipient="ana@example.com")
    arrive(
        imap, box, mail("I am her sister", sender="carla@c.test", answers=f"<{ours.message_id}>",
                        message_id="<c@c.test>"),
    )  # fmt: skip
    other = Ticket.objects.exclude(pk=ticket.pk).get()
    message = other.inbound.get()
    assert (other.customer_email, message.may_belong_to) == ("carla@c.test", ticket)

    # Another desk answers each of our mails by itself.
    smtp.inbox.mails.clear()
    for number in range(5):
        fields = {"answers": f"<{ours.message_id}>", "message_id": f"<ack{number}@other.test>"}
        ack = mail("Ticket #7 received", sender="help@other.test", Auto_Submitted="auto-replied",
                   **fields)  # fmt: skip
        arrive(imap, box, ack)
    assert smtp.inbox.mails == []
    assert Ticket.objects.count() == 2
    assert ticket.replies.filter(kind="internal", body__contains="Ticket #7").count() == 5
    ticket.refresh_from_db()
    assert ticket.status == "waiting_customer"
