"""A raw mail to what we need of it, whatever its sender's software got wrong."""

import email.utils
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from itertools import islice

from . import mail_receipts, mail_reports, mail_threading
from .mail_bodies import Context, cut_quotes, shortened
from .mail_charsets import MAX_TEXT, decode_text
from .mail_headers import MAX_HEADER, Address, header_text, parse_addresses, plain_address
from .mail_parts import MailAttachment, MailParts, TooManyPartsError, read_parts
from .mail_reports import Report
from .mail_source import MAX_HEAD, UnparsableMail, read_source

__all__ = ["IncomingMail", "MailAttachment", "UnparsableMail", "parse_mail"]

MAX_HEADERS = 1_000
# One of them makes a mail of a source. Without a sender it is listed, and a ticket by hand.
MAIL_FIELDS = ("from", "subject", "message-id", "content-type", "mime-version", "received", "date")
MANY = ("to", "cc", "delivered-to", "references")


NOBODY = Address("", "")


@dataclass(frozen=True)
class IncomingMail:
    """What a mail says and where it belongs.

    `text` is what is shown first, `full_text` every word, `html` safe HTML of the same where the
    mail had some. `reply_to` is set where the sender
    asks for answers to another address.
    """

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
    reply_to: str = ""
    reply_to_name: str = ""
    participants: tuple[Address, ...] = ()
    is_failure: bool = False
    is_cut_short: bool = False
    html: str = ""

    @property
    def is_of_everybody(self) -> bool:
        """Whether a list has put its own address in the place of the author's."""
        return self.kind == "list" and bool(self.reply_to)

    @property
    def loop_number(self) -> str:
        """The ticket number in the field that our own mail carries."""
        return self.headers.get(mail_threading.LOOP_HEADER.lower(), "").strip()[:30]


def parse_mail(raw: bytes, *, own: tuple[str, ...] = ()) -> IncomingMail:
    """Read a raw mail; raises UnparsableMail rather than guess at nonsense.

    `own` are addresses of the desk: a quote that names one of them is a quote of our mail.
    """
    try:
        message = read_source(raw)
        headers = _headers(message)
        if not any(headers.get(name) for name in MAIL_FIELDS):
            raise UnparsableMail("This is not a mail: it has no header.")
        fields = _raw_fields(message)
        author = _sender(fields)
        may_report = mail_reports.may_report(message, headers, author.address, author.name)
        parts = read_parts(message, may_report=may_report)
        return _assemble(headers, fields, author, parts, raw, own)
    except TooManyPartsError:
        raise UnparsableMail("The message has too many parts.") from None
    except RecursionError:
        raise UnparsableMail("The message is nested too deeply.") from None


def bare_mail(raw: bytes) -> IncomingMail:
    """Return a mail that cannot be read as one text: its source, with subject and sender if any."""
    text = decode_text(raw, None)
    source = text[:MAX_HEAD]
    subject = re.search(r"^subject:([^\n]{1,1000})", source, re.IGNORECASE | re.MULTILINE)
    author = re.search(r"^from:([^\n]{1,1000})", source, re.IGNORECASE | re.MULTILINE)
    sender = _sender({"from": author[1]} if author else {})
    return IncomingMail(
        message_id="",
        subject=" ".join(header_text(subject[1]).split())[:255] if subject else "",
        sender=sender.address,
        sender_name=sender.name,
        recipients=(),
        sent_at=None,
        references=(),
        text=text.strip(),
        full_text=text.strip(),
        kind="message",
        wants_no_answer=True,
        is_cut_short=len(raw) > MAX_TEXT,
    )


def _assemble(
    headers: dict[str, str],
    fields: dict[str, str],
    author: Address,
    parts: MailParts,
    raw: bytes,
    own: tuple[str, ...],
) -> IncomingMail:
    subject = re.sub(r"\s+", " ", headers.get("subject", "")).strip()
    references = mail_threading.message_ids(
        headers.get("in-reply-to", ""), headers.get("references", "")
    )
    full = shortened(parts.whole.strip(), MAX_TEXT)
    kind = _kind(headers, subject, author, parts)
    recipients = _recipients(fields)
    context = Context(
        is_reply=bool(references or mail_threading.ANSWER.match(subject)),
        is_forward=bool(mail_threading.FORWARD.match(subject)),
        own={address for address in (*recipients, *own) if address != author.address},
    )
    failed = list(parts.report.returned)
    if kind != "message":
        failed += mail_reports.our_ids(raw[: mail_reports.MAX_SEARCHED].decode("latin-1"), full)
    lists = mail_threading.list_addresses(headers) if kind == "list" else frozenset()
    answer = (
        _reply_to(fields, author, lists) if kind != "list" or author.address in lists else NOBODY
    )
    return IncomingMail(
        message_id=next(iter(mail_threading.message_ids(headers.get("message-id", ""))), ""),
        subject=subject[:255],
        sender=author.address,
        sender_name=author.name,
        recipients=recipients,
        sent_at=_date(headers.get("date", "")),
        references=references,
        text=cut_quotes(shortened(parts.shown, MAX_TEXT), context),
        full_text=full,
        kind=kind,
        wants_no_answer=mail_threading.wants_no_answer(headers, kind),
        attachments=tuple(parts.attachments),
        failed_message_ids=tuple(dict.fromkeys(failed)),
        headers=headers,
        reply_to=answer.address,
        reply_to_name=answer.name,
        participants=tuple(p for p in _participants(fields, author) if p.address not in lists),
        is_failure=kind == "bounce" and _is_failure(parts.report, subject, full),
        is_cut_short=parts.left.is_overdrawn or len(parts.whole) > MAX_TEXT,
        html=parts.html,
    )


