"""Bytes to text: charsets as programs write them, not as they declare them."""

import base64
import binascii

import pytest

from support.mail_charsets import decode_text
from support.mail_parsing import parse_mail
from support.tests.mail_texts import mail, multipart

DECODED = {
    "Latin-1 with euro": ("iso-8859-1", b"10 \x80", "10 €"),
    "gb2312 with more": ("gb2312", "镕".encode("gb18030"), "镕"),
    "Shift_JIS of Windows": ("shift_jis", "①髙".encode("cp932"), "①髙"),
    "x-sjis": ("x-sjis", "①".encode("cp932"), "①"),
    "ISO-2022-JP of Windows": ("iso-2022-jp", b"\x1b$B-!\x1b(B 9", "① 9"),
    "ISO-2022-JP half width": ("iso-2022-jp", b"\x1b(I1\x1b(B", "ｱ"),
    "ISO-2022-JP": ("iso-2022-jp", "日本語 text".encode("iso-2022-jp"), "日本語 text"),
    "ISO-2022-JP not declared": (None, "日本語".encode("iso-2022-jp"), "日本語"),
    "euc-kr of Windows": ("euc-kr", "똠".encode("cp949"), "똠"),
    "big5 of Hong Kong": ("big5", "啫".encode("big5hkscs"), "啫"),
    "Thai": ("windows-874", "ไทย".encode("cp874"), "ไทย"),
    "Mac": ("x-mac-roman", "ñ".encode("mac_roman"), "ñ"),
    "Turkish": ("iso-8859-9", "ş€".encode("cp1254"), "ş€"),
    "UTF-16 not declared": (None, b"\xff\xfea\x00\xf1\x00", "añ"),
    "UTF-8 declared as ASCII": ("us-ascii", "ñ".encode(), "ñ"),
    "UTF-8 declared as Windows-1252": ("windows-1252", "¿Ñandú 🙂?".encode(), "¿Ñandú 🙂?"),
    "Latin-1 that could be UTF-8": ("iso-8859-1", "CAFÉ®".encode("latin-1"), "CAFÉ®"),
    "UTF-16 without a mark": ("utf-16", "Señal".encode("utf-16-be"), "Señal"),
    "ASCII declared as UTF-16": ("utf-16le", b"Ayuda, por favor", "Ayuda, por favor"),
}


@pytest.mark.parametrize("name", DECODED)
def test_charsets(name):
    charset, data, expected = DECODED[name]
    assert decode_text(data, charset) == expected


def html(source, charset=""):
    header = f"Content-Type: text/html{charset}"
    return parse_mail(multipart((header, source))).full_text


def test_html_that_declares_its_own_charset():
    source = '<meta http-equiv="Content-Type" content="text/html; charset={}"><p>{}</p>'
    assert html(source.format("windows-1251", "Привет").encode("cp1251")) == "Привет"
    assert html(source.format("shift_jis", "日本").encode("cp932"), "; charset=us-ascii") == "日本"
    assert html("<meta charset='utf-16'><p>ñ</p>".encode()) == "ñ"


def flowed(text, *, parameters=""):
    header = f"Content-Type: text/plain; charset=utf-8; format=flowed{parameters}"
    return parse_mail(multipart((header, text))).full_text


class TestFlowed:
    def test_lines_that_belong_together_are_one(self):
        assert flowed("One \nsentence.\n\n> an \n> old one\n>> older") == (
            "One sentence.\n\n> an old one\n>> older"
        )

    def test_a_stuffed_space_is_no_text(self):
        assert flowed("x\n From here\n-- \nAna") == "x\nFrom here\n-- \nAna"

    def test_a_space_between_words_of_japanese_is_none(self):
        assert flowed("これは長い \n文です", parameters="; delsp=yes") == "これは長い文です"


def encoded(payload, encoding="base64"):
    return parse_mail(
        mail(payload, Content_Transfer_Encoding=encoding, MIME_Version="1.0")
    ).full_text.strip()


class TestTransferEncodings:
    def test_base64_that_is_none(self):
        text = "Hello, this is plain text that is not base64 at all!"
        assert encoded(text) == text

    def test_one_word_that_looks_like_base64(self):
        assert encoded("Devuelvanme") == "Devuelvanme"

    def test_base64_with_a_footer(self):
        code = base64.b64encode("Hola, ¿qué tal?".encode()).decode()
        text = encoded(f"{code}\nList of the town, see our page")
        assert text == "Hola, ¿qué tal?\nList of the town, see our page"

    def test_a_name_with_a_comment(self):
        assert encoded(base64.b64encode(b"Hola").decode(), "base64 (of old)") == "Hola"

    def test_uuencoded_files(self):
        line = binascii.b2a_uu(b"a,b\n1,2\n").decode()
        read = parse_mail(mail(f"See the file.\n\nbegin 644 list.csv\n{line}`\nend\n"))
        assert read.full_text.strip() == "See the file."
        assert [(f.name, f.content) for f in read.attachments] == [("list.csv", b"a,b\n1,2\n")]
