"""Reports of mail systems: delivery (RFC 3464), complaints (5965), receipts (8098), and bounces
that follow no standard.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message

from .mail_charsets import decode_text
from .mail_threading import message_ids

# What one of our Message-IDs looks like, wherever a mail system quotes it.
OUR_MESSAGE_ID = re.compile(r"\bt-\d{4}-\d{6,9}\.[0-9a-f]{24}@[A-Za-z0-9.-]{1,200}")
MAX_SEARCHED = 1_000_000
STATUS_TYPES = frozenset(["message/delivery-status", "message/global-delivery-status"])
RETURNED_TYPES = frozenset(
    ["message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822", "message/partial",
     "message/rfc822-headers", "message/global-headers"]
)  # fmt: skip
RECEIPT_TYPES = frozenset(
    ["message/disposition-notification", "message/global-disposition-notification"]
)
COMPLAINT_TYPE = "message/feedback-report"
ACTION = re.compile(r"^action\s{0,20}:\s{0,20}([a-z]{1,20})", re.IGNORECASE | re.MULTILINE)
STATUS = re.compile(r"^status\s{0,20}:\s{0,20}([245])\.\d", re.IGNORECASE | re.MULTILINE)
RETURNED_ID = re.compile(
    r"^message-id\s{0,20}:\s{0,80}(<[^<>\s]{1,500}>)", re.IGNORECASE | re.MULTILINE
)

DAEMON = re.compile(
    r"^(mailer[-_.]?daemon|mail[-_.]?daemon|mdaemon|mail[-_.]?delivery[-_.]?(sub)?system|"
    r"microsoftexchange[0-9a-f]{32})(@|$)",
    re.IGNORECASE,
)
# A role of mail systems, or a name that a firm or a person may have.
ROLE = re.compile(r"^(postmaster|postmast|mail[-_.]?delivery[-_.a-z]{0,60})@", re.IGNORECASE)
DAEMON_NAME = re.compile(
    r"(mail delivery (sub)?system|mailer-daemon|mail administrator|internet mail delivery)",
    re.IGNORECASE,
)
BOUNCE_SUBJECT = re.compile(
    r"(undeliver(ed|able)|delivery (status notification|failure|notification)|failure notice|"
    r"returned (mail|to sender)|mail delivery failed|delivery has failed|nondeliverable|"
    r"non-?delivery|message not delivered|no se pudo entregar|no entregado|"
    r"unzustellbar|nicht zustellbar|mancata consegna|non remis|não entregue|"
    r"mail system error|could not be delivered|delivery error|no se ha podido entregar|"
    r"no se puede entregar|aviso de estado de entrega|no s'ha pogut lliurar|"
    r"onbestelbaar|niet bezorgd|impossible de remettre|échec (de la )?remise|"
    r"nie można dostarczyć|niedostarczon|kan inte levereras|olevererbart|недоставлен|не доставлен|"
    r"iletilemedi|teslim edilemedi|退信|投递失败|未送达|配信不能|配信できません)",
    re.IGNORECASE,
)
DELAY = re.compile(
    r"(\(delay\)|delivery incomplete|entrega incompleta|\(retraso\)|"
    r"delayed|delay notification|not yet (been )?delivered|could not send message for past|"
    r"still being retried|will (be retried|continue to (try|be)|keep trying)|retrasad|"
    r"verzögert|in ritardo|retardé)",
    re.IGNORECASE,
)


@dataclass
class Report:
    """What the machine-readable parts of a mail report."""

    kind: str = ""  # delivery, complaint or receipt
    actions: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()

    @property
    def is_failure(self) -> bool:
        """Whether a mail will not arrive: delayed, delivered and relayed ones have not failed."""
        if self.actions:
            return "failed" in self.actions
        return not self.statuses or "5" in self.statuses


def read_part(part: Message, report: Report) -> bool:
    """Add what a part of a report says; return whether it is such a part."""
    kind = part.get_content_type()
    if kind in STATUS_TYPES:
        text = part_text(part)
        report.kind = report.kind or "delivery"
        report.actions += tuple(action.lower() for action in ACTION.findall(text)[:100])
        report.statuses += tuple(STATUS.findall(text)[:100])
    elif kind in RECEIPT_TYPES:
        report.kind = "receipt"
    elif kind == COMPLAINT_TYPE:
        report.kind = "complaint"
    elif report.kind and kind in RETURNED_TYPES:
        report.returned += returned_ids(part)
    else:
        return False
    return True


def part_text(part: Message) -> str:
    """Return the text of a part that the standard library has taken apart as a mail."""
    if part.is_multipart():
        text = "\n".join(_source(piece) for piece in inner_mails(part))
    else:
        content = part.get_payload(decode=True)
        text = decode_text(content if isinstance(content, bytes) else b"", None)
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64":
        return _unpacked(text) or text
    return text


def inner_mails(part: Message) -> list[Message]:
    """Return what the standard library has parsed inside a part."""
    payload = part.get_payload() if part.is_multipart() else []
    return [piece for piece in payload if isinstance(piece, Message)]


def _source(piece: Message) -> str:
    """Return the fields of a block of a report, and what follows them."""
    fields = "\n".join(f"{name}: {value}" for name, value in piece.items())
    body = "" if piece.is_multipart() else piece.get_payload(decode=True)
    return f"{fields}\n\n{decode_text(body, None) if isinstance(body, bytes) else ''}"


def _unpacked(text: str) -> str:
    try:
        return decode_text(base64.b64decode("".join(text.split()), validate=True), None)
    except (binascii.Error, ValueError):
        return ""


def returned_ids(part: Message) -> tuple[str, ...]:
    """Return the Message-ID of a mail that was sent back."""
    for inner in inner_mails(part)[:1]:
        found = message_ids(str(inner.get("Message-ID", "")))
        if found:
            return found
    match = RETURNED_ID.search(part_text(part)[:MAX_SEARCHED])
    return message_ids(match[1]) if match else ()


def our_ids(*texts: str) -> tuple[str, ...]:
    """Message ids of the form that we give out, wherever they stand in a text."""
    found = (m[0] for text in texts for m in OUR_MESSAGE_ID.finditer(text[:MAX_SEARCHED]))
    return tuple(dict.fromkeys(found))[:50]


def is_bounce(headers: Mapping[str, str], subject: str, sender: str, name: str) -> bool:
    """Return whether a mail without a report is a bounce all the same.

    A person may be called postmaster, and may write about undelivered goods: a role's name alone
    counts only for the daemons, and a subject only beside what a mail system says of itself.
    """
    if DAEMON.match(sender) or (not sender and DAEMON_NAME.search(name)):
        return True
    if "x-failed-recipients" in headers:
        return True
    speaks_so = bool(BOUNCE_SUBJECT.search(subject))
    by_role = bool(ROLE.match(sender) or DAEMON_NAME.search(name))
    return speaks_so and (_is_automatic(headers) or (by_role and not headers.get("in-reply-to")))


def may_report(message: Message, headers: Mapping[str, str], sender: str, name: str) -> bool:
    """Return whether parts of a mail that look like a report are one, of the system that sends it.

    A person who forwards a report writes about it: their mail is theirs.
    """
    return (
        message.get_content_type() == "multipart/report"
        or is_bounce(headers, "", sender, name)
        or _is_automatic(headers)
        or bool(not sender or ROLE.match(sender) or DAEMON_NAME.search(name))
    )


def _is_automatic(headers: Mapping[str, str]) -> bool:
    is_null = headers.get("return-path", "").strip() == "<>"
    return is_null or headers.get("auto-submitted", "no").lower() not in ("", "no")
