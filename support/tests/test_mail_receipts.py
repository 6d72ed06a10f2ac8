"""Receipts and answers to invitations move no ticket; the words of a person do."""

import pytest

from support.models import OutboundMessage
from support.services import reply_as_staff
from support.tests.factories import make_mailbox
from support.tests.mail_texts import mail, multipart, receive

pytestmark = pytest.mark.django_db


@pytest.fixture
def answer(db, agent):
    """An answer to Ana, on a ticket that is resolved."""
    ticket = receive(make_mailbox(), mail(message_id="<q@example.com>")).ticket
    reply_as_staff(actor=agent, ticket=ticket, body="Here it is", status="resolved")
    return OutboundMessage.objects.get(ticket=ticket, kind="reply")


def take(answer, raw):
    """Receive a mail that answers ours; returns it and the ticket's status."""
    message = receive(answer.ticket.inbound.first().mailbox, raw)
    answer.ticket.refresh_from_db()
    assert message.ticket == answer.ticket
    return message, answer.ticket.status


RECEIPTS = {
    "outlook": ("Read: Your order", "Your message\n\n   To: Ana Ruiz\n   Subject: Your order\n"
                "   Sent: Monday, May 4, 2026 10:00:00 AM (UTC+01:00) Madrid\n\n"
                " was read on Monday, May 4, 2026 10:05:00 AM (UTC+01:00) Madrid."),
    "outlook es": ("Leído: Tu pedido", "Su mensaje\n\n   Para: Ana\n   Asunto: Tu pedido\n"
                   "   Enviados: lunes, 4 de mayo de 2026 10:00:00 (UTC+01:00) Madrid\n\n"
                   " fue leído el lunes, 4 de mayo de 2026 10:05:00 (UTC+01:00) Madrid."),
    "outlook de": ("Gelesen: Ihre Bestellung", "Ihre Nachricht\n\n   An: Ana\n"
                   "   Betreff: Ihre Bestellung\n   Gesendet: Montag, 4. Mai 2026 10:00\n\n"
                   "wurde am Montag, 4. Mai 2026 10:05 gelesen."),
    "outlook fr": ("Lu : Votre commande", "Votre message\n\n   À : Ana\n   Objet : Votre commande\n"
                   "   Envoyé : lundi 4 mai 2026 10:00\n\na été lu le lundi 4 mai 2026 10:05."),
    "outlook pt": ("Lida: Seu pedido", "A sua mensagem\n\n   Para: Ana\n   Assunto: Seu pedido\n"
                   "   Enviada: segunda-feira, 4 de maio de 2026\n\nfoi lida em 4 de maio."),
    "deleted": ("Not read: Your order", "Your message\n\n   To: Ana\n   Subject: Your order\n\n"
                "was deleted without being read on Monday, May 4, 2026."),
    "thunderbird": ("Return Receipt (displayed) - Your order",
                    "This is a Return Receipt for the mail that you sent to ana@example.com.\n\n"
                    "Note: This Return Receipt only acknowledges that the message was displayed on "
                    "the recipient's computer. There is no guarantee that the recipient has read "
                    "or understood the message contents."),
    "roundcube": ("Return Receipt (read): Your order",
                  "This is a Return Receipt for your message.\n\nNote: This receipt only "
                  "acknowledges that the message was displayed on the recipient's computer. "),
    "empty": ("Leído: Tu pedido", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", RECEIPTS)
def test_a_receipt_in_plain_text(answer, name):
    subject, text = RECEIPTS[name]
    raw = mail(text, subject=subject, answers=f"<{answer.message_id}>")
    message, status = take(answer, raw)
    assert (message.kind, status) == ("auto_reply", "resolved")
    assert message.reply.is_internal


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Leído: Tu pedido", "Lo he leído y no estoy de acuerdo. Llámame."),
        ("Read: Your order", "Your message\n\nwas read on Monday.\n\nBut where is my money?"),
        ("Read: the contract", "was it you who wrote this?"),
        ("Re: Your order", "Your message was read on Monday, thank you"),
        ("Aceptado: su oferta", "Acepto la oferta de 20 euros"),
        ("Lu et approuvé", "Voici le document signé"),
    ],
)
def test_a_person_under_such_a_subject(answer, subject, text):
    message, status = take(answer, mail(text, subject=subject, answers=f"<{answer.message_id}>"))
    assert (message.kind, status) == ("message", "in_progress")
    assert message.reply.is_from_customer


