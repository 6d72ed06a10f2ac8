"""Header fields as their senders meant them; addresses are read before anything is decoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.mail_headers import Address, header_text, parse_addresses
from support.mail_parsing import parse_mail
from support.tests.mail_texts import mail

ADDRESSES = {
    "plain": ("ana@a.test", [("", "ana@a.test")]),
    "name": ("Ana Paz <ANA@a.test>", [("Ana Paz", "ana@a.test")]),
    "quoted comma": ('"Paz, Ana" <ana@a.test>', [("Paz, Ana", "ana@a.test")]),
    "bare comma": ("Paz, Ana <ana@a.test>", [("Paz, Ana", "ana@a.test")]),
    "encoded comma": ("=?utf-8?Q?Paz=2C_Ana?= <ana@a.test>", [("Paz, Ana", "ana@a.test")]),
    "comma in the encoded word": (
        "=?utf-8?Q?Paz,_Ana?= <ana@a.test>", [("Paz, Ana", "ana@a.test")],
    ),
    "encoded address in the name": (
        "=?utf-8?Q?victim=40b.test=2C?= <eve@c.test>", [("victim@b.test,", "eve@c.test")],
    ),
    "encoded angle in the name": (
        "=?utf-8?Q?=3Cvictim=40b.test=3E?= <eve@c.test>", [("<victim@b.test>", "eve@c.test")],
    ),
    "quoted address in the name": (
        '"victim@b.test" <eve@c.test>', [("victim@b.test", "eve@c.test")],
    ),
    "bare address in the name": ("victim@b.test <eve@c.test>", [("victim@b.test", "eve@c.test")]),
    "odd quote": ('Casa "La Reina <reina@a.test>', [('Casa "La Reina', "reina@a.test")]),
    "encoded odd quote": (
        "=?utf-8?B?Q2Fzw6EgIkxhIFJlaW5h?= <r@a.test>", [('Casá "La Reina', "r@a.test")],
    ),
    "comment": ("ana@a.test (Ana Paz)", [("Ana Paz", "ana@a.test")]),
    "two": ("Ana <ana@a.test>, Beto <b@b.test>", [("Ana", "ana@a.test"), ("Beto", "b@b.test")]),
    "group": ("Team: ana@a.test, b@b.test;", [("", "ana@a.test"), ("", "b@b.test")]),
    "no domain": ("MAILER-DAEMON (Mail System)", [("Mail System", "")]),
    "host without dot": ("root@servidor1", [("", "root@servidor1")]),
    "two dots": ("<a..b@docomo.test>", [("", "a..b@docomo.test")]),
    "UTF-8 local part": ("José <josé@correo.test>", [("José", "josé@correo.test")]),
    "route": ("<@relay.test:ana@a.test>", [("", "ana@a.test")]),
    "spaces": ("Ana < ana @ a.test >", [("Ana", "ana@a.test")]),
    "comments of old": ("Pete <pete(his)@a.test(host)>", [("Pete", "pete@a.test")]),
    "nothing": ("undisclosed-recipients:;", []),
}  # fmt: skip


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses(name):
    value, expected = ADDRESSES[name]
    assert parse_addresses(value) == [Address(*pair) for pair in expected]


@given(st.text(alphabet='ab@<>(),;:"\\ =?utf-8QB.é\n', max_size=80))
def test_any_field_gives_addresses_that_can_be_stored(value):
    for found in parse_addresses(value):
        assert found.address.encode().count(b"@") in (0, 1, 2)
        assert not set(found.address) & set("\n\r\x00<>")
        found.name.encode()


TEXTS = {
    "raw bytes beside an encoded word": (
        "Devoluci\udcc3\udcb3n =?utf-8?Q?pedido_=C3=B1?=", "Devolución pedido ñ",
    ),
    "raw Latin-1": ("Devoluci\udcf3n", "Devolución"),
    "a character split between words": ("=?utf-8?Q?=C3?= =?utf-8?Q?=B1?=", "ñ"),
    "no space between words": ("=?utf-8?Q?a?==?utf-8?Q?b?=", "ab"),
    "spaces inside": ("=?utf-8?Q?hola que tal?=", "hola que tal"),
    "quoted": ('"=?utf-8?Q?=C3=B1?="', '"ñ"'),
    "no padding": ("=?utf-8?B?w7E?=", "ñ"),
    "language": ("=?utf-8*es?Q?=C3=B1?=", "ñ"),
    "a superset": ("=?iso-2022-jp?B?GyRCLSEbKEI=?=", "①"),
    "not closed": ("=?utf-8?Q?hola", "=?utf-8?Q?hola"),
    "unknown charset": ("=?x-nothing?Q?caf=C3=A9?=", "café"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_encoded_words(name):
    value, expected = TEXTS[name]
    assert header_text(value) == expected


BROKEN = {
    "a line that is not folded": b"Received: from a\nby b (not folded)\n",
    "blank lines before": b"\r\n\r\n",
    "byte order mark": b"\xef\xbb\xbf",
    "mbox line": b"From ana@a.test Mon Mar  2 10:15:00 2026\n",
    "a space before a colon": b"X-Mailer : old\n",
    "quoted mbox line": b">From ana@a.test Mon Mar  2 10:15:00 2026\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_head_is_read_to_its_end(name):
    read = parse_mail(BROKEN[name] + mail("Hola", message_id="<1@a.test>"))
    assert (read.sender, read.subject, read.text) == ("ana@example.com", "Help", "Hola")


def test_text_without_a_blank_line_before_is_text():
    read = parse_mail(b"From: ana@a.test\nSubject: Hi\nIt is broken.\nPlease help.\n")
    assert read.full_text == "It is broken.\nPlease help."


class TestReplyTo:
    def test_says_where_answers_go(self):
        read = parse_mail(mail(sender="noreply@form.test", reply_to="Lola Gil <lola@a.test>"))
        assert (read.sender, read.reply_to, read.reply_to_name) == (
            "noreply@form.test", "lola@a.test", "Lola Gil",
        )  # fmt: skip

    def test_of_the_sender_or_of_a_list_changes_nothing(self):
        assert parse_mail(mail(reply_to="ana@example.com")).reply_to == ""
        assert parse_mail(mail(reply_to="list@l.test", List_Id="<l.test>")).reply_to == ""
