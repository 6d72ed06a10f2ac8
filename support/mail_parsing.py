"""A raw mail to what we need of it, whatever its sender's software got wrong."""

import email
import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import decode_header
from email.message import Message
from email.policy import Compat32
from itertools import islice
from typing import Any

from . import mail_threading
from .mail_bodies import MAX_TEXT, clean_text, cut_quotes, decode_text, shortened
from .mail_html import MAX_HTML, html_to_text

MAX_PARTS = 300
MAX_HEADER = 2_000
MAX_HEADERS = 1_000
# The standard library compares every line with the boundary of each part around it, and counts
# the quotes before each ";" of a header anew. Without these bounds a mail of 1 MB costs minutes.
MAX_COMPARISONS = 5_000_000
MAX_PARAMETERS = 50
# Lines that may divide parts: each makes an object before the parts can be counted.
MAX_DIVIDERS = 20_000
BOUNDARY = re.compile(rb"boundary\s{0,20}[*=]", re.IGNORECASE)


class UnparsableMail(Exception):
    """A mail nothing can be made of; it is kept as it came and shown to staff."""


@dataclass(frozen=True)
class MailAttachment:
    """A file that came with a mail."""

    name: str
    content_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True)
class IncomingMail:
    """What a mail says and where it belongs."""

    message_id: str
    subject: str
    sender: str
    sender_name: str
    recipients: tuple[str, ...]
    sent_at: datetime | None
    references: tuple[str, ...]
    text: str
    full_text: str
    kind: str
    wants_no_answer: bool
    attachments: tuple[MailAttachment, ...] = ()
    failed_message_ids: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class _Parts:
    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    calendar: list[str] = field(default_factory=list)
    attachments: list[MailAttachment] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    is_report: bool = False


