"""A raw mail to what we need of it, whatever its sender's software got wrong."""

import email
import email.utils
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.policy import Compat32
from itertools import islice

from . import mail_reports, mail_threading
from .mail_bodies import Context, cut_quotes, shortened
from .mail_charsets import MAX_TEXT, decode_text
from .mail_headers import MAX_HEADER, Address, header_text, parse_addresses, plain_address
from .mail_parts import MailAttachment, MailParts, TooManyPartsError, read_parts
from .mail_reports import Report

__all__ = ["IncomingMail", "MailAttachment", "UnparsableMail", "parse_mail"]

MAX_HEADERS = 1_000
# The standard library compares every line with the boundary of each part around it, and counts
# the quotes before each ";" of a header anew. Without these bounds a mail of 1 MB costs minutes.
MAX_COMPARISONS = 5_000_000
MAX_PARAMETERS = 50
# Lines that may divide parts: each makes an object before the parts can be counted.
MAX_DIVIDERS = 20_000
BOUNDARY = re.compile(rb"boundary\s{0,20}[*=]", re.IGNORECASE)
HEADER_LINE = re.compile(rb"[!-9;-~]{1,200}[ \t]{0,10}:")
# A space before the colon ends the header for the standard library.
SPACED_NAME = re.compile(rb"^([!-9;-~]{1,200})[ \t]{1,10}:")
KNOWN_HEADER = re.compile(
    rb"(from|to|cc|subject|date|message-id|content-[a-z-]{1,40}|mime-version|received|reply-to|"
    rb"in-reply-to|references|return-path|sender|x-[\w-]{1,60})[ \t]{0,10}:",
    re.IGNORECASE,
)
MAX_HEAD = 200_000
MANY = ("to", "cc", "delivered-to", "references")


class UnparsableMail(Exception):
    """A mail nothing can be made of; it is kept as it came and shown to staff."""


@dataclass(frozen=True)
class IncomingMail:
    """What a mail says and where it belongs.

    `text` is what is shown first, `full_text` every word. `reply_to` is set where the sender
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

    @property
    def loop_number(self) -> str:
        """The ticket number in the field that our own mail carries."""
        return self.headers.get(mail_threading.LOOP_HEADER.lower(), "").strip()[:30]


class _BoundedHeaders(Compat32):
    """Reads headers as `compat32` does, each cut before the standard library computes with it.

    8-bit bytes stay as they came: the standard library would replace them by question marks.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        value = value[: MAX_HEADER * 4]
        return name, ";".join(value.split(";", MAX_PARAMETERS + 1)[: MAX_PARAMETERS + 1])

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value


def parse_mail(raw: bytes, *, own: tuple[str, ...] = ()) -> IncomingMail:
    """Read a raw mail; raises UnparsableMail rather than guess at nonsense.

    `own` are addresses of the desk: a quote that names one of them is a quote of our mail.
    """
    if not raw.strip():
        raise UnparsableMail("The message is empty.")
    boundaries = len(BOUNDARY.findall(raw))
    is_split = boundaries and raw.count(b"\n--") > MAX_DIVIDERS
    if is_split or boundaries * raw.count(b"\n") > MAX_COMPARISONS:
        raise UnparsableMail("The message has too many parts for its length.")
    try:
        message = email.message_from_bytes(mended(raw), policy=_BoundedHeaders())
        headers = _headers(message)
        if not any(headers.get(name) for name in ("from", "subject", "message-id")):
            raise UnparsableMail("This is not a mail: it has no header.")
        return _assemble(headers, _raw_fields(message), read_parts(message), raw, own)
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


def mended(raw: bytes) -> bytes:
    """Return a mail whose header can be read to its end.

    A byte order mark, blank lines or mbox lines before it are left out; a line in its middle
    that is no field goes on with the field before.
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t \x00")
    while re.match(rb">?From ", raw[:6]):
        raw = raw.partition(b"\n")[2].lstrip(b"\r\n")
    end = re.search(rb"\r?\n[ \t]*\r?\n", raw[:MAX_HEAD])
    head, rest = (
        (raw[: end.start()], raw[end.start() :]) if end else (raw[:MAX_HEAD], raw[MAX_HEAD:])
    )
    lines = [SPACED_NAME.sub(rb"\1:", row) for row in re.split(rb"\r\n|\n|\r", head)]
    last = max((i for i, line in enumerate(lines) if KNOWN_HEADER.match(line)), default=-1)
    whole = [
        line if i > last or line[:1] in (b" ", b"\t") or HEADER_LINE.match(line) else b" " + line
        for i, line in enumerate(lines)
    ]
    # What follows the last field without a blank line is text.
    at = next((i for i in range(last + 1, len(whole)) if not _is_field(whole[i])), len(whole))
    if last >= 0 and at < len(whole):
        whole.insert(at, b"")
    return b"\n".join(whole) + (b"\n\n" + rest.lstrip(b"\r\n") if end else rest)


def _is_field(line: bytes) -> bool:
    return line[:1] in (b" ", b"\t") or bool(HEADER_LINE.match(line))


def _assemble(
    headers: dict[str, str],
    fields: dict[str, str],
    parts: MailParts,
    raw: bytes,
    own: tuple[str, ...],
) -> IncomingMail:
    author = _sender(fields)
    subject = re.sub(r"\s+", " ", headers.get("subject", "")).strip()
    references = mail_threading.message_ids(
        headers.get("in-reply-to", ""), headers.get("references", "")
    )
    full = shortened(parts.whole.strip(), MAX_TEXT)
    kind = _kind(headers, subject, author, parts.report)
    recipients = _recipients(fields)
    context = Context(
        is_reply=bool(references or mail_threading.ANSWER.match(subject)),
        is_forward=bool(mail_threading.FORWARD.match(subject)),
        own={address for address in (*recipients, *own) if address != author.address},
    )
    failed = list(parts.report.returned)
    if kind != "message":
        failed += mail_reports.our_ids(raw[: mail_reports.MAX_SEARCHED].decode("latin-1"), full)
    answer = _reply_to(fields, author, kind)
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
        participants=_participants(fields, author),
        is_failure=kind == "bounce" and _is_failure(parts.report, subject, full),
        is_cut_short=parts.is_cut_short or len(parts.whole) > MAX_TEXT,
    )


def _kind(headers: dict[str, str], subject: str, author: Address, report: Report) -> str:
    if report.kind:
        kinds = {"delivery": "bounce", "complaint": "complaint", "receipt": "auto_reply"}
        return kinds[report.kind]
    if mail_reports.is_bounce(headers, subject, author.address, author.name):
        return "bounce"
    return mail_threading.recognise(headers, subject)


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
    """Who wrote: From, else Sender, else the envelope; a name alone where no address is given."""
    named = Address("", "")
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


def _reply_to(fields: dict[str, str], author: Address, kind: str) -> Address:
    """Where answers shall go, if not to the author; the Reply-To of a list is the list's."""
    nobody = Address("", "")
    if kind == "list":
        return nobody
    found = next((a for a in parse_addresses(fields.get("reply-to", "")) if a.address), nobody)
    return nobody if found.address == author.address else found


def _recipients(fields: dict[str, str]) -> tuple[str, ...]:
    names = ("to", "cc", "delivered-to", "x-original-to", "envelope-to")
    found = [a.address for name in names for a in parse_addresses(fields.get(name, ""))]
    return tuple(dict.fromkeys(address for address in found if address))


def _participants(fields: dict[str, str], author: Address) -> tuple[Address, ...]:
    """Those whom the author wrote to beside us; whoever reads this takes our own ones out."""
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
