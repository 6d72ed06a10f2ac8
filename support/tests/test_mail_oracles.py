"""Our reading of mail against two parsers written by others, on mails of every kind.

nodemailer's mailparser and postal-mime are installed into pytest's cache folder, as the generated
clients are. Where one of them differs from us, the difference is explained in EXPLAINED or the
test fails.
"""

import base64
import email.header
import hashlib
import json
import os
import quopri
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from support.mail_html import html_to_text
from support.mail_parsing import parse_mail

HERE = Path(__file__).parent / "oracles"
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")

# A sentence in each charset that mail is written in, all of it in that charset.
TEXTS = {
    "utf-8": "Añadí 3 €: señal «rara» – 日本 🙂",
    "iso-8859-1": "Añadí tres señales: ¿cuánto?",
    "iso-8859-15": "Cuesta 3 € y medio, señor",
    "windows-1252": "Cuesta 3 € – “mucho”, señor…",
    "iso-8859-2": "Zażółć gęślą jaźń, prosím",
    "windows-1250": "Zażółć gęślą jaźń – prosím",
    "koi8-r": "Где мой заказ?",
    "windows-1251": "Где мой заказ – №5?",
    "iso-8859-7": "Πού είναι η παραγγελία;",
    "iso-8859-9": "Siparişim nerede, lütfen? ğı",
    "windows-1256": "أين طلبي؟",
    "windows-1255": "איפה ההזמנה שלי",
    "shift_jis": "注文はどこですか",
    "euc-jp": "注文はどこですか",
    "iso-2022-jp": "注文はどこですか",
    "gb2312": "我的订单在哪里",
    "gbk": "我的訂單在哪裡",
    "gb18030": "我的订单在哪里",
    "big5": "我的訂單在哪裡",
    "euc-kr": "제 주문은 어디에 있나요",
    "utf-16": "¿Dónde está? 日本",
    "us-ascii": "Where is my order?",
}
ENCODINGS = ("base64", "quoted-printable", "8bit")
STRUCTURES = ("plain", "html", "alternative", "mixed", "related", "nested", "attached mail")
NAME = "Lámpara, azul.pdf"
PDF = b"%PDF-1.4 " + bytes(range(200))


@dataclass
class Sample:
    """A raw mail and how it was made."""

    label: str
    raw: bytes
    text: str
    files: list[str] = field(default_factory=list)


def encoded(content, encoding):
    if encoding == "base64":
        return base64.encodebytes(content)
    return quopri.encodestring(content) if encoding == "quoted-printable" else content


