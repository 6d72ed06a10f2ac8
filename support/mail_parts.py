"""The parts of a mail: its text, shown and whole, its files, and what reports it holds."""

import binascii
import email.errors
import re
from dataclasses import dataclass, field, replace
from email.message import Message
from functools import cached_property
from html import escape

from systemadmin.foundation.search_words import words

from . import mail_reports
from .mail_charsets import decode_text, meta_charset
from .mail_flowed import unflowed
from .mail_headers import header_text
from .mail_html import MAX_HTML, html_to_text
from .mail_receipts import comment_of
from .mail_reports import Report
from .mail_safe_html import normal_content_id, safe_html
from .mail_signed import SIGNED_TYPES, signed_mail
from .mail_source import UnparsableMail, read_source

MAX_PARTS = 300
# Sources inside a mail that are parsed anew: each may be as long as the mail.
MAX_SOURCES = 5
# Mails in mails whose words are read.
MAX_DEPTH = 10
# What is read of the plain parts together.
MAX_PLAIN = 1_000_000
# Characters whose words are compared with those of other parts; nested parts say them again.
MAX_COMPARED = 5_000_000
# Neither sign may come again inside: each place would be read as far as the bound allows.
LINK = re.compile(r"<https?://[^<>\s]{1,2000}>|\[[^\[\]\n]{0,200}\]")
BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]{1,1000}={0,2}\s*$")
UUENCODED = re.compile(
    r"^begin [0-7]{3} (?P<name>[^\n]{1,200})\n(?P<lines>(?:[ -`]{1,62}\n)*?)(?:`?\n)?end[ \t]*$",
    re.MULTILINE,
)
MAX_PLACEHOLDER = 300
PLACEHOLDER = re.compile(r"html|view (this|it) (e-?mail|message|online)", re.IGNORECASE)
CALENDARS = frozenset(["text/calendar", "application/ics"])
# Inline text that is no word for a reader.
NO_TEXT = frozenset(["text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/csv",
                     "text/css", "text/javascript", "text/x-amp-html", "text/watch-html",
                     "text/rtf"])  # fmt: skip


class TooManyPartsError(Exception):
    """The mail has more than MAX_PARTS parts."""


@dataclass(frozen=True)
class MailAttachment:
    """A file that came with a mail."""

    name: str
    content_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True)