def calendar(*lines, program="Microsoft Exchange Server 2010", method="REPLY"):
    return "\r\n".join(
        ["BEGIN:VCALENDAR", f"METHOD:{method}", f"PRODID:{program}", "BEGIN:VEVENT",
         "SUMMARY:Llamada sobre su pedido", "LOCATION:Microsoft Teams", *lines,
         "DTSTART:20260504T100000Z", "END:VEVENT", "END:VCALENDAR", ""]
    )  # fmt: skip


def invitation(answer, text, source, *, subject="Accepted: Call", is_inline=True):
    kind = "text/calendar; method=REPLY" if is_inline else "application/ics; name=invite.ics"
    return multipart(
        ("Content-Type: text/plain; charset=utf-8", text),
        (f"Content-Type: {kind}; charset=utf-8", source),
        subtype="alternative" if is_inline else "mixed",
        subject=subject,
        answers=f"<{answer.message_id}>",
    )


GOOGLE = "-//Google Inc//Google Calendar 70.9054//EN"
ACCEPTED = "ATTENDEE;PARTSTAT=ACCEPTED;CN=Ana:mailto:ana@example.com"


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("", "Microsoft Exchange Server 2010"),
        ("Get Outlook for iOS", "Microsoft Exchange Server 2010"),
        ("\n-----Original Appointment-----\nFrom: Help <support@atalaya.test>\nSubject: Call\n",
         "Microsoft Corporation//Outlook 16.0 MIMEDIR//EN"),
        ("Ana Ruiz has accepted this invitation.\n\nLlamada sobre su pedido\n4 May\n", GOOGLE),
        ("Ana Ruiz ha aceptado la invitación al evento:\n\nLlamada sobre su pedido\n"
         "Cuándo: lunes 4 de mayo\nDónde: Microsoft Teams", "-//Apple Inc.//Mac OS X 14//EN"),
    ],
    ids=["outlook", "phone", "outlook with the invitation", "google", "apple"],
)  # fmt: skip
@pytest.mark.parametrize("is_inline", [True, False])
def test_an_answer_to_an_invitation(answer, text, program, is_inline):
    raw = invitation(answer, text, calendar(ACCEPTED, program=program), is_inline=is_inline)
    message, status = take(answer, raw)
    assert (message.kind, status) == ("auto_reply", "resolved")


def test_one_whose_calendar_was_taken_out(answer):
    raw = mail("", subject="Declined: Call", answers=f"<{answer.message_id}>")
    assert take(answer, raw)[1] == "resolved"


@pytest.mark.parametrize(
    ("text", "lines", "program", "said"),
    [
        ("Puedo a las 11, no a las 10", [ACCEPTED], "Microsoft Exchange Server 2010",
         "Puedo a las 11"),
        ("Ana has accepted this invitation.",
         ['ATTENDEE;PARTSTAT=ACCEPTED;X-RESPONSE-COMMENT="I will be late":mailto:ana@example.com'],
         GOOGLE, "I will be late"),
        ("", [ACCEPTED, "COMMENT;LANGUAGE=es:Llego tarde\\, lo siento"], "Outlook",
         "Llego tarde, lo siento"),
    ],
    ids=["outlook", "google", "comment"],
)  # fmt: skip
def test_words_of_a_person_beside_their_answer(answer, text, lines, program, said):
    message, status = take(answer, invitation(answer, text, calendar(*lines, program=program)))
    assert (message.kind, status) == ("message", "in_progress")
    assert said in message.reply.body


def test_a_new_time_and_an_invitation_are_mail_of_a_person(answer):
    for method in ("COUNTER", "REQUEST"):
        source = calendar(ACCEPTED, method=method)
        message, status = take(answer, invitation(answer, "", source, subject="New time"))
        assert (message.kind, status) == ("message", "in_progress")
