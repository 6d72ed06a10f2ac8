"""winmail.dat: what Outlook packs into it is text and files of the ticket."""

import base64
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mail_parsing import parse_mail
from support.mail_tnef import charset_of, read_tnef
from support.models import Ticket
from support.tests.factories import make_mailbox
from support.tests.mail_texts import multipart, receive
from support.tests.tnef_files import HTML, RTF, TEXT, attribute, binary, string, tnef
from systemadmin.foundation.testing import processor_seconds
from systemadmin.tests.pictures import png

PDF = b"%PDF-1.4\n%%EOF\n"


def packed(data, text="", *, kind="application/ms-tnef", name="winmail.dat"):
    """A mail with a winmail.dat, and with a plain text beside it where there is one."""
    encoded = base64.encodebytes(data)
    head = f"Content-Type: {kind}; name={name}\nContent-Transfer-Encoding: base64"
    plain = [("Content-Type: text/plain; charset=utf-8", text)] if text else []
    return multipart(*plain, (head, encoded))


class TestParsing:
    def test_text_html_and_files(self):
        data = tnef(
            string(TEXT, "Señal"), binary(HTML, b"<p>Se&ntilde;al <b>roja</b></p>"),
            files=[("informe señal.pdf", PDF), ("vacío.txt", b"")],
        )  # fmt: skip
        read = parse_mail(packed(data))
        assert [(f.name, f.content) for f in read.attachments] == [("informe señal.pdf", PDF)]
        assert "roja" in read.text
        assert "<b>roja</b>" in read.html

    def test_what_the_plain_text_says_is_not_said_twice(self):
        data = tnef(string(TEXT, "Hola a todos"), binary(HTML, b"<p>Hola a <i>todos</i></p>"))
        read = parse_mail(packed(data, "Hola a todos"))
        assert (read.text, read.full_text) == ("Hola a todos", "Hola a todos")
        assert "<i>todos</i>" in read.html

    @pytest.mark.parametrize(
        ("kind", "name"),
        [("application/octet-stream", "winmail.dat"), ("application/vnd.ms-tnef", "x.bin")],
    )
    def test_other_names_of_it(self, kind, name):
        read = parse_mail(packed(tnef(files=[("a.pdf", PDF)]), "Hi", kind=kind, name=name))
        assert [f.name for f in read.attachments] == ["a.pdf"]

    def test_mails_inside(self):
        inner = tnef(string(TEXT, "zanahoria"), string(0x0037, "Pedido"), files=[("b.pdf", PDF)])
        read = parse_mail(packed(tnef(files=[("a.pdf", PDF)], inner=[inner]), "Hi"))
        assert [f.name for f in read.attachments] == ["a.pdf", "b.pdf"]
        assert "Pedido\n\nzanahoria" in read.full_text

    def test_rtf_alone_stays_a_file(self):
        data = tnef(binary(RTF, b"LZFu"))
        assert [f.name for f in parse_mail(packed(data)).attachments] == ["winmail.dat"]
        assert not parse_mail(packed(data, "The same in plain text")).attachments

    @pytest.mark.parametrize("cut", [20, 60, -200])
    def test_what_is_broken_stays_a_file(self, cut):
        data = tnef(string(TEXT, "x"), files=[("a.pdf", PDF), ("b.pdf", PDF * 20)])
        names = [f.name for f in parse_mail(packed(data[:cut], "Hi")).attachments]
        assert names == (["a.pdf", "winmail.dat"] if cut == -200 else ["winmail.dat"])

    def test_text_in_another_code_page(self):
        data = b"\x78\x9f\x3e\x22\x01\x00" + attribute(1, 0x9007, 6, struct.pack("<I", 1251))
        data += attribute(1, 0x800C, 2, "Привет".encode("cp1251") + b"\0")
        assert read_tnef(data).text == "Привет"
        assert [charset_of(page) for page in (65001, 28592)] == ["utf-8", "iso-8859-2"]


class TestBounds:
    @given(st.binary(max_size=300))
    def test_any_bytes(self, rest):
        read_tnef(b"\x78\x9f\x3e\x22" + rest)

    @given(st.data())
    @settings(max_examples=200, deadline=None)
    def test_any_change_of_a_good_one(self, data):
        good = bytearray(tnef(string(TEXT, "Hi"), files=[("a.pdf", PDF)], inner=[tnef()]))
        for _change in range(data.draw(st.integers(1, 6))):
            good[data.draw(st.integers(4, len(good) - 1))] = data.draw(st.integers(0, 255))
        read_tnef(bytes(good))

    @pytest.mark.parametrize(
        "body",
        [
            struct.pack("<I", 2**32 - 1),
            struct.pack("<IHHI", 1, 0x1002, 0x1000, 2**32 - 1),
            struct.pack("<IHHI", 1, 0x001F, 0x1000, 2**32 - 1) + b"\0" * 4_000_000,
            struct.pack("<I", 2**32 - 1) + struct.pack("<HHI", 3, 1, 1) * 500_000,
        ],
        ids=["properties", "values", "strings", "small ones"],
    )
    def test_numbers_that_promise_more_than_there_is(self, body):
        data = b"\x78\x9f\x3e\x22\x01\x00" + attribute(1, 0x9003, 6, body)
        assert processor_seconds(lambda: read_tnef(data)) < 2
        assert read_tnef(data) is None

    def test_ten_megabytes_of_the_smallest_attributes(self):
        data = b"\x78\x9f\x3e\x22\x01\x00" + attribute(1, 0x8006, 3, b"") * 900_000
        assert processor_seconds(lambda: read_tnef(data)) < 2
        assert read_tnef(data) is None

    def test_nested_deeply(self):
        data = tnef(string(TEXT, "deep"))
        for _level in range(50):
            data = tnef(inner=[data])
        assert processor_seconds(lambda: read_tnef(data)) < 2


@pytest.mark.django_db
def test_through_the_front_door(desk):
    picture = png()
    data = tnef(string(TEXT, "La zanahoria llegó rota"), files=[("foto.png", picture)])
    message = receive(make_mailbox(), packed(data))
    assert message.ticket in Ticket.objects.found_by("zanahoria")
    reply = desk.get(f"/api/admin/tickets/{message.ticket_id}").json()["replies"][0]
    assert reply["body"] == "La zanahoria llegó rota"
    assert [file["name"] for file in reply["attachments"]] == ["foto.png"]


@pytest.mark.django_db
def test_a_broken_one_is_named_on_the_ticket():
    noise = random.Random(1).randbytes(400)
    message = receive(make_mailbox(), packed(b"\x78\x9f\x3e\x22" + noise, "See the file"))
    assert "winmail.dat" in message.ticket.replies.get(kind="internal").body
