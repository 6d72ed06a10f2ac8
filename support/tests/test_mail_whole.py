"""Every mail ends somewhere that people see, with every word and every file it brought."""

import base64
import contextlib
import io
import zipfile

import pytest
from django.db import transaction
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.mail_parsing import parse_mail
from support.mail_signed import DATA, SIGNED_DATA, signed_mail
from support.models import InboundMessage, Ticket
from support.services import process_again, process_mail, store_mail
from support.services.mail_in import sweep_inbox
from support.tests.factories import make_mailbox, make_ticket
from support.tests.mail_texts import mail, multipart, receive
from systemadmin.foundation.testing import processor_seconds
from systemadmin.tests.pictures import HEIC

pytestmark = pytest.mark.django_db


@pytest.fixture
def box(db):
    return make_mailbox()


class TestNothingStopsTheLine:
    @pytest.mark.parametrize(
        "sender", ["root@servidor1", "a..b@docomo.example", "josé@correo.example", ".a@b.test"]
    )
    def test_senders_that_forms_refuse_open_tickets(self, box, sender):
        message = receive(box, mail(sender=sender))
        assert message.status == "processed"
        assert message.ticket.requester_email == sender

    def test_one_that_fails_holds_no_other(self, box, monkeypatch):
        mails = [
            store_mail(mailbox=box, raw=mail(f"{i}", message_id=f"<{i}@x.test>"))[0] for i in "abc"
        ]
        original = parse_mail

        def broken(raw, **kwargs):
            if b"<b@" in raw:
                raise RuntimeError("a bug of ours")
            return original(raw, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr("support.services.mail_in.parse_mail", broken)
            sweep_inbox()
        statuses = [InboundMessage.objects.get(pk=m.pk).status for m in mails]
        assert statuses == ["processed", "received", "processed"]

    @pytest.mark.parametrize(
        "raw",
        [b"", b"\x00\x01 nothing", b"Subject: no sender\n\nHola", b"From: ana@a.test\n" * 3
         + b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (i, i)
                    for i in range(400))],
        ids=["empty", "no mail", "no sender", "too many parts"],
    )  # fmt: skip
    def test_what_cannot_be_read_is_listed_and_becomes_a_ticket_by_hand(
        self, box, raw, desk, agent
    ):
        message = receive(box, raw)
        assert message.status == "failed"
        rows = desk.get("/api/admin/inbound-mail", {"status": "failed"}).json()["results"]
        assert [row["id"] for row in rows] == [message.pk]
        done = process_again(actor=agent, message=message)
        assert done.status == "processed"
        assert done.ticket.replies.filter(is_from_customer=True).exists()
        assert not done.ticket.outbound.exists()

    def test_the_raw_mail_is_linked_from_the_ticket(self, box, desk):
        message = receive(box, mail("Hola"))
        reply = desk.get(f"/api/admin/tickets/{message.ticket_id}").json()["replies"][0]
        raw = desk.get(f"/api/admin/inbound-mail/{reply['inbound_mail']}/raw")
        assert b"".join(raw.streaming_content) == mail("Hola")