def part(content, kind, encoding, **headers):
    lines = [f"Content-Type: {kind}", f"Content-Transfer-Encoding: {encoding}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + encoded(content, encoding) + b"\r\n"


def joined(subtype, *parts):
    mark = hashlib.sha256(b"".join(parts)).hexdigest()[:12]
    body = b"".join(b"--%s\r\n%s\r\n" % (mark.encode(), one) for one in parts)
    head = f'Content-Type: multipart/{subtype}; boundary="{mark}"\r\n\r\n'
    return head.encode() + body + f"--{mark}--\r\n".encode()


def file_part(name=NAME, content=PDF, kind="application/pdf"):
    word = email.header.Header(name, "utf-8").encode()
    return part(content, f'{kind}; name="{word}"', "base64",
                Content_Disposition=f"attachment; filename*=utf-8''{quote(name)}")  # fmt: skip


def body_of(structure, text, charset, encoding):
    plain = part(text.encode(charset), f"text/plain; charset={charset}", encoding)
    markup = f"<html><body><p>{text}</p></body></html>"
    html = part(markup.encode(charset), f"text/html; charset={charset}", encoding)
    if structure == "plain":
        return plain, []
    if structure == "html":
        return html, []
    if structure == "alternative":
        return joined("alternative", plain, html), []
    if structure == "mixed":
        return joined("mixed", plain, file_part()), [NAME]
    picture = part(b"\x89PNG\r\n\x1a\n" + b"x" * 50, 'image/png; name="a.png"', "base64",
                   Content_ID="<a@x>", Content_Disposition='inline; filename="a.png"')  # fmt: skip
    related = joined("related", html, picture)
    if structure == "related":
        return related, ["a.png"]
    if structure == "nested":
        return joined("mixed", joined("alternative", plain, related), file_part()), ["a.png", NAME]
    inner = f"From: x@y.test\r\nSubject: {'inner'}\r\n\r\ninside".encode()
    mail = (
        b"Content-Type: message/rfc822\r\n"
        b'Content-Disposition: attachment; filename="m.eml"\r\n\r\n' + inner + b"\r\n"
    )
    return joined("mixed", plain, mail), ["m.eml"]


def samples():
    """Every structure in two charsets, and every charset and encoding in two structures."""
    for charset, text in TEXTS.items():
        for encoding in ENCODINGS:
            if charset == "utf-16" and encoding != "base64":
                continue  # its line ends are no line ends of a mail
            for structure in STRUCTURES if charset in ("utf-8", "iso-8859-1") else ("alternative",):
                body, files = body_of(structure, text, charset, encoding)
                yield sample(f"{charset} {encoding} {structure}", text, charset, body, files)


def sample(label, text, charset, body, files):
    header = "utf-8" if charset in ("utf-16", "us-ascii") else charset
    subject = email.header.Header(text, header, header_name="Subject").encode()
    name = email.header.Header(f"{text[:6].strip()} Ñ", "utf-8").encode()
    head = (
        f"From: {name} <ana@example.test>\r\nTo: support@atalaya.test\r\nSubject: {subject}\r\n"
        "Message-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n"
    )
    return Sample(label, head.encode() + body, text, files)


def one_line(text):
    return " ".join(text.split())


def told(read):
    """What a parser read, in a form to compare: text of HTML where there is no plain text."""
    text = read["text"] or html_to_text(read["html"])
    return {
        "address": read["address"],
        "name": one_line(read["name"]),
        "subject": one_line(read["subject"]),
        "text": one_line(text.replace("﻿", "")),
        "files": sorted(name for name, _size in read["files"]),
    }


def ours(raw):
    mail = parse_mail(raw)
    return {
        "address": mail.sender,
        "name": one_line(mail.sender_name),
        "subject": one_line(mail.subject),
        "text": one_line(mail.text),
        "files": sorted(file.name for file in mail.attachments),
    }


@dataclass(frozen=True)
class Difference:
    """Where a parser may differ from us, and why."""

    parser: str
    field: str
    where: str
    why: str


# Each is checked to be in use: one that explains nothing any more fails the test.
EXPLAINED = [
    Difference(
        "nodemailer", "subject", r"^(gb2312|big5) ",
        "Python names the charset eucgb2312_cn or big5_tw in headers; mailparser knows neither.",
    ),
    Difference(
        "postal", "subject", r"^(gb2312|big5) ",
        "The same names; postal-mime knows neither.",
    ),
    Difference(
        "postal", "subject", r"^windows-1252 ",
        "postal-mime decodes by Node's TextDecoder, which reads windows-1252 as Latin-1 here.",
    ),
    Difference(
        "postal", "text", r"^windows-1252 ",
        "The same for the text.",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def oracle(request):
    """`oracle(raws)`: what each parser reads of each mail."""
    digest = hashlib.sha256((HERE / "package.json").read_bytes()).hexdigest()[:16]
    home = request.config.cache.mkdir("mail-oracles")
    folder = home / digest
    if not folder.exists():
        fresh = Path(tempfile.mkdtemp(prefix="new-", dir=home))
        shutil.copy(HERE / "package.json", fresh)
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
        subprocess.run(command, cwd=fresh, check=True, capture_output=True, timeout=300)
        try:
            fresh.rename(folder)
        except OSError:  # a parallel worker was faster
            shutil.rmtree(fresh)
    shutil.copy(HERE / "read.mjs", folder)

    def read(raws):
        lines = b"\n".join(base64.b64encode(raw) for raw in raws) + b"\n"
        done = subprocess.run(["node", "read.mjs"], cwd=folder, input=lines, check=True,
                              capture_output=True, timeout=300, env=os.environ)  # fmt: skip
        return [json.loads(line) for line in done.stdout.splitlines()]

    return read


@needs_npm
def test_two_other_parsers_read_the_same(oracle):
    made = list(samples())
    assert len(made) > 90
    unexplained, used = [], set()
    for one, read in zip(made, oracle([one.raw for one in made]), strict=True):
        mine = ours(one.raw)
        for parser, theirs in read.items():
            theirs = told(theirs)
            for name, value in mine.items():
                if theirs[name] == value:
                    continue
                reason = next((d for d in EXPLAINED if d.parser == parser and d.field == name
                               and re.search(d.where, one.label)), None)  # fmt: skip
                used.add(reason)
                if reason is None:
                    unexplained.append((one.label, parser, name, value, theirs[name]))
    assert unexplained == []
    assert set(EXPLAINED) == used


def test_we_read_what_was_written():
    for one in samples():
        mine = ours(one.raw)
        expected = ("ana@example.test", one_line(one.text), sorted(one.files))
        assert (mine["address"], mine["text"], mine["files"]) == expected, one.label
        assert mine["subject"] == one_line(one.text), one.label
