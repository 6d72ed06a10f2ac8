"""Bounces, complaints and automatic answers: tied to the answer, told to its agent."""

import pytest

from support.models import AgentNotice, OutboundMessage, Ticket
from support.services import process_again, reply_as_staff, retry
from support.tests.factories import make_mailbox
from support.tests.mail_texts import mail, multipart, receive
from support.worklists import WORKLISTS
from systemadmin.models import Alert

pytestmark = pytest.mark.django_db


@pytest.fixture
def answer(db, agent):
    """An answer to Ana, who wrote by mail, sent by Ada."""
    ticket = receive(make_mailbox(), mail(message_id="<q@example.com>")).ticket
    reply_as_staff(actor=agent, ticket=ticket, body="Here it is", status="resolved")
    answer = OutboundMessage.objects.get(ticket=ticket, kind="reply")
    OutboundMessage.objects.filter(pk=answer.pk).update(status="sent")
    return answer


def box_of(answer):
    return answer.ticket.inbound.first().mailbox


def report(answer, status, *, sender="MAILER-DAEMON@mx.test", returned=None, **fields):
    head = f"From: support@atalaya.test\nMessage-ID: <{answer.message_id}>\n\nHere it is"
    return multipart(
        ("Content-Type: text/plain", "A report."),
        ("Content-Type: message/delivery-status", f"Reporting-MTA: dns; mx.test\n\n{status}"),
        returned or ("Content-Type: message/rfc822", head),
        subtype="report; report-type=delivery-status",
        sender=sender,
        **fields,
    )


FAILED = "Final-Recipient: rfc822; ana@example.com\nAction: failed\nStatus: 5.1.1\n"


@pytest.mark.parametrize("sender", ["MAILER-DAEMON@mx.test", "MAILER-DAEMON (Mail System)", "<>"])
def test_a_failed_delivery_marks_the_answer_and_notifies_its_agent(answer, agent, sender):
    message = receive(box_of(answer), report(answer, FAILED, sender=sender))
    answer.refresh_from_db()
    assert (message.kind, message.status) == ("bounce", "processed")
    assert message.ticket == answer.ticket
    assert answer.status == "bounced"
    assert Alert.objects.get(rule="support.mail_bounced").key == str(answer.pk)
    assert AgentNotice.objects.filter(user=agent, event="bounced").exists()
    counts = {str(row.title): row.count(agent) for row in WORKLISTS}
    assert counts["Answers that came back"] == 1
    retry(actor=agent, message=answer)
    assert Alert.objects.get(rule="support.mail_bounced").status == "resolved"


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_has_not_failed_is_no_bounce(answer, action):
    status = f"Final-Recipient: rfc822; ana@example.com\nAction: {action}\nStatus: 4.4.1\n"
    message = receive(box_of(answer), report(answer, status))
    answer.refresh_from_db()
    assert answer.status == "sent"
    assert message.ticket == answer.ticket
    assert not Alert.objects.filter(rule="support.mail_bounced").exists()


def returned_headers(answer):
    return f"Message-ID:\n <{answer.message_id}>\n"