class TestEveryWord:
    def test_what_is_folded_is_shown_on_demand_and_found(self, box, desk, mine, member):
        text = "Thanks\n\nOn 4 May 2026, Help <support@atalaya.test> wrote:\n> zanahoria"
        message = receive(box, mail(text, sender=member.email, subject="Re: Order"))
        reply = desk.get(f"/api/admin/tickets/{message.ticket_id}").json()["replies"][0]
        assert (reply["body"], reply["original_text"]) == ("Thanks", text)
        shown = mine.get(f"/api/tickets/{message.ticket_id}").json()["replies"][0]
        assert shown["original_text"] == text
        assert message.ticket in Ticket.objects.found_by("zanahoria")

    def test_on_the_page(self, box, agent, admin_client_for):
        text = "Thanks\n\nOn 4 May 2026, Help <support@atalaya.test> wrote:\n> zanahoria"
        message = receive(
            box, mail(text, sender="noreply@f.test", subject="Re: Order", reply_to="lola@a.test")
        )
        url = reverse("admin:support_ticket_change", args=[message.ticket_id])
        page = admin_client_for(agent).get(url)
        html = page.content.decode()
        assert "&gt; zanahoria" in html
        assert "Sent by noreply@f.test, answers go to lola@a.test" in html
        assert f"/{message.pk}/raw/" in html

    def test_a_long_text_says_that_it_goes_on(self, box):
        message = receive(box, mail("word " * 12_000 + "zanahoria"))
        assert message.ticket in Ticket.objects.found_by("zanahoria")
        assert "cut short" in message.ticket.replies.get(kind="internal").body
        assert message.reply.original_text.endswith("zanahoria")

    def test_all_parts_of_a_mixed_mail(self):
        read = parse_mail(
            multipart(("Content-Type: text/plain", "one"), ("Content-Type: text/html", "<p>two"),
                      ("Content-Type: text/plain", "three"))
        )  # fmt: skip
        assert read.text == "one\n\ntwo\n\nthree"

    def test_words_that_only_the_other_alternative_has(self):
        read = parse_mail(
            multipart(("Content-Type: text/plain", "one"), ("Content-Type: text/html", "<p>two"),
                      subtype="alternative")
        )  # fmt: skip
        assert read.text == "one"
        assert "two" in read.full_text

    def test_what_lies_inside_a_signature(self, box):
        inner = b"Content-Type: text/plain; charset=utf-8\n\nHola, soy zanahoria.\n"
        message = receive(
            box,
            b"From: ana@a.test\nSubject: Signed\nContent-Transfer-Encoding: base64\n"
            b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n\n"
            + base64.encodebytes(signed(inner)),
        )
        assert message.reply.body == "Hola, soy zanahoria."
        assert "smime.p7m" in message.ticket.replies.get(kind="internal").body

    def test_a_signed_document_is_a_file(self):
        header = "Content-Type: application/pkcs7-mime; name=a.pdf.p7m"
        read = parse_mail(
            multipart(("Content-Type: text/plain", "See"), (header, signed(b"%PDF-1.4: x")))
        )
        assert (read.text, [file.name for file in read.attachments]) == ("See", ["a.pdf.p7m"])

    @pytest.mark.parametrize("kind", ["message/rfc822", "message/partial", "message/global"])
    @pytest.mark.parametrize("encoding", ["7bit", "base64"])
    def test_an_attached_mail_is_searched_and_shown_where_nothing_else_is(
        self, box, kind, encoding
    ):
        inner = b"From: shop@other.test\nSubject: No refund\n\nSolo zanahorias."
        inner = base64.encodebytes(inner) if encoding == "base64" else inner
        header = f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}"
        message = receive(box, multipart((header, inner)))
        assert message.reply.body == "No refund\n\nSolo zanahorias."
        assert message.ticket in Ticket.objects.found_by("zanahorias")
        assert message.reply.attachments.get().name == "No_refund.eml"

    @pytest.mark.parametrize(
        ("html", "text"),
        [
            ("<table><tr><th>Order<th>Sum</table>", "Order Sum"),
            ("<pre>one\n\n  two</pre>", "one\n\ntwo"),
            ("Name: <input value='Ana Paz'> <input type=hidden value=x>", "Name: Ana Paz"),
            ("<noscript>without scripts</noscript>", "without scripts"),
        ],
    )
    def test_what_a_reader_of_html_sees(self, html, text):
        assert parse_mail(multipart(("Content-Type: text/html", html))).full_text == text


def ber(tag, *content):
    """An element of BER whose length is left open, as Outlook writes it."""
    return bytes([tag, 0x80]) + b"".join(content) + b"\0\0"


def signed(content):
    """A CMS message that holds what it signs, in two pieces."""
    pieces = [bytes([4, len(one)]) + one for one in (content[:9], content[9:])]
    held = ber(0x30, bytes([6, len(DATA)]) + DATA, ber(0xA0, ber(0x24, *pieces)))
    return ber(0x30, bytes([6, len(SIGNED_DATA)]) + SIGNED_DATA,
               ber(0xA0, ber(0x30, b"\2\1\1", b"\x31\0", held, b"\x31\0")))  # fmt: skip


@given(st.integers(0, 200), st.integers(0, 255), st.integers(0, 200))
def test_no_damaged_signature_raises(at, byte, end):
    whole = bytearray(signed(b"Content-Type: text/plain\n\nHola"))
    whole[at % len(whole)] = byte
    signed_mail(bytes(whole[: end or None]))
    assert signed_mail(ber(0x30, bytes([6, len(SIGNED_DATA)]) + SIGNED_DATA, ber(0xA0))) is None


@contextlib.contextmanager
def rolled_back():
    """Undo what one generated example wrote."""
    start = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(start)


WORDS = st.lists(st.from_regex(r"[a-z]{4,9}[0-9]", fullmatch=True), min_size=1, max_size=4)
CODINGS = st.sampled_from(["utf-8", "iso-8859-1", "utf-16", "shift_jis", "koi8-r"])