class _Text:
    """The text of a part: what is shown of it and every word."""

    shown: str = ""
    whole: str = ""
    is_html: bool = False
    html: str = ""

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word."""
        return frozenset(words(self.whole))

    @cached_property
    def own_words(self) -> frozenset[str]:
        """The words without addresses of links, which are none."""
        return frozenset(words(LINK.sub(" ", self.whole)))


@dataclass
class Budget:
    """What may still be read of a mail, of the mails inside it too."""

    parts: int = MAX_PARTS
    html: int = MAX_HTML
    plain: int = MAX_PLAIN
    compared: int = MAX_COMPARED
    sources: int = MAX_SOURCES
    # Whether text was left out.
    is_overdrawn: bool = False


@dataclass
class MailParts:
    """What the parts of a mail hold."""

    shown: str = ""
    whole: str = ""
    html: str = ""
    attachments: list[MailAttachment] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    calendar: list[str] = field(default_factory=list)
    # Whether the text is made of the calendar's fields, as the mail has none.
    is_calendar_only: bool = False
    left: Budget = field(default_factory=Budget)
    may_report: bool = True
    # How many mails are around this one; the files of one inside another stay in it.
    depth: int = 0


def read_parts(message: Message, *, may_report: bool = True) -> MailParts:
    """Read all parts; raises TooManyPartsError.

    Parts of a report count as such where the mail `may_report`; else they are text and files.
    """
    parts = MailParts(may_report=may_report)
    parameters = str(message.get("Content-Type", "")).lower()
    if "multipart/report" in parameters and "delivery-status" in parameters:
        parts.report.kind = "delivery"
    text = _read(message, parts)
    parts.shown, parts.whole = text.shown, text.whole
    if text.html:
        parts.html, embedded = safe_html(text.html)
        parts.attachments += [MailAttachment(name, "", data, name) for name, data in embedded]
    comment = comment_of(parts.calendar)
    if comment and comment not in text.whole:
        parts.shown = f"{comment}\n\n{text.shown}".strip()
        parts.whole = f"{comment}\n\n{text.whole}".strip()
    elif not text.whole.strip() and parts.calendar:
        parts.is_calendar_only = True
        parts.shown = parts.whole = "\n\n".join(map(_invitation, dict.fromkeys(parts.calendar)))
    elif not text.shown.strip():
        parts.shown = text.whole  # nothing but a mail that came as a file
    return parts


def _read(part: Message, parts: MailParts) -> _Text:
    parts.left.parts -= 1
    if parts.left.parts < 0:
        raise TooManyPartsError
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        return _leaf(part, parts)
    texts = [_read(child, parts) for child in mail_reports.inner_mails(part)]
    # HTML without a word may be a picture.
    texts = [text for text in texts if text.whole.strip() or text.html]
    if part.get_content_subtype() == "alternative":
        return _alternative(texts, parts)
    return _sequence(texts, parts)


def _sequence(texts: list[_Text], parts: MailParts) -> _Text:
    """Parts that follow each other, each a piece of the text; a copy of the text is left out."""
    kept: list[_Text] = []
    is_compared = any(text.is_html for text in texts) and _may_compare(texts, parts)
    for text in texts:
        copied = (i for i, known in enumerate(kept) if is_compared and _is_copy(text, known))
        at = next(copied, None)
        if at is None:
            kept.append(text)
        else:
            kept[at] = replace(kept[at], html=text.html)
    return _Text(
        "\n\n".join(text.shown.strip() for text in kept if text.shown.strip()),
        "\n\n".join(text.whole.strip() for text in kept if text.whole.strip()),
        bool(kept) and all(text.is_html for text in kept),
        _html_of(kept),
    )


def _is_copy(text: _Text, known: _Text) -> bool:
    """Whether HTML says nothing but what a plain text before it said."""
    is_html_of_plain = text.is_html and not known.is_html
    return is_html_of_plain and bool(text.whole.strip()) and text.own_words <= known.words


def _html_of(texts: list[_Text]) -> str:
    """One HTML of parts that follow each other; empty where none of them is HTML."""
    if not any(text.html for text in texts):
        return ""
    return "\n".join(
        f"<div>{text.html}</div>" if text.html else f"<pre>{escape(text.whole)}</pre>"
        for text in texts
    )


def _may_compare(texts: list[_Text], parts: MailParts) -> bool:
    """Whether there is time left to compare the words of these; else each is kept."""
    parts.left.compared -= sum(len(text.whole) for text in texts)
    return len(texts) > 1 and parts.left.compared >= 0


def _alternative(texts: list[_Text], parts: MailParts) -> _Text:
    """One text said in several ways: the plain one is shown, and no word of the others lost."""
    plain = next((text for text in texts if not text.is_html), None)
    html = next((text for text in texts if text.is_html), None)
    first = plain or html or _Text()
    if plain is not None and html is not None and len(plain.shown) <= MAX_PLACEHOLDER:
        first = html if PLACEHOLDER.search(plain.shown) else plain
    said = _without_copies(first, texts) if _may_compare(texts, parts) else texts
    whole = "\n\n".join(text.whole.strip() for text in said if text.whole.strip())
    return _Text(first.shown, whole, first.is_html, html.html if html else "")


def _without_copies(first: _Text, texts: list[_Text]) -> list[_Text]:
    """The first text, and those that have words which none before them has."""
    said, known = [first], set(first.words)
    for text in texts:
        if text is not first and not text.own_words <= known:
            said.append(text)
            known |= text.words
    return said


def _leaf(part: Message, parts: MailParts) -> _Text:
    if parts.may_report and mail_reports.read_part(part, parts.report):
        return _Text()
    kind = part.get_content_type()
    if part.get_content_maintype() == "message" and not _is_report(kind):
        return _mail_inside(part, parts)
    if _is_report(kind):
        text = mail_reports.part_text(part).strip()[: max(0, parts.left.plain)]
        parts.left.plain -= len(text)
        return _Text(text, text)
    data = _content(part)
    name = _filename(part)
    if kind in SIGNED_TYPES or name.lower().endswith(".p7m"):
        return _signed(part, kind, data, parts)
    disposition = str(part.get("Content-Disposition", "")).split(";")[0].strip().lower()
    # A multipart without its boundary is one piece of text with the parts' marks in it.
    is_text = kind.startswith("multipart/") or (kind.startswith("text/") and kind not in NO_TEXT)
    if is_text and (not name or (disposition == "inline" and kind in ("text/plain", "text/html"))):
        return _html(part, data, parts) if kind == "text/html" else _plain(part, data, parts)
    if kind in CALENDARS:
        parts.calendar.append(decode_text(data, _charset(part)))
    if data:
        parts.attachments.append(_attachment(part, kind, name, data))
    return _Text()


def _is_report(kind: str) -> bool:
    types = mail_reports.STATUS_TYPES | mail_reports.RECEIPT_TYPES
    return kind in types or kind == mail_reports.COMPLAINT_TYPE


def _signed(part: Message, kind: str, data: bytes, parts: MailParts) -> _Text:
    """The words that a signature holds; with all else that it holds, it is a file."""
    parts.attachments.append(_attachment(part, kind, _filename(part), data))
    inner = _reparsed(signed_mail(data), parts)
    return _read(inner, parts) if inner is not None else _Text()


def _mail_inside(part: Message, parts: MailParts) -> _Text:
    """A mail in a mail is a file of it; its words are no words of the sender, and are searched."""
    source = _encoded_mail(part)
    inner = next(iter(mail_reports.inner_mails(part)), None)
    inner = _reparsed(source, parts) if source else inner
    if parts.depth == 0:
        parts.attachments.append(_attached_mail(part, inner, source))
    if inner is None or parts.depth >= MAX_DEPTH:
        return _Text()
    text = _read(inner, MailParts(left=parts.left, may_report=False, depth=parts.depth + 1))
    return _Text("", f"{header_text(inner.get('Subject', ''))}\n\n{text.whole}".strip())


def _reparsed(source: bytes | None, parts: MailParts) -> Message | None:
    """The tree of a mail inside this one, as long as that is cheap."""
    parts.left.sources -= 1
    if not source or parts.left.sources < 0:
        return None
    try:
        return read_source(source)
    except UnparsableMail:
        return None


def _encoded_mail(part: Message) -> bytes:
    """The source of an attached mail that was encoded, against the rules; else nothing."""
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    inner = next(iter(mail_reports.inner_mails(part)), None)
    if encoding not in ("base64", "quoted-printable") or inner is None or inner.keys():
        return b""
    inner["Content-Transfer-Encoding"] = encoding
    content = inner.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _plain(part: Message, data: bytes, parts: MailParts) -> _Text:
    text = decode_text(data, _charset(part), limit=parts.left.plain)
    if _parameter(part, "format") == "flowed":
        text = unflowed(text, is_joined=_parameter(part, "delsp") == "yes")
    parts.left.plain -= len(text)
    parts.left.is_overdrawn |= parts.left.plain <= 0
    if "begin " in text:
        text = UUENCODED.sub(lambda match: _uuencoded(match, parts), text)
    return _Text(text, text)


def _html(part: Message, data: bytes, parts: MailParts) -> _Text:
    """The text of an HTML part; all of them together may be as long as one alone."""
    declared = _charset(part)
    if declared is None or declared.lower() in ("us-ascii", "ascii"):
        declared = meta_charset(data) or declared
    source = decode_text(data, declared, limit=MAX_HTML + 1)
    parts.left.is_overdrawn |= len(source) > max(0, parts.left.html)
    text = html_to_text(source, limit=max(0, parts.left.html))
    parts.left.html -= len(source)
    return _Text(text, text, is_html=True, html=source if parts.left.html >= 0 else "")


def _uuencoded(match: re.Match[str], parts: MailParts) -> str:
    try:
        content = b"".join(binascii.a2b_uu(line) for line in match["lines"].split("\n") if line)
    except binascii.Error:
        return match[0]
    name = header_text(match["name"])[:255]
    parts.attachments.append(MailAttachment(name, "application/octet-stream", content))
    return ""


def _content(part: Message) -> bytes:
    words = str(part.get("Content-Transfer-Encoding", "")).lower().replace(";", " ").split()
    encoding = words[0] if words else ""
    is_text = part.get_content_maintype() in ("text", "multipart")
    if words:
        part.replace_header(
            "Content-Transfer-Encoding", "8bit" if is_text and encoding == "base64" else encoding
        )
    content = part.get_payload(decode=True)
    data = content if isinstance(content, bytes) else b""
    return _base64_text(data, _charset(part)) if is_text and encoding == "base64" else data


def _base64_text(payload: bytes, charset: str | None) -> bytes:
    """Text declared as base64, which may be none, or may be followed by lines that are none."""
    lines = payload.strip().splitlines()
    at = next((i for i, row in enumerate(lines) if not BASE64_LINE.match(row)), len(lines))
    if at < len(lines) and b" " not in lines[at].strip():
        at += 1  # a line damaged on the way
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", b"".join(lines[:at]))
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    decoded = binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    rest = b"\n".join(lines[at:])
    if at == 0 or (len(lines) == at == 1 and _is_garbage(decoded, payload, charset)):
        return payload
    return decoded + (b"\n" + rest if rest.strip() else b"")


def _is_garbage(decoded: bytes, payload: bytes, charset: str | None) -> bool:
    """One word of plain text may look like base64; what comes out of it is no text."""
    if len(payload.strip()) % 4:
        charset = None
    text = decode_text(decoded, charset)
    is_utf_8 = charset is not None or decoded.decode("utf-8", "replace").count("\ufffd") == 0
    return not is_utf_8 or not all(c.isprintable() or c in "\n\t" for c in text)


def _charset(part: Message) -> str | None:
    """The charset a part declares, or None where the declaration cannot be read."""
    try:
        return part.get_content_charset()
    except (ValueError, LookupError, TypeError):
        return None


def _parameter(part: Message, name: str) -> str:
    """A parameter of Content-Type in lower case, or nothing where it cannot be read."""
    try:
        return str(part.get_param(name, "")).strip().lower()
    except (ValueError, LookupError, TypeError):
        return ""


def _filename(part: Message) -> str:
    try:
        return header_text(part.get_filename() or "").strip()
    except (ValueError, LookupError, TypeError):
        return ""


def _attachment(part: Message, kind: str, name: str, data: bytes) -> MailAttachment:
    fallback = "invitation.ics" if kind == "text/calendar" else "attachment"
    content_id = normal_content_id(header_text(part.get("Content-ID", "")))
    return MailAttachment((name or fallback)[:255], kind, data, content_id)


def _attached_mail(part: Message, inner: Message | None, source: bytes) -> MailAttachment:
    subject = header_text(inner.get("Subject", "")) if inner is not None else ""
    name = _filename(part) or f"{subject or 'message'}.eml"
    content = source or (_bytes_of(inner) if inner is not None else _content(part))
    return MailAttachment(name[:255], "message/rfc822", content)


def _bytes_of(mail: Message) -> bytes:
    try:
        return mail.as_bytes()
    except (ValueError, LookupError, TypeError, AttributeError, email.errors.MessageError):
        return mail_reports.part_text(mail).encode()


def _invitation(text: str) -> str:
    unfolded = re.sub(r"\n[ \t]", "", text)
    fields = dict(
        re.findall(r"^(SUMMARY|DTSTART|DTEND|LOCATION|DESCRIPTION)[^:\n]*:(.*)$", unfolded, re.M)
    )
    rows = [f"{name.title()}: {value.strip()}" for name, value in fields.items() if value.strip()]
    return "\n".join(rows).replace("\\,", ",").replace("\\n", "\n")
