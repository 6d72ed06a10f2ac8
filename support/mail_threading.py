"""Where an incoming mail belongs: address tags, message ids, and what is no person's mail."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable

from .numbering import find_number, format_number

MESSAGE_ID = re.compile(r"<([^<>\s]{1,500})>")
TAG = re.compile(r"\+t-?([0-9]{4})-?([0-9]{6,9})\.([a-z2-7]{12})@", re.IGNORECASE)
# Our own mail says so; meeting it again means a loop, whatever the address it comes from.
LOOP_HEADER = "X-Atalaya-Ticket"

AUTO_SUBJECT = re.compile(
    r"^\s*(automatic reply|auto(matic)?[- ]?(response|reply)|out of (the )?office|"
    r"respuesta autom[áa]tica|fuera de (la )?oficina|réponse automatique|abwesenheitsnotiz|"
    r"automatische antwort|risposta automatica|resposta autom[áa]tica)",
    re.IGNORECASE,
)
DAEMONS = re.compile(r"^(mailer-daemon|mail-daemon|postmaster|mdaemon)@", re.IGNORECASE)


def signature(number: str, key: bytes) -> str:
    """Proof that we gave out the reply address of a ticket; numbers alone can be guessed."""
    digest = hmac.new(key, f"ticket-address:{number}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest)[:12].decode().lower()


def reply_address(mailbox: str, number: str, key: bytes) -> str:
    """The address whose answers belong to a ticket: support+t-2026-000123.sig@host."""
    local, _, host = mailbox.rpartition("@")
    return f"{local}+{number.lower()}.{signature(number, key)}@{host}"


def number_of_address(address: str, key: bytes) -> str | None:
    """The ticket an address belongs to, if we gave it out."""
    match = TAG.search(address)
    if not match:
        return None
    number = format_number(int(match[1]), int(match[2]))
    genuine = hmac.compare_digest(signature(number, key), match[3].lower())
    return number if genuine else None


def number_of_addresses(addresses: Iterable[str], key: bytes) -> str | None:
    """The ticket of the first tagged address among the recipients."""
    return next((n for n in (number_of_address(a, key) for a in addresses) if n), None)


def message_ids(*headers: str) -> tuple[str, ...]:
    """Message ids in header values, nearest first, each once."""
    found: list[str] = []
    for header in headers:
        # References lists the oldest first; the last one is the message answered.
        for message_id in reversed(MESSAGE_ID.findall(header)):
            if message_id not in found:
                found.append(message_id)
    return tuple(found[:50])


def subject_number(subject: str) -> str | None:
    """The ticket number a subject mentions."""
    return find_number(subject)


def recognise(headers: dict[str, str], subject: str, sender: str, *, report: bool) -> str:
    """What sent a mail: "message" for a person, else "loop", "bounce", "auto_reply" or "list"."""
    if headers.get(LOOP_HEADER.lower()):
        return "loop"
    if report or DAEMONS.match(sender) or headers.get("return-path", "").strip() == "<>":
        return "bounce" if report or DAEMONS.match(sender) else "auto_reply"
    if _answers_by_itself(headers, subject):
        return "auto_reply"
    if headers.get("list-id") or headers.get("precedence", "").lower() in ("bulk", "list", "junk"):
        return "list"
    return "message"


def _answers_by_itself(headers: dict[str, str], subject: str) -> bool:
    submitted = headers.get("auto-submitted", "no").split(";")[0].strip().lower()
    if submitted not in ("", "no"):
        return True
    if any(h in headers for h in ("x-autoreply", "x-autorespond", "x-autoreply-from")):
        return True
    if headers.get("precedence", "").lower() == "auto_reply":
        return True
    return bool(AUTO_SUBJECT.match(subject)) and bool(
        headers.get("in-reply-to") or headers.get("x-auto-response-suppress")
    )


def wants_no_answer(headers: dict[str, str], kind: str) -> bool:
    """Whether an automatic acknowledgement could start a loop or disturb a list."""
    suppress = headers.get("x-auto-response-suppress", "").lower()
    return kind != "message" or bool(suppress and suppress != "none")