@st.composite
def trees(draw, depth=2):
    """A part of a mail with the words that a reader of it sees: (header and content, words)."""
    if depth and draw(st.booleans()):
        inner = draw(st.lists(trees(depth=depth - 1), min_size=1, max_size=3))
        mark = draw(st.sampled_from(["a", "b", "c"])) + str(depth)
        kind = draw(st.sampled_from(["mixed", "alternative", "related", "made-up"]))
        raw = f"Content-Type: multipart/{kind}; boundary={mark}\n\n".encode()
        raw += b"".join(b"--%s\n%s\n" % (mark.encode(), part) for part, _ in inner)
        return raw + b"--%s--\n" % mark.encode(), [w for _, words in inner for w in words]
    words, charset = draw(WORDS), draw(CODINGS)
    is_html = draw(st.booleans())
    text = " ".join(words)
    text = f"<html><head><title>x</title><div>{text}" if is_html else text
    kind = "html" if is_html else "plain"
    head = f"Content-Type: text/{kind}; charset={charset}\nContent-Transfer-Encoding: base64\n\n"
    return head.encode() + base64.encodebytes(text.encode(charset)), words


@given(trees())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_word_of_any_tree_is_found_and_in_the_original(tree):
    part, words = tree
    raw = b"From: ana@a.test\nSubject: Tree\nMIME-Version: 1.0\n" + part
    with rolled_back():
        message = receive(make_mailbox(), raw)
        assert message.status == "processed"
        text = message.reply.original_text or message.reply.body
        for word in words:
            assert word in text
            assert message.ticket in Ticket.objects.found_by(word)


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"From: a@b.test\n", b"From: a@b.test\nSubject: x\nContent-Type: "]),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_end_stored_and_listed(noise, head):
    with rolled_back():
        message = receive(make_mailbox(), head + noise)
        assert message.status in ("processed", "failed", "ignored")
        assert bytes(InboundMessage.objects.get(pk=message.pk).raw) == head + noise


def test_ten_megabytes_are_read_in_five_seconds(box):
    raw = mail("palabra dos tres\n" * 600_000)
    message, _new = store_mail(mailbox=box, raw=raw)
    assert processor_seconds(lambda: process_mail(message.pk)) < 5
    message.refresh_from_db()
    assert message.status == "processed"


def office(name):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(name, "x")
    return content.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 60
FILES = {
    "foto.heic": (HEIC, "foto.jpg", "image/jpeg"),
    "film.mov": (b"\0\0\0\x18ftypqt  ", "film.mov", "video/mp4"),
    "voz.m4a": (b"\0\0\0\x18ftypM4A ", "voz.m4a", "audio/mp4"),
    "voz.mp3": (b"ID3\x03\0", "voz.mp3", "audio/mpeg"),
    "nota.ogg": (b"OggS\0\x02", "nota.ogg", "audio/ogg"),
    "carta.doc": (OLE, "carta.doc", "application/msword"),
    "cuenta.xls": (OLE, "cuenta.xls", "application/vnd.ms-excel"),
    "carta.docx": (
        office("word/document.xml"), "carta.docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "cita.ics": (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "cita.ics", "text/calendar"),
    "ana.vcf": (b"BEGIN:VCARD\r\nFN:Ana\r\nEND:VCARD\r\n", "ana.vcf", "text/vcard"),
    "lista.csv": ("año;ñ\n1;2\n".encode("latin-1"), "lista.csv", "text/csv"),
    "facturación.pdf": (b"%PDF-1.4 x", "facturación.pdf", "application/pdf"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_safe_files_keep_their_name_and_get_their_true_type(box, name):
    content, expected, kind = FILES[name]
    header = (
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
        f'Content-Disposition: attachment; filename="{name}"'
    )
    message = receive(
        box, multipart(("Content-Type: text/plain", "hola"), (header, base64.encodebytes(content)))
    )
    found = message.reply.attachments.get()
    assert (found.name, found.content_type) == (expected, kind)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.exe", b"MZ\x90\0\0"),
        ("carta.docm", office("word/vbaProject.bin")),
        ("odd.bin", OLE),
        ("torn.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 40),
    ],
)
def test_what_is_left_out_is_listed(box, name, content):
    header = (
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
        f'Content-Disposition: attachment; filename="{name}"'
    )
    message = receive(
        box, multipart(("Content-Type: text/plain", "hola"), (header, base64.encodebytes(content)))
    )
    assert not message.reply.attachments.exists()
    assert name in message.ticket.replies.get(kind="internal").body


def test_an_attached_mail_is_a_file_of_its_own_type(box):
    inner = "From: shop@other.test\nSubject: No refund\n\nNever."
    message = receive(
        box, multipart(("Content-Type: text/plain", "See"), ("Content-Type: message/rfc822", inner))
    )
    found = message.reply.attachments.get()
    assert (found.name, found.content_type) == ("No_refund.eml", "message/rfc822")


def test_participants_are_kept_and_shown(box, desk, member):
    message = receive(box, mail(Cc="Beto <beto@b.test>, support+x@atalaya.test"))
    shown = desk.get(f"/api/admin/tickets/{message.ticket_id}").json()
    assert [(one["address"], one["name"]) for one in shown["participants"]] == [
        ("beto@b.test", "Beto")
    ]
    assert make_ticket(member).participants.count() == 0
