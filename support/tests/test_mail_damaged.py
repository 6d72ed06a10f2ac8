"""Mails as programs really send them, each broken in a way of its own: no word and no file lost."""

import base64

import pytest

from support.mail_parsing import parse_mail
from support.models import Ticket
from support.services import process_again
from support.tests.factories import make_mailbox
from support.tests.mail_texts import mail, multipart, receive

PDF = base64.encodebytes(b"%PDF-1.4 x").decode()
FILE = (
    "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n"
    'Content-Disposition: attachment; filename="a.pdf"'
)


def test_base64_in_one_long_line_is_text():
    words = "Una palabra muy larga. " * 200
    raw = (
        b"From: ana@a.test\nSubject: x\nContent-Type: text/plain; charset=utf-8\n"
        b"Content-Transfer-Encoding: base64\n\n" + base64.b64encode(words.encode())
    )
    assert parse_mail(raw).text == words.strip()


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", None])
def test_one_broken_character_spoils_no_other(charset):
    words = "Где мой заказ? Añadí señales".encode()
    kind = f"; charset={charset}" if charset else ""
    raw = b"From: a@a.test\nContent-Type: text/plain%s\n\n%s \xd1\n" % (kind.encode(), words)
    shown = parse_mail(raw).text
    if charset != "iso-8859-1":
        assert shown.startswith("Где мой заказ? Añadí señales")
    assert "señales" in parse_mail(mail("señales y más".encode("latin-1"), charset="utf-8")).text


@pytest.mark.parametrize("spaces", [" ", "\t"])
def test_a_line_of_spaces_inside_a_field_ends_no_header(spaces):
    raw = (
        f"From: ana@a.test\nTo: beto@b.test,\n{spaces}\n\teva@c.test\nSubject: Where\n\nHola"
    ).encode()
    read = parse_mail(raw)
    assert (read.subject, read.text) == ("Where", "Hola")
    assert "eva@c.test" in read.recipients


def test_a_line_of_spaces_above_the_text_ends_the_header():
    raw = b"From: ana@a.test\nSubject: Where\n \n  Hola\nOrder: 7\n\nmore"
    read = parse_mail(raw)
    assert (read.subject, read.text) == ("Where", "Hola\nOrder: 7\n\nmore")


@pytest.mark.parametrize("inner", ["alternative", "related"])
def test_files_behind_inner_parts_with_the_boundary_of_the_outer_ones(inner):
    text = (
        f'Content-Type: multipart/{inner}; boundary="B"',
        "--B\nContent-Type: text/plain\n\nHola\n--B--\n",
    )
    read = parse_mail(multipart(text, (FILE, PDF)))
    assert (read.text, [file.name for file in read.attachments]) == ("Hola", ["a.pdf"])


def test_a_boundary_that_is_folded_at_its_space():
    raw = (
        b'From: ana@a.test\nContent-Type: multipart/mixed; boundary="one\n two"\n\n'
        b"--one two\n\nHola\n--one two\n" + f"{FILE}\n\n{PDF}".encode() + b"--one two--\n"
    )
    read = parse_mail(raw)
    assert (read.text, [file.name for file in read.attachments]) == ("Hola", ["a.pdf"])


def test_line_ends_of_old_macs():
    read = parse_mail(mail("Hola\n\nque tal", subject="Mac").replace(b"\n", b"\r"))
    assert (read.subject, read.text) == ("Mac", "Hola\n\nque tal")


@pytest.mark.django_db
class TestTickets:
    def test_a_text_with_the_name_of_a_file_is_shown_where_nothing_else_is(self):
        """Gateways of telephones write so."""
        part = ("Content-Type: text/plain; name=text_0.txt", "zanahoria del movil")
        message = receive(make_mailbox(), multipart(part, (FILE, PDF)))
        assert message.reply.body == "zanahoria del movil"
        assert message.ticket in Ticket.objects.found_by("zanahoria")
        names = message.reply.attachments.order_by("pk").values_list("name", flat=True)
        assert list(names) == ["text_0.txt", "a.pdf"]

    def test_beside_a_text_it_is_a_file(self):
        part = ("Content-Type: text/plain; name=log.txt", "zanahoria")
        read = parse_mail(multipart(("Content-Type: text/plain", "See"), part))
        assert (read.full_text, read.attachments[0].name) == ("See", "log.txt")

    def test_an_empty_file_is_named(self):
        text = ("Content-Type: text/plain", "See")
        message = receive(make_mailbox(), multipart(text, (FILE, "")))
        assert "a.pdf" in message.ticket.replies.get(kind="internal").body

    def test_without_any_usual_field_it_is_a_ticket_with_its_files_by_hand(self, agent):
        raw = multipart(("Content-Type: text/plain", "Hola"), (FILE, PDF))
        raw = raw[raw.index(b"MIME-Version") :]
        message = receive(make_mailbox(), raw)
        assert (message.status, message.reason) == ("failed", "It names no sender.")
        reply = process_again(actor=agent, message=message).reply
        assert (reply.body, reply.attachments.get().name) == ("Hola", "a.pdf")
