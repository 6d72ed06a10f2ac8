"""The parts of a mail: its text, shown and whole, its files, and what reports it holds."""

import binascii
import email.errors
import re
from dataclasses import dataclass, field, replace
from email.message import Message

from . import mail_reports
from .mail_charsets import decode_text, meta_charset
from .mail_content import charset_of, content_of, filename_of, parameter_of
from .mail_flowed import unflowed
from .mail_headers import header_text
from .mail_html import MAX_HTML, html_to_text
from .mail_part_texts import Comparisons, PartText, as_alternatives, in_sequence
from .mail_receipts import comment_of
from .mail_reports import Report
from .mail_safe_html import normal_content_id, safe_html
from .mail_signed import SIGNED_TYPES, signed_mail
from .mail_source import UnparsableMail, read_source
from .mail_tnef import CONTENT_ID, MIME_TYPE, Packed, is_packed, read_tnef

MAX_PARTS = 300
# Sources inside a mail that are parsed anew: each may be as long as the mail.
MAX_SOURCES = 5
# Mails in mails whose words are read.
MAX_DEPTH = 10
# What is read of the plain parts together.
MAX_PLAIN = 1_000_000
UUENCODED = re.compile(
    r"^begin [0-7]{3} (?P<name>[^\n]{1,200})\n(?P<lines>(?:[ -`]{1,62}\n)*?)(?:`?\n)?end[ \t]*$",
    re.MULTILINE,
)
CALENDARS = frozenset(["text/calendar", "application/ics"])
# Inline text that is not meant for readers.
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


@dataclass
class Budget:
    """How much may still be read of a mail and of the mails inside it."""

    parts: int = MAX_PARTS
    html: int = MAX_HTML
    plain: int = MAX_PLAIN
    compared: Comparisons = field(default_factory=Comparisons)
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
    # Files that are kept where the mail has no other text.
    unread: list[MailAttachment] = field(default_factory=list)
    # Plain text with the name of a file, which is the mail's where it has no other text.
    named: list[Message] = field(default_factory=list)
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
    if not text.whole.strip() and parts.named:
        # Gateways of telephones name the text of a message as if it were a file.
        named = [_plain(part, content_of(part), parts) for part in parts.named]
        text = replace(in_sequence(named, parts.left.compared), html=text.html)
    parts.shown, parts.whole = text.shown, text.whole
    if text.html:
        parts.html, embedded = safe_html(text.html)
        parts.attachments += [MailAttachment(name, "", data, name) for name, data in embedded]
    if not text.whole.strip():
        parts.attachments += parts.unread
    _read_calendars(parts)
    if not parts.shown.strip():
        parts.shown = parts.whole  # only a mail that came as a file
    return parts


def _read_calendars(parts: MailParts) -> None:
    """Add what a person wrote into a calendar, or its fields to a mail without a text."""
    comment = comment_of(parts.calendar)
    if comment and comment not in parts.whole:
        parts.shown = f"{comment}\n\n{parts.shown}".strip()
        parts.whole = f"{comment}\n\n{parts.whole}".strip()
    elif not parts.whole.strip() and parts.calendar:
        parts.is_calendar_only = True
        parts.shown = parts.whole = "\n\n".join(map(_invitation, dict.fromkeys(parts.calendar)))


def _read(part: Message, parts: MailParts) -> PartText:
    parts.left.parts -= 1
    if parts.left.parts < 0:
        raise TooManyPartsError
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        return _leaf(part, parts)
    texts = [_read(child, parts) for child in mail_reports.inner_mails(part)]
    # HTML without a word may be a picture.
    texts = [text for text in texts if text.whole.strip() or text.html]
    if part.get_content_subtype() == "alternative":
        return as_alternatives(texts, parts.left.compared)
    return in_sequence(texts, parts.left.compared)


def _leaf(part: Message, parts: MailParts) -> PartText:
    if parts.may_report and mail_reports.read_part(part, parts.report):
        return PartText()
    kind = part.get_content_type()
    if _is_report(kind):
        return _plain_text(mail_reports.part_text(part).strip(), parts)
    if part.get_content_maintype() == "message":
        return _mail_inside(part, parts)
    return _text_or_file(part, kind, parts)


def _text_or_file(part: Message, kind: str, parts: MailParts) -> PartText:
    data, name = content_of(part), filename_of(part)
    if kind in SIGNED_TYPES or name.lower().endswith(".p7m"):
        return _signed(part, kind, data, parts)
    if is_packed(kind, name, data):
        return _packed(part, kind, data, parts)
    if _is_inline_text(part, kind, name):
        return _html(part, data, parts) if kind == "text/html" else _plain(part, data, parts)
    _keep_file(part, kind, name, data, parts)
    return PartText()


def _keep_file(part: Message, kind: str, name: str, data: bytes, parts: MailParts) -> None:
    if kind in CALENDARS:
        parts.calendar.append(decode_text(data, charset_of(part)))
    if data or name:
        parts.attachments.append(_attachment(part, kind, name, data))
    if kind == "text/plain" and _disposition(part) != "attachment":
        parts.named.append(part)


def _is_inline_text(part: Message, kind: str, name: str) -> bool:
    """Return whether a part is text to be read in its place.

    A multipart without its boundary is one piece of text with the parts' marks in it.
    """
    is_text = kind.startswith("multipart/") or (kind.startswith("text/") and kind not in NO_TEXT)
    is_shown = _disposition(part) == "inline" and kind in ("text/plain", "text/html")
    return is_text and (not name or is_shown)


def _disposition(part: Message) -> str:
    return str(part.get("Content-Disposition", "")).split(";")[0].strip().lower()


