"""The addresses by which an agent answers a notice: signed for one agent and one ticket."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from support.models import Ticket
from support.services.mail_compose import from_address, mailbox_of
from support.services.mail_keys import address_keys
from systemadmin.models import User

TAG = re.compile(r"\+a([0-9]{1,12})\.([0-9]{1,12})\.([np])\.([a-z2-7]{16})@", re.IGNORECASE)


@dataclass(frozen=True)
class SignedReplyAddress:
    """Which agent answers which ticket, and whether as a note for colleagues."""

    agent: int
    ticket: int
    is_note: bool


def answer_address(agent: User, ticket: Ticket, *, is_note: bool) -> str:
    """Return the address that makes a mail of this agent an answer on this ticket."""
    local, _at, host = from_address(mailbox_of(ticket)).rpartition("@")
    kind = "n" if is_note else "p"
    signed = _signature(agent.pk, ticket.pk, kind, address_keys()[0])
    return f"{local}+a{agent.pk}.{ticket.pk}.{kind}.{signed}@{host}"


def answer_of(addresses: Iterable[str]) -> SignedReplyAddress | None:
    """Return what an address among these says that we signed."""
    for address in addresses:
        found = TAG.search(address)
        if found is None:
            continue
        agent, ticket, kind = int(found[1]), int(found[2]), found[3].lower()
        for key in address_keys():
            if hmac.compare_digest(_signature(agent, ticket, kind, key), found[4].lower()):
                return SignedReplyAddress(agent, ticket, kind == "n")
    return None


def _signature(agent: int, ticket: int, kind: str, key: bytes) -> str:
    digest = hmac.new(key, f"agent-answer:{agent}:{ticket}:{kind}".encode(), hashlib.sha256)
    return base64.b32encode(digest.digest())[:16].decode().lower()
