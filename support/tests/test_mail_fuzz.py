"""Any mail of up to 10 MB ends stored and listed within five seconds of processor time.

`FUZZ_EXAMPLES=500 pytest support/tests/test_mail_fuzz.py` makes as many trees of parts, and large
ones; without it ten small ones are made. `test_mail_cost.py` reads 10 MB of each kind every time.
"""

import base64
import os
import quopri
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.models import InboundMessage
from support.services import process_mail, store_mail
from support.tests.factories import make_mailbox
from systemadmin.foundation.testing import processor_seconds, rolled_back

pytestmark = pytest.mark.django_db

BOUND = 5
MOST = 10_000_000
SHOWN = 2_000
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
SIZES = [0, 60, 5_000, 100_000, *([1_100_000, 4_000_000, 9_900_000] if EXAMPLES else [])]
FUZZ = settings(
    max_examples=EXAMPLES or 10,
    deadline=None,
    # A mail that is too slow is told as it was made; to look for a smaller one takes hours.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)

# What costs most somewhere: each is repeated up to the length of a part.
HOSTILE = [
    b"> > a\n", b"On 1 May 2026, a <a@b.test> wrote:\n> x\ny\n", b"From: a@b.test\nTo: x\n",
    b"<p>a<b>b</p>", b"<div>", b"<blockquote><br>", b"<table><tr><td>x", b"<a href=https://a.test>",
    b"<img src=cid:x>", b"<!--", b"<script>", b"<svg><title>", b"&#x41;", b"<a " + b"b=c " * 50,
    b"a@b.test, ", b"<a@b.test> ", b"t-2026-000001.0123456789abcdef01234567@a.test ",
    b"support+t-2026-000001.abcdefghijkl@atalaya.test ", b"=?utf-8?q?a?= ", b"=41=\n", b"=\n",
    b"begin 644 a\n#0V%T\n`\nend\n", b"begin 644 a\n", b"-- \n", b"\n", b" ", b"a", b"word ",
    b"\xff\xfe", b"\xe6\x97\xa5\xe6\x9c\xac", b"e\xcc\x81\xcc\x81 ", b"\x1b$B", b"\x00", b"\r",
    b"http://a.test/?q=1&", b"[T-2026-000001] ", b"Message-ID: <a@b>\n", b"Action: failed\n\n",
    b"BEGIN:VEVENT\nSUMMARY:a\n b\nEND:VEVENT\n", b"\x78\x9f\x3e\x22", b"0\x80\x06\x09", b"*_`[](",
    b"_" * 30 + b"\n", b"\xc2\xad\xe2\x80\x8b", b"Content-Type: text/html\n\n", b"\n--B0\n\n",
]  # fmt: skip
KINDS = [
    "text/plain", "text/html", "text/plain; format=flowed; delsp=yes", "text/calendar",
    "message/rfc822", "message/delivery-status", "message/disposition-notification",
    "message/feedback-report", "text/rfc822-headers", "message/partial", "application/ms-tnef",
    "application/pkcs7-mime; smime-type=signed-data", "image/png", "text/enriched", "text/csv",
    "application/octet-stream", "multipart/mixed", "nonsense", "", "text/vcard", "message/global",
]  # fmt: skip
CHARSETS = ["utf-8", "us-ascii", "iso-8859-1", "utf-16", "utf-7", "iso-2022-jp", "gb2312", "hz",
            "idna", "punycode", "koi8-r", "x-made-up", "unicode-escape", "zip", "'", "big5",
            ""]  # fmt: skip
CODINGS = ["7bit", "8bit", "base64", "quoted-printable", "x-uuencode", "made-up", "base64 "]
NAMES = ["From", "To", "Cc", "Subject", "References", "In-Reply-To", "Reply-To", "Content-Type",
         "Received", "X-Any", "Date", "Message-ID", "List-Id", "Auto-Submitted"]  # fmt: skip
CONTAINERS = ["mixed", "alternative", "related", "digest", "report", "signed", "made-up",
              'report; report-type="delivery-status"', "parallel"]  # fmt: skip

pieces = st.one_of(st.sampled_from(HOSTILE), st.binary(min_size=1, max_size=30))


class Mail(bytes):
    """Bytes that tell only their beginning: of every example its text is kept to the end."""

    def __repr__(self):
        if len(self) <= SHOWN:
            return super().__repr__()
        return f"{self[:SHOWN]!r} and so on, {len(self)} bytes"


@st.composite
def contents(draw):
    """One to three pieces, repeated to lengths that add up to a size."""
    size = draw(st.sampled_from(SIZES))
    found = draw(st.lists(pieces, min_size=1, max_size=3))
    share = size // len(found)
    return b"".join(piece * (share // len(piece)) for piece in found)


def encoded(content, coding):
    if coding == "base64":
        return base64.encodebytes(content)
    return quopri.encodestring(content) if coding == "quoted-printable" else content


@st.composite
def leaves(draw):
    kind, coding = draw(st.sampled_from(KINDS)), draw(st.sampled_from(CODINGS))
    head = f"Content-Type: {kind}; charset={draw(st.sampled_from(CHARSETS))}\n" if kind else ""
    head += f"Content-Transfer-Encoding: {coding}\n"
    if draw(st.booleans()):
        place = draw(st.sampled_from(["inline", "attachment", "inline; filename=a.txt"]))
        head += f"Content-Disposition: {place}\nContent-ID: <x>\n"
    content = draw(contents())
    is_honest = draw(st.booleans())
    return head.encode() + b"\n" + (encoded(content, coding) if is_honest else content)


@st.composite
def containers(draw, inner):
    parts = draw(st.lists(inner, max_size=4))
    often = draw(st.sampled_from([1, 1, 1, 20, 400]))
    # What goes beyond the largest mail is cut off in the end, and would fill the memory until then.
    parts *= max(min(often, MOST // (sum(map(len, parts)) + 1)), 1)
    boundary = draw(st.sampled_from(["B0", "B", "B0--", "b 0", "=" * 70]))
    mark = b"--" + draw(st.sampled_from([boundary.encode()] * 4 + [b"B00", b"broken"]))
    end = draw(st.sampled_from([mark + b"--\n", b"", mark + b"\n", mark + b"--"]))
    head = f'Content-Type: multipart/{draw(st.sampled_from(CONTAINERS))}; boundary="{boundary}"'
    between = b"\n" + mark + b"\n"
    behind = draw(st.sampled_from([b"", b"epilogue", between + b"\nbehind"]))
    return (head.encode() + b"\n\n" + between + between.join(parts))[:MOST] + b"\n" + end + behind


@st.composite
def nests(draw, inner):
    """Containers or mails inside each other, as deep as is asked."""
    levels = draw(st.sampled_from([3, 40, 400]))
    if draw(st.booleans()):
        return b"Content-Type: message/rfc822\n\nSubject: x\n" * levels + draw(inner)
    names = [b"n%d" % level for level in range(levels)]
    opened = b"".join(
        b'Content-Type: multipart/mixed; boundary="%s"\n\n--%s\n' % (name, name) for name in names
    )
    closed = b"".join(b"\n--%s--" % name for name, _outer in pairwise(reversed(names)))
    return opened + draw(inner) + closed


@st.composite
def mails(draw):
    head = b"From: ana@a.test\nSubject: x\n" if draw(st.booleans()) else b""
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3)):
        value = draw(pieces) * draw(st.sampled_from([1, 30, 3_000, 200_000]))
        if draw(st.booleans()):
            value = value.replace(b"\n", b"\n ").replace(b", ", b",\n ")
        head += b"%s: %s\n" % (name.encode(), value)
    parts = st.recursive(leaves(), lambda inner: containers(inner) | nests(inner), max_leaves=6)
    return Mail((head + draw(parts))[:MOST])


def is_put_somewhere(raw):
    """Receive a mail and check what every mail is promised."""
    with rolled_back():
        message, _new = store_mail(mailbox=make_mailbox(), raw=raw)
        seconds = processor_seconds(lambda: process_mail(message.pk))
        found = InboundMessage.objects.get(pk=message.pk)
        assert bytes(found.raw) == raw
        assert found.status in ("processed", "failed", "ignored"), found.reason
        assert "Error" not in found.reason, found.reason
        assert found.ticket_id or found.status in ("failed", "ignored")
        assert seconds < BOUND


@given(mails())
@FUZZ
def test_any_tree_of_parts_ends_stored_and_listed(raw):
    is_put_somewhere(raw)


@given(st.lists(pieces, min_size=1, max_size=4), st.sampled_from([100, SIZES[-1]]))
@FUZZ
def test_any_bytes_end_stored_and_listed(found, size):
    is_put_somewhere(b"".join(piece * (size // len(found) // len(piece)) for piece in found))