def _kind(headers: dict[str, str], subject: str, author: Address, parts: MailParts) -> str:
    if parts.report.kind:
        kinds = {"delivery": "bounce", "complaint": "complaint", "receipt": "auto_reply"}
        return kinds[parts.report.kind]
    if mail_reports.is_bounce(headers, subject, author.address, author.name):
        return "bounce"
    kind = mail_threading.recognise(headers, subject)
    if kind in ("message", "generated") and _is_receipt(headers, subject, parts):
        return "auto_reply"
    return kind


def _is_receipt(headers: dict[str, str], subject: str, parts: MailParts) -> bool:
    """Return whether a program sent this because a person read a mail or accepted an invitation."""
    text = "" if parts.is_calendar_only else parts.shown
    if mail_receipts.is_receipt(subject, text):
        return True
    is_answer = mail_threading.is_answer(headers)
    return mail_receipts.is_answer_to_invitation(subject, text, parts.calendar, is_answer=is_answer)


def _is_failure(report: Report, subject: str, text: str) -> bool:
    if report.actions or report.statuses:
        return report.is_failure
    return not mail_reports.DELAY.search(f"{subject}\n{text[:2000]}")


def _raw_fields(message: Message) -> dict[str, str]:
    """Header fields still encoded, the first of each; several To and Cc are joined."""
    fields: dict[str, str] = {}
    # raw_items keeps 8-bit bytes as they came; items() would already have replaced them.
    items = message.raw_items()  # type: ignore[attr-defined,unused-ignore]
    for name, value in islice(items, MAX_HEADERS):
        key = str(name).lower().strip()
        if key not in fields:
            fields[key] = str(value).strip()
        elif key in MANY:
            fields[key] = f"{fields[key]}, {str(value).strip()}"[: MAX_HEADER * 4]
    return fields


def _headers(message: Message) -> dict[str, str]:
    limits = dict.fromkeys(MANY, MAX_HEADER * 4)
    fields = _raw_fields(message)
    return {
        header_text(key): header_text(value, limit=limits.get(key, MAX_HEADER)).strip()
        for key, value in fields.items()
    }


def _sender(fields: dict[str, str]) -> Address:
    """Return who wrote: From, else Sender, else the envelope; a name alone without an address."""
    named = NOBODY
    for name in ("from", "sender", "return-path"):
        for found in parse_addresses(fields.get(name, "")):
            if found.address:
                return (
                    found
                    if name == "from" or not named.name
                    else Address(named.name, found.address)
                )
            named = named if named.name else found
    return named


def _reply_to(fields: dict[str, str], author: Address, lists: frozenset[str]) -> Address:
    """Where answers shall go, if not to the author.

    The Reply-To of a list is the list's. One that writes its own address into From, as DMARC makes
    many do, names the author there or in a field of its own.
    """
    names = ("reply-to", *(("x-original-from", "x-original-sender") if lists else ()))
    found = (a for name in names for a in parse_addresses(fields.get(name, "")))
    other = next((a for a in found if a.address and a.address not in lists), NOBODY)
    return NOBODY if other.address == author.address else other


def _recipients(fields: dict[str, str]) -> tuple[str, ...]:
    names = ("to", "cc", "delivered-to", "x-original-to", "envelope-to")
    found = [a.address for name in names for a in parse_addresses(fields.get(name, ""))]
    return tuple(dict.fromkeys(address for address in found if address))


def _participants(fields: dict[str, str], author: Address) -> tuple[Address, ...]:
    """Return those whom the author wrote to beside us; the caller takes out our own ones."""
    seen = {plain_address(author.address)}
    kept = []
    for found in (a for name in ("to", "cc") for a in parse_addresses(fields.get(name, ""))):
        if found.address and plain_address(found.address) not in seen:
            seen.add(plain_address(found.address))
            kept.append(found)
    return tuple(kept)


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
