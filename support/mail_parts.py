"""The parts of a mail: its text, shown and whole, its files, and what reports it holds."""

import binascii
import email.errors
import re
from dataclasses import dataclass, field
from email.message import Message

from . import mail_reports, search
from .mail_charsets import decode_text, meta_charset
from .mail_headers import header_text
from .mail_html import MAX_HTML, html_to_text
from .mail_reports import Report

MAX_PARTS = 300
MAX_PART_TEXT = 1_000_000
LINK = re.compile(r"<https?://[^>\s]{1,2000}>|\[[^\]\n]{0,200}\]")
BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]{1,1000}={0,2}\s*$")
UUENCODED = re.compile(
    r"^begin [0-7]{3} (?P<name>[^\n]{1,200})\n(?P<lines>(?:[ -`]{1,62}\n)*?)(?:`?\n)?end[ \t]*$",
    re.MULTILINE,
)
MAX_PLACEHOLDER = 300
PLACEHOLDER = re.compile(r"html|view (this|it) (e-?mail|message|online)", re.IGNORECASE)
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


@dataclass
class MailParts:
    """What the parts of a mail hold."""

    shown: str = ""
    whole: str = ""
    attachments: list[MailAttachment] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    calendar: list[str] = field(default_factory=list)
    count: int = 0
    html_left: int = MAX_HTML
    is_cut_short: bool = False


def read_parts(message: Message) -> MailParts:
    """Read all parts; raises TooManyPartsError."""
    parts = MailParts()
    parameters = str(message.get("Content-Type", "")).lower()
    if "multipart/report" in parameters and "delivery-status" in parameters:
        parts.report.kind = "delivery"
    text = _read(message, parts)
    parts.shown, parts.whole = text.shown, text.whole
    if not text.whole:
        parts.shown = parts.whole = "\n\n".join(_invitation(source) for source in parts.calendar)
    return parts


def _read(part: Message, parts: MailParts) -> _Text:
    parts.count += 1
    if parts.count > MAX_PARTS:
        raise TooManyPartsError
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        return _leaf(part, parts)
    texts = [_read(child, parts) for child in mail_reports.inner_mails(part)]
    texts = [text for text in texts if text.whole.strip()]
    if part.get_content_subtype() == "alternative":
        return _alternative(texts)
    return _sequence(texts)


def _sequence(texts: list[_Text]) -> _Text:
    """Parts that follow each other, each a piece of the text; a copy of the text is left out."""
    kept: list[_Text] = []
    for text in texts:
        is_copy = text.is_html and any(not t.is_html and not _adds(text, t) for t in kept)
        if not is_copy:
            kept.append(text)
    return _Text(
        "\n\n".join(text.shown.strip() for text in kept),
        "\n\n".join(text.whole.strip() for text in kept),
        bool(kept) and all(text.is_html for text in kept),
    )


def _alternative(texts: list[_Text]) -> _Text:
    """One text said in several ways: the plain one is shown, and no word of the others lost."""
    plain = next((text for text in texts if not text.is_html), None)
    html = next((text for text in texts if text.is_html), None)
    first = plain or html or _Text()
    if plain is not None and html is not None and len(plain.shown) <= MAX_PLACEHOLDER:
        first = html if PLACEHOLDER.search(plain.shown) else plain
    whole = first
    for text in texts:
        if text is not first and _adds(text, whole):
            whole = _sequence([whole, text])
    return _Text(first.shown, whole.whole, first.is_html)


def _adds(text: _Text, known: _Text) -> bool:
    """Whether a text has words that another has not; addresses of links are no words."""
    words = set(search.words(LINK.sub(" ", text.whole)))
    return not words <= set(search.words(known.whole))


def _leaf(part: Message, parts: MailParts) -> _Text:
    if mail_reports.read_part(part, parts.report):
        return _Text()
    kind = part.get_content_type()
    if kind == "message/rfc822":
        parts.attachments.append(_attached_mail(part))
        return _Text()
    data = _content(part)
    name = _filename(part)
    disposition = str(part.get("Content-Disposition", "")).split(";")[0].strip().lower()
    # A multipart without its boundary is one piece of text with the parts' marks in it.
    is_text = kind.startswith("multipart/") or (kind.startswith("text/") and kind not in NO_TEXT)
    if is_text and (not name or (disposition == "inline" and kind in ("text/plain", "text/html"))):
        return _html(part, data, parts) if kind == "text/html" else _plain(part, data, parts)
    if kind == "text/calendar":
        parts.calendar.append(decode_text(data, _charset(part)))
    if data:
        parts.attachments.append(_attachment(part, kind, name, data))
    return _Text()


def _plain(part: Message, data: bytes, parts: MailParts) -> _Text:
    text = decode_text(data, _charset(part), limit=MAX_PART_TEXT)
    parts.is_cut_short |= len(text) >= MAX_PART_TEXT
    if "begin " in text:
        text = UUENCODED.sub(lambda match: _uuencoded(match, parts), text)
    return _Text(text, text)


def _html(part: Message, data: bytes, parts: MailParts) -> _Text:
    """The text of an HTML part; all of them together may be as long as one alone."""
    declared = _charset(part)
    if declared is None or declared.lower() in ("us-ascii", "ascii"):
        declared = meta_charset(data) or declared
    source = decode_text(data, declared, limit=MAX_HTML + 1)
    parts.is_cut_short |= len(source) > max(0, parts.html_left)
    text = html_to_text(source, limit=max(0, parts.html_left))
    parts.html_left -= len(source)
    return _Text(text, text, is_html=True)


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


def _filename(part: Message) -> str:
    try:
        return header_text(part.get_filename() or "").strip()
    except (ValueError, LookupError, TypeError):
        return ""


def _attachment(part: Message, kind: str, name: str, data: bytes) -> MailAttachment:
    fallback = "invitation.ics" if kind == "text/calendar" else "attachment"
    content_id = header_text(part.get("Content-ID", "")).strip("<> ")
    return MailAttachment((name or fallback)[:255], kind, data, content_id[:255])


def _attached_mail(part: Message) -> MailAttachment:
    inner = next(iter(mail_reports.inner_mails(part)), None)
    subject = header_text(inner.get("Subject", "")) if inner is not None else ""
    name = _filename(part) or f"{subject or 'message'}.eml"
    content = _bytes_of(inner) if inner is not None else _content(part)
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