def _is_report(kind: str) -> bool:
    types = mail_reports.STATUS_TYPES | mail_reports.RECEIPT_TYPES
    return kind in types or kind == mail_reports.COMPLAINT_TYPE


def _packed(part: Message, kind: str, data: bytes, parts: MailParts) -> PartText:
    """Return text and files that Outlook packed into winmail.dat; what is unreadable is a file."""
    whole = _attachment(part, kind, filename_of(part) or "winmail.dat", data)
    found = read_tnef(data)
    if found is None:
        parts.attachments.append(whole)
        return PartText()
    parts.attachments += [
        MailAttachment(
            (file.name or "attachment")[:255],
            file.text(MIME_TYPE) or "application/octet-stream",
            file.content,
            normal_content_id(file.text(CONTENT_ID)),
        )
        for file in found.all_files
        if file.content
    ]
    if found.is_broken:
        parts.attachments.append(whole)
    elif found.has_rtf and not found.text and not found.html:
        parts.unread.append(whole)
    return _packed_text(found, parts)


def _packed_text(found: Packed, parts: MailParts) -> PartText:
    """Return the text of a packed mail, which says once more what a plain part before it says."""
    text = _plain_text(found.all_text, parts)
    if not found.html:
        return replace(text, is_html=True)
    html = _html_text(found.html, parts)
    if not text.whole.strip():
        return html
    return replace(in_sequence([text, html], parts.left.compared), is_html=True)


def _signed(part: Message, kind: str, data: bytes, parts: MailParts) -> PartText:
    """Return the words that a signature holds; with all else that it holds, it is a file."""
    parts.attachments.append(_attachment(part, kind, filename_of(part), data))
    inner = _reparsed(signed_mail(data), parts)
    return _read(inner, parts) if inner is not None else PartText()


def _mail_inside(part: Message, parts: MailParts) -> PartText:
    """Treat a mail in a mail as a file: its words are not the sender's, and are searched."""
    source = _encoded_mail(part)
    inner = next(iter(mail_reports.inner_mails(part)), None)
    inner = _reparsed(source, parts) if source else inner
    if parts.depth == 0:
        parts.attachments.append(_attached_mail(part, inner, source))
    if inner is None or parts.depth >= MAX_DEPTH:
        return PartText()
    text = _read(inner, MailParts(left=parts.left, may_report=False, depth=parts.depth + 1))
    return PartText("", f"{header_text(inner.get('Subject', ''))}\n\n{text.whole}".strip())


def _reparsed(source: bytes | None, parts: MailParts) -> Message | None:
    """Return the tree of a mail inside this one, as long as that is cheap."""
    parts.left.sources -= 1
    if not source or parts.left.sources < 0:
        return None
    try:
        return read_source(source)
    except UnparsableMail:
        return None


def _encoded_mail(part: Message) -> bytes:
    """Return the source of an attached mail that was encoded, against the rules; else nothing."""
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    inner = next(iter(mail_reports.inner_mails(part)), None)
    if encoding not in ("base64", "quoted-printable") or inner is None or inner.keys():
        return b""
    inner["Content-Transfer-Encoding"] = encoding
    content = inner.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _plain(part: Message, data: bytes, parts: MailParts) -> PartText:
    text = decode_text(data, charset_of(part), limit=parts.left.plain)
    if parameter_of(part, "format") == "flowed":
        text = unflowed(text, is_joined=parameter_of(part, "delsp") == "yes")
    parts.left.plain -= len(text)
    parts.left.is_overdrawn |= parts.left.plain <= 0
    if "begin " in text:
        text = UUENCODED.sub(lambda match: _uuencoded(match, parts), text)
    return PartText(text, text)


def _html(part: Message, data: bytes, parts: MailParts) -> PartText:
    """Return the text of an HTML part; all of them together may be as long as one alone."""
    declared = charset_of(part)
    if declared is None or declared.lower() in ("us-ascii", "ascii"):
        declared = meta_charset(data) or declared
    return _html_text(decode_text(data, declared, limit=MAX_HTML + 1), parts)


def _html_text(source: str, parts: MailParts) -> PartText:
    parts.left.is_overdrawn |= len(source) > max(0, parts.left.html)
    text = html_to_text(source, limit=max(0, parts.left.html))
    parts.left.html -= len(source)
    return PartText(text, text, is_html=True, html=source if parts.left.html >= 0 else "")


def _plain_text(source: str, parts: MailParts) -> PartText:
    text = source[: max(0, parts.left.plain)]
    parts.left.is_overdrawn |= len(text) < len(source)
    parts.left.plain -= len(text)
    return PartText(text, text)


def _uuencoded(match: re.Match[str], parts: MailParts) -> str:
    try:
        content = b"".join(binascii.a2b_uu(line) for line in match["lines"].split("\n") if line)
    except binascii.Error:
        return match[0]
    name = header_text(match["name"])[:255]
    parts.attachments.append(MailAttachment(name, "application/octet-stream", content))
    return ""


def _attachment(part: Message, kind: str, name: str, data: bytes) -> MailAttachment:
    fallback = "invitation.ics" if kind == "text/calendar" else "attachment"
    content_id = normal_content_id(header_text(part.get("Content-ID", "")))
    return MailAttachment((name or fallback)[:255], kind, data, content_id)


def _attached_mail(part: Message, inner: Message | None, source: bytes) -> MailAttachment:
    subject = header_text(inner.get("Subject", "")) if inner is not None else ""
    name = filename_of(part) or f"{subject or 'message'}.eml"
    content = source or (_bytes_of(inner) if inner is not None else content_of(part))
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