class _BoundedHeaders(Compat32):
    """Reads headers as `compat32` does, each cut before the standard library computes with it."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        value = value[: MAX_HEADER * 4]
        return name, ";".join(value.split(";", MAX_PARAMETERS + 1)[: MAX_PARAMETERS + 1])


def parse_mail(raw: bytes) -> IncomingMail:
    """Read a raw mail; raises UnparsableMail rather than guess at nonsense."""
    if not raw.strip():
        raise UnparsableMail("The message is empty.")
    boundaries = len(BOUNDARY.findall(raw))
    is_split = boundaries and raw.count(b"\n--") > MAX_DIVIDERS
    if is_split or boundaries * raw.count(b"\n") > MAX_COMPARISONS:
        raise UnparsableMail("The message has too many parts for its length.")
    try:
        return _read(email.message_from_bytes(raw, policy=_BoundedHeaders()))
    except RecursionError:
        raise UnparsableMail("The message is nested too deeply.") from None


def _read(message: Message) -> IncomingMail:
    headers = _headers(message)
    parts = _Parts()
    for part in _leaves(message):
        _sort_part(part, parts)
    if not headers.get("from") and not headers.get("subject") and not headers.get("message-id"):
        raise UnparsableMail("This is not a mail: it has no header.")
    return _assemble(headers, parts)


def _assemble(headers: dict[str, str], parts: _Parts) -> IncomingMail:
    name, sender = _sender(headers)
    subject = re.sub(r"\s+", " ", headers.get("subject", "")).strip()
    full = _body(parts)
    kind = mail_threading.recognise(headers, subject, sender, report=parts.is_report)
    return IncomingMail(
        message_id=next(iter(mail_threading.message_ids(headers.get("message-id", ""))), ""),
        subject=subject[:255],
        sender=sender,
        sender_name=name[:150],
        recipients=_recipients(headers),
        sent_at=_date(headers.get("date", "")),
        references=mail_threading.message_ids(
            headers.get("in-reply-to", ""), headers.get("references", "")
        ),
        text=cut_quotes(full),
        full_text=full,
        kind=kind,
        wants_no_answer=mail_threading.wants_no_answer(headers, kind),
        attachments=tuple(parts.attachments),
        failed_message_ids=tuple(parts.failed),
        headers=headers,
    )


def header_text(value: object) -> str:
    """A header as text, decoding what is encoded and forgiving what is broken."""
    text = str(value)[: MAX_HEADER * 4]
    try:
        pieces = decode_header(text)
    except (ValueError, LookupError, email.errors.HeaderParseError):
        pieces = [(text, None)]
    decoded = "".join(
        piece if isinstance(piece, str) else decode_text(piece, charset)
        for piece, charset in pieces
    )
    return clean_text(_raw_bytes(decoded))[:MAX_HEADER]


def _raw_bytes(text: str) -> str:
    """8-bit bytes in a header (against the rules, and common) as the text they were meant as."""
    if any("\udc80" <= character <= "\udcff" for character in text):
        return decode_text(text.encode("utf-8", "surrogateescape"), None)
    return text


def _headers(message: Message) -> dict[str, str]:
    headers: dict[str, str] = {}
    # raw_items keeps 8-bit bytes as they came; items() would already have replaced them.
    items = message.raw_items()  # type: ignore[attr-defined,unused-ignore]
    for name, value in islice(items, MAX_HEADERS):
        key = str(name).lower().strip()
        if key not in headers:
            headers[key] = header_text(value).strip()
        elif key in ("to", "cc", "delivered-to", "references"):
            headers[key] = f"{headers[key]}, {header_text(value).strip()}"[: MAX_HEADER * 4]
    return headers


def _leaves(message: Message) -> Iterator[Message]:
    """Parts in order; an attached mail is one part, not a part of our conversation."""
    waiting: list[Any] = [message]
    seen = 0
    while waiting:
        part = waiting.pop(0)
        seen += 1
        if seen > MAX_PARTS:
            raise UnparsableMail("The message has too many parts.")
        payload = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting[:0] = payload
        else:
            yield part


def _sort_part(part: Message, parts: _Parts) -> None:
    kind = part.get_content_type()
    disposition = str(part.get("Content-Disposition", "")).split(";")[0].strip().lower()
    if kind == "message/delivery-status":
        parts.is_report = True
        return
    if kind in ("message/rfc822", "text/rfc822-headers") and parts.is_report:
        parts.failed.extend(_ids_of_returned(part))
        return
    if kind == "message/rfc822":
        parts.attachments.append(_attached_mail(part))
        return
    content = part.get_payload(decode=True)
    data = content if isinstance(content, bytes) else b""
    # A multipart without its boundary is one piece of text with the parts' marks in it.
    broken = kind.startswith("multipart/")
    is_text = broken or (kind in ("text/plain", "text/html") and disposition != "attachment")
    if is_text and not (part.get_filename() and disposition != "inline"):
        is_html = kind == "text/html"
        text = decode_text(data, _charset(part), limit=MAX_HTML + 1 if is_html else None)
        (parts.html if is_html else parts.plain).append(text)
        return
    if kind == "text/calendar":
        parts.calendar.append(decode_text(data, _charset(part)))
    if data:
        parts.attachments.append(_attachment(part, kind, data))


def _charset(part: Message) -> str | None:
    """The charset a part declares, or None where the declaration cannot be read."""
    try:
        return part.get_content_charset()
    except (ValueError, LookupError, TypeError):
        return None


def _attachment(part: Message, kind: str, data: bytes) -> MailAttachment:
    fallback = "invitation.ics" if kind == "text/calendar" else "attachment"
    try:
        name = part.get_filename()
    except (ValueError, LookupError, TypeError):
        name = None
    content_id = str(part.get("Content-ID", "")).strip("<> ")
    return MailAttachment(header_text(name or fallback)[:255], kind, data, content_id[:255])


def _attached_mail(part: Message) -> MailAttachment:
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    subject = header_text(inner.get("Subject", "")) if isinstance(inner, Message) else ""
    content = inner.as_bytes() if isinstance(inner, Message) else str(payload).encode()
    return MailAttachment(f"{subject or 'message'}.eml"[:255], "message/rfc822", content)


def _ids_of_returned(part: Message) -> tuple[str, ...]:
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return mail_threading.message_ids(str(payload[0].get("Message-ID", "")))
    content = part.get_payload(decode=True)
    text = decode_text(content if isinstance(content, bytes) else b"", None)
    match = re.search(r"^message-id:\s{0,80}(<[^<>\s]{1,500}>)", text, re.IGNORECASE | re.MULTILINE)
    return mail_threading.message_ids(match[1]) if match else ()


def _body(parts: _Parts) -> str:
    return shortened(_whole_body(parts), MAX_TEXT)


def _whole_body(parts: _Parts) -> str:
    plain = "\n\n".join(text.strip() for text in parts.plain if text.strip())
    if plain and not _is_placeholder(plain, parts):
        return plain
    html = _html_body(parts.html)
    if html or plain:
        return html or plain
    return "\n\n".join(_invitation(text) for text in parts.calendar)


def _html_body(sources: list[str]) -> str:
    """The text of the HTML parts, which together may be as long as one alone."""
    texts, left = [], MAX_HTML
    for source in sources:
        texts.append(html_to_text(source, limit=max(0, left)))
        left -= len(source)
        if left < 0:
            break
    return "\n\n".join(filter(None, texts))


def _is_placeholder(plain: str, parts: _Parts) -> bool:
    """Some programs put "your mail reader cannot show HTML" where the text belongs."""
    if not parts.html or len(plain) > 300:
        return False
    return bool(re.search(r"html|view (this|it) (e-?mail|message|online)", plain, re.IGNORECASE))


def _invitation(text: str) -> str:
    unfolded = re.sub(r"\n[ \t]", "", text)
    fields = dict(
        re.findall(r"^(SUMMARY|DTSTART|DTEND|LOCATION|DESCRIPTION)[^:\n]*:(.*)$", unfolded, re.M)
    )
    rows = [f"{name.title()}: {value.strip()}" for name, value in fields.items() if value.strip()]
    return "\n".join(rows).replace("\\,", ",").replace("\\n", "\n")


def _sender(headers: dict[str, str]) -> tuple[str, str]:
    for field_name in ("from", "sender", "return-path"):
        for name, address in email.utils.getaddresses([headers.get(field_name, "")]):
            if "@" in address:
                return name.strip(), address.strip().lower()[:254]
    return "", ""


def _recipients(headers: dict[str, str]) -> tuple[str, ...]:
    names = ("to", "cc", "delivered-to", "x-original-to", "envelope-to")
    values = [headers[name] for name in names if headers.get(name)]
    found = [address.strip().lower() for _, address in email.utils.getaddresses(values)]
    return tuple(dict.fromkeys(address for address in found if "@" in address))


def _date(value: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