BOUNCES = {
    "headers only": lambda a: report(
        a, FAILED, returned=("Content-Type: text/rfc822-headers", f"Message-ID: <{a.message_id}>\n")
    ),
    "an international report": lambda a: report(a, FAILED).replace(
        b"message/delivery-status", b"message/global-delivery-status"
    ),
    "qmail": lambda a: mail(
        "Hi. This is the qmail-send program at mx.test.\n<ana@example.com>:\nno mailbox\n\n"
        f"--- Below this line is a copy of the message.\n\nMessage-ID: <{a.message_id}>\n",
        sender="MAILER-DAEMON@mx.test", subject="failure notice",
    ),
    "Exim": lambda a: mail(
        f"A message that you sent could not be delivered.\n\n{returned_headers(a)}",
        sender="Mail Delivery System <mailer-daemon@mx.test>",
        subject="Mail delivery failed: returning message to sender",
        X_Failed_Recipients="ana@example.com",
    ),
    "postmaster": lambda a: mail(
        f"Your message did not reach some recipients.\n{returned_headers(a)}",
        sender="System Administrator <postmaster@mx.test>", subject="Undeliverable: Here it is",
    ),
    "a subject in Chinese": lambda a: mail(
        f"{returned_headers(a)}", sender="postmaster@qq.test", subject="系统退信",
        Auto_Submitted="auto-replied",
    ),
    "In-Reply-To only": lambda a: mail(
        "No such person", sender="MAILER-DAEMON@mx.test", subject="Delivery failure",
        answers=f"<{a.message_id}>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNCES)
def test_common_forms_of_bounces_find_their_answer(answer, name):
    message = receive(box_of(answer), BOUNCES[name](answer))
    answer.refresh_from_db()
    assert (message.kind, message.ticket) == ("bounce", answer.ticket)
    assert answer.status == "bounced"
    answer.ticket.refresh_from_db()
    assert answer.ticket.status == "resolved"


def test_a_warning_of_the_old_form_has_not_failed(answer):
    message = receive(
        box_of(answer),
        mail(f"Warning: still being retried\n{returned_headers(answer)}",
             sender="MAILER-DAEMON@mx.test", subject="Warning: message delayed 4 hours"),
    )  # fmt: skip
    answer.refresh_from_db()
    assert (message.ticket, answer.status) == (answer.ticket, "sent")


def test_a_complaint_is_noted_and_told(answer, agent):
    raw = multipart(
        ("Content-Type: text/plain", "An abuse report."),
        ("Content-Type: message/feedback-report", "Feedback-Type: abuse\n"),
        ("Content-Type: message/rfc822", f"Message-ID: <{answer.message_id}>\n\nx"),
        subtype="report; report-type=feedback-report",
        sender="fbl@provider.test",
    )
    message = receive(box_of(answer), raw)
    answer.refresh_from_db()
    assert (message.kind, message.ticket, answer.status) == ("complaint", answer.ticket, "sent")
    assert AgentNotice.objects.filter(user=agent, event="bounced").exists()


AUTOMATIC = {
    "RFC 3834": {"Auto_Submitted": "auto-replied (vacation)"},
    "generated": {"Auto_Submitted": "auto-generated"},
    "Precedence: bulk": {"Precedence": "bulk"},
    "Precedence: junk": {"Precedence": "junk"},
    "Precedence: auto_reply": {"Precedence": "auto_reply"},
    "X-Precedence": {"X_Precedence": "auto_reply"},
    "X-Autoreply": {"X_Autoreply": "yes"},
    "X-Autorespond": {"X_Autorespond": "x"},
    "X-Autogenerated": {"X_Autogenerated": "Reply"},
    "X-Auto-Reply": {"X_Auto_Reply": "1"},
    "FirstClass": {"X_FC_MachineGenerated": "true"},
    "Novell": {"X_POST_MessageClass": "9; Autoresponder"},
    "null sender": {"Return_Path": "<>"},
    "subject": {"subject": "Automatic reply: Pedido"},
    "subject in Spanish": {"subject": "Respuesta automática: Pedido"},
    "subject in French": {"subject": "Répondeur automatique\xa0: Pedido"},
    "subject in German": {"subject": "Abwesenheit: Pedido"},
    "subject of Yahoo": {"subject": "Yahoo! Auto Response"},
}


@pytest.mark.parametrize("name", AUTOMATIC)
def test_automatic_answers_neither_reopen_nor_are_answered(answer, name):
    before = OutboundMessage.objects.count()
    fields = {"subject": "Re: Help", **AUTOMATIC[name]}
    message = receive(box_of(answer), mail("Away.", answers=f"<{answer.message_id}>", **fields))
    answer.ticket.refresh_from_db()
    assert (message.kind, message.ticket) == ("auto_reply", answer.ticket)
    assert message.reply.is_internal
    assert answer.ticket.status == "resolved"
    assert OutboundMessage.objects.count() == before


def test_a_read_receipt_moves_nothing(answer):
    raw = multipart(
        ("Content-Type: text/plain", "It was displayed."),
        ("Content-Type: message/disposition-notification",
         f"Original-Message-ID: <{answer.message_id}>\nDisposition: manual-action; displayed\n"),
        subtype="report; report-type=disposition-notification",
        answers=f"<{answer.message_id}>",
    )  # fmt: skip
    message = receive(box_of(answer), raw)
    answer.ticket.refresh_from_db()
    assert (message.kind, message.ticket) == ("auto_reply", answer.ticket)
    assert answer.ticket.status == "resolved"


PERSONS = {
    "called postmaster": {
        "sender": "postmaster@company.test", "subject": "Question about my order",
    },
    "postmaster about goods": {
        "sender": "Ana <postmaster@company.test>", "subject": "Undeliverable parcel",
        "answers": "<x@company.test>",
    },
    "subject begins so": {
        "subject": "Respuesta automática de su tienda", "X_Auto_Response_Suppress": "DR, OOF"
    },
    "web form": {"Auto_Submitted": "auto-generated", "reply_to": "lola@a.test"},
    "web form that says replied": {"Auto_Submitted": "auto-replied", "reply_to": "lola@a.test"},
    "foreign loop field": {"X_Atalaya_Ticket": "T-2026-000001"},
    "a firm that delivers": {"sender": "mail-delivery-peru@courier.test"},
}  # fmt: skip


@pytest.mark.parametrize("name", PERSONS)
def test_a_person_is_no_noise(name):
    message = receive(make_mailbox(), mail("Please help", **PERSONS[name]))
    assert message.status == "processed"
    assert message.reply.body == "Please help"


def test_whoever_forwards_a_report_is_a_person():
    raw = multipart(
        ("Content-Type: text/plain", "My mail to the seller came back."),
        ("Content-Type: message/delivery-status", f"Reporting-MTA: dns; mx.test\n\n{FAILED}"),
        ("Content-Type: message/rfc822", "Subject: Parcel\n\nWhere is it?"),
        subject="Fwd: Undelivered",
    )
    message = receive(make_mailbox(), raw)
    assert (message.kind, message.status) == ("message", "processed")
    assert "came back" in message.reply.body
    assert "Status: 5.1.1" in message.reply.body
    assert [file.name for file in message.reply.attachments.all()] == ["Parcel.eml"]


def test_what_a_program_sends_is_not_acknowledged():
    message = receive(make_mailbox(), mail(Auto_Submitted="auto-generated"))
    assert message.status == "processed"
    assert not OutboundMessage.objects.exists()


def test_noise_is_listed_and_becomes_a_ticket_by_hand(desk, agent):
    message = receive(make_mailbox(), mail("Away", Auto_Submitted="auto-replied"))
    assert (message.status, Ticket.objects.count()) == ("ignored", 0)
    rows = desk.get("/api/admin/inbound-mail", {"status": "ignored"}).json()["results"]
    assert [row["id"] for row in rows] == [message.pk]
    counts = {str(row.title): row.count(agent) for row in WORKLISTS}
    assert counts["Mail set aside in the last seven days"] == 1
    process_again(actor=agent, message=message)
    assert Ticket.objects.get().requester_email == "ana@example.com"
