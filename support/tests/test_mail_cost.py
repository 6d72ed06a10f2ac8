"""A mail of up to 1 MB, however it is made, is read in less than a second of processor time."""

import pytest
from django.utils.translation import override

from support.mail_bodies import MAX_TEXT, cut_quotes, decode_text
from support.mail_forwards import read_forward
from support.mail_html import html_to_text
from support.mail_parsing import UnparsableMail, parse_mail
from systemadmin.foundation.testing import least_processor_seconds, processor_seconds

LENGTH = 1_000_000


@pytest.fixture(autouse=True)
def english():
    """A request of an earlier test may have left another language in this thread."""
    with override("en"):
        yield


BOUND = 1.0


def filled(piece):
    return piece * (LENGTH // len(piece))


HTML = {
    "unfinished attribute": '<a href="' * 20_000,
    "nested": filled("<div>"),
    "nested and never ended": "<div>" * 100_000 + "</p>" * 120_000,
    "nested and wrongly ended": filled("<div></p></span>"),
    "unclosed comments": filled("<!--"),
    "unclosed comment of dashes": "<!-- a" + "-" * LENGTH,
    "attributes": "<a " + " ".join(f"a{i}=1" for i in range(100_000)) + ">",
    "one attribute again and again": "<a" + " a=1" * 250_000 + ">",
    "one long attribute": f'<img alt="{"a " * 450_000}">',
    "links": filled('<a href="http://x.test/a">b</a> '),
    "links on one line": "x" * 500_000 + filled("<a href=http://x>y</a>")[:500_000],
    "quotes": filled("<blockquote>x"),
    "quotes with breaks": filled("<blockquote><br>x"),
    "formatting": "".join(f"<font color={i}>" for i in range(50_000)),
    "formatting around paragraphs": "<b><i><u><a>" * 5_000 + filled("<p>")[:900_000],
    "tables with text": filled("<table>x"),
    "silent": filled("<svg><title>"),
    "unclosed script": "<script>" + filled("</scrip"),
    "marked sections": "<svg><![CDATA[" + "]" * LENGTH,
    "entities": filled("&#x41;"),
    "unfinished entities": filled("&"),
    "opening brackets": filled("<"),
    "breaks": filled("<br>"),
    "spaces": filled(" \n"),
    "class names": f'<p class="{"gmail " * 160_000}">',
}


@pytest.mark.parametrize("name", HTML)
def test_html(name):
    assert least_processor_seconds(lambda: html_to_text(HTML[name]), below=BOUND) < BOUND
    raw = b"From: a@b.test\nContent-Type: text/html\n\n" + HTML[name].encode()
    assert least_processor_seconds(lambda: parse_mail(raw), below=BOUND) < BOUND


TEXTS = {
    "quoted lines": "On 2 March 2026, Support wrote:\n" + ">\n" * 100_000,
    "quotes and answers": "On 2 March 2026, Support wrote:\n" + "> a\nb\n" * 33_000,
    "devices": "Sent from my phone\n" * 10_000,
    "verbs of a long line": "on aaaa " + "napisał" * 28_000,
    "verbs of many lines": ("on " + "schrieb" * 35 + "\n") * 800,
    "almost introductions": "on Monday Ana wrote:x\n" * 9_000,
    "headers": "from: a\n" * 25_000,
    "signs": "-" * 200_000,
    "signs and letters": "- a" * 66_000,
    "empty lines": "\n" * 200_000,
    "signatures": "-- \n" * 50_000,
    "brackets": "> " * 100_000,
    "spaces before a colon": "on Monday Ana wrote" + " " * 190_000 + "x",
}


@pytest.mark.parametrize("name", TEXTS)
def test_quotes(name):
    assert least_processor_seconds(lambda: cut_quotes(TEXTS[name]), below=BOUND) < BOUND


HEAD = b"From: a@b.test\nSubject: x\n"


def nested(levels, lines):
    raw = HEAD
    for level in range(levels):
        raw += b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (level, level)
    return raw + b"\n" + b"a\n" * lines


MAILS = {
    "nested parts with many lines": nested(200, 480_000),
    "parts": HEAD
    + b'Content-Type: multipart/mixed; boundary="x"\n\n'
    + b"--x\n\na\n" * 120_000,
    "parameters": HEAD + b'Content-Type: text/plain; a="' + b";" * LENGTH + b"\n\nx",
    "continued parameters": HEAD
    + b"Content-Type: text/plain"
    + b"".join(b'; name*%d="a"' % i for i in range(60_000))
    + b"\n\nx",
    "parameters of many parts": HEAD
    + b'Content-Type: multipart/mixed; boundary="x"\n\n'
    + (b'--x\nContent-Disposition: inline; a="' + b";" * 3_000 + b"\n\na\n") * 280,
    "brackets in an address": b"From: " + b"(" * 1_900 + b"\nSubject: x\n\nx",
    "one header again and again": HEAD + b"To: " + b"a@b.test, " * 150 + b"\n\nx",
    "many recipients": HEAD + b"To: a@b.test\n" * 75_000 + b"\nx",
    "headers": HEAD + b"".join(b"a%d: b\n" % i for i in range(90_000)) + b"\nx",
    "folded header": HEAD + b"X: a\n" + b" b\n" * 330_000 + b"\nx",
    "encoded words": b"From: a@b.test\nSubject: " + b"=?utf-8?q?a?= " * 70_000 + b"\n\nx",
    "unfinished encoded words": b"From: a@b.test\nSubject: " + b"=?" * 500_000 + b"\n\nx",
    "references": HEAD + b"References: " + b"<a@b> " * 160_000 + b"\n\nx",
    "returned ids": HEAD
    + b'Content-Type: multipart/report; boundary="x"\n\n'
    + b"--x\nContent-Type: message/delivery-status\n\nx\n"
    + b"--x\nContent-Type: text/rfc822-headers\n\n"
    + b"message-id:<\n" * 70_000,
    "charset that is no charset": HEAD
    + b"Content-Type: text/plain; charset=punycode\n\n"
    + b"a" * LENGTH
    + b"-99999999",
    "domain names as a charset": HEAD
    + b"Content-Type: text/plain; charset=idna\n\n"
    + b"xn--a" * 200_000,
    "invitation": HEAD + b"Content-Type: text/calendar\n\n" + b"SUMMARY:\n " * 90_000,
    "invalid UTF-8": HEAD + b"Content-Type: text/plain; charset=utf-8\n\n" + b"\xff\xc3" * 500_000,
    "base64 of nothing": HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"=\n" * 500_000,
    "quoted": HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=\n=4" * 250_000,
    "uuencoded": HEAD + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 6 a\n" + b"\n" * 900_000,
    "without any line": b"a" * LENGTH,
    "lines of mailboxes": b"From a\n" * 140_000,
    "folded header of a part": HEAD
    + b"Content-Type: multipart/mixed; boundary=x\n\n--x\nX: a\n"
    + b" b\n" * 330_000,
    "blocks of a report": HEAD
    + b"Content-Type: multipart/report; boundary=x\n\n--x\n"
    + b"Content-Type: message/delivery-status\n\n"
    + b"Action: failed\n\n" * 60_000,
    "alternatives": HEAD
    + b"Content-Type: multipart/alternative; boundary=x\n\n"
    + b"".join(b"--x\n\n" + b"%da " % i * 1_000 + b"\n" for i in range(250)),
    "copies in HTML": HEAD
    + b"Content-Type: multipart/mixed; boundary=x\n\n"
    + b"".join(
        b"--x\nContent-Type: text/%s\n\n" % kind + b"%da " % i * 1_000 + b"\n"
        for i in range(120)
        for kind in (b"plain", b"html")
    ),
    "nested alternatives": HEAD
    + b"".join(
        b"Content-Type: multipart/alternative; boundary=%d\n\n--%d\n\n%da\n--%d\n" % (i, i, i, i)
        for i in range(100)
    )
    + b"\n"
    + b"".join(b"%x " % i for i in range(150_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", MAILS)
def test_mail(name):
    def read():
        try:
            parse_mail(MAILS[name])
        except UnparsableMail:
            return

    assert processor_seconds(read) < BOUND


@pytest.mark.parametrize("charset", ["punycode", "idna", "x" * 5_000, "unicode escape", "zip"])
def test_what_is_no_charset_is_not_looked_up(charset):
    assert decode_text(b"caf\xc3\xa9 \\u0041", charset) == "café \\u0041"


def test_a_rare_charset_is_known():
    assert decode_text("Привіт".encode("koi8-u"), "KOI8-U") == "Привіт"


class TestWhatIsTooMuch:
    def test_is_cut_and_says_so(self):
        text = html_to_text("<p>begin</p>" + "<p>word</p>" * 200_000)
        assert text.startswith("begin")
        assert text.endswith("[The rest of this message is too large to be shown.]")

    def test_of_depth_too(self):
        text = html_to_text("<p>begin</p>" + "<div>" * 600 + "end")
        assert text == "begin\n\n[The rest of this message is too large to be shown.]"

    def test_of_several_parts_together(self):
        part = b"--x\nContent-Type: text/html\n\n" + b"<p>" * 200_000 + b"word\n"
        head = HEAD + b'Content-Type: multipart/mixed; boundary="x"\n\n'
        text = parse_mail(head + part * 3).text
        assert text.count("word") == 1
        assert text.endswith("[The rest of this message is too large to be shown.]")

    def test_of_plain_text_too(self):
        text = parse_mail(HEAD + b"\n" + b"word\n" * 100_000).full_text
        assert MAX_TEXT - 9 < len(text) <= MAX_TEXT
        assert text.endswith("[This message is longer. The rest is in the original mail.]")

    def test_what_fits_is_whole(self):
        assert html_to_text("<div>" * 100 + "words") == "words"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<head><p>words", "words"),
        ("<html><head><meta charset=utf-16>words", "words"),
        ("<title>words<p>more", "words<p>more"),
        ("<svg><p>words", "words"),
        ("<noscript>words", "words"),
        ("<title>x</title><svg>y</svg><p>words", "words"),
        ("<p>a<b>b </b> c</p>", "ab c"),
        ("<a href='https://x.test/'>https://x.test/</a>", "https://x.test/"),
        ("<blockquote>a<blockquote>b</blockquote>c</blockquote>d", "> a\n> > b\n> c\nd"),
        ("<div class=gmail_quote><div>a</div></div><div>b</div>", "> a\nb"),
        ("<!-- only a comment -->", ""),
    ],
)
def test_what_is_never_closed_hides_nothing(html, text):
    assert html_to_text(html) == text


def of_size(size, piece, head=b""):
    return b"From: a@b.test\nSubject: x\n" + head + b"\n" + piece * (size // len(piece))


HTML_HEAD = b"Content-Type: text/html\n"
EMBEDDED = b"<img src='data:image/png;base64," + b"iVBORw0KGgo=" * 20 + b"'>"
SHAPES = {
    "elements": (b"<p>hola <b>que</b> tal</p>", HTML_HEAD),
    "embedded pictures": (EMBEDDED, HTML_HEAD),
    "pictures by id": (b"<img src=cid:a>", HTML_HEAD),
    "never closed": (b"<div>", HTML_HEAD),
    "wrongly nested": (b"<b><div></b>", HTML_HEAD),
    "links": (b"<a href=https://a.test/x>x", HTML_HEAD),
    "brackets": (b"<", HTML_HEAD),
    "quotes": (b"> > > > a\n", b""),
    "introductions": (b"On 1 May 2026, a wrote:\n", b"In-Reply-To: <a@b>\n"),
    "forwards": (b"From: a@b.test\nTo: x\n", b"Subject: Fwd: x\n"),
    "soft breaks": (b"=41=\n", b"Content-Transfer-Encoding: quoted-printable\n"),
    "recipients": (b"", b"To: " + b"x <a@b.test>, " * 700_000 + b"\n"),
}


@pytest.mark.parametrize("size", [990_000, 10_000_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_up_to_ten_megabytes_of_anything_are_read_in_five_seconds(shape, size):
    piece, head = SHAPES[shape]
    raw = of_size(size, piece or b"x", head)
    assert processor_seconds(lambda: read_forward("Fwd: x", parse_mail(raw).text)) < 5
