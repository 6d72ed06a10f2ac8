"""What an entry of a list names, in its one spelling, and what an event can be found by."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from riskops.ingest.parse import RefusedField, is_card_number, read_text, read_wallet
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.parsing import Unreadable, parse_network, parse_whole_number

Key = tuple[str, str]  # kind and value

EMAIL = re.compile(r"[^\s@<>\"',;:()]{1,64}@[^\s@<>\"',;:()]{1,255}\Z")
DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+\Z")
# Names within `data` of an event under which these are sent.
EMAIL_NAME, CARD_NAME = "email", "card"
# A wider network is half the internet.
WIDEST = {4: 8, 6: 16}


def normal_value(kind: str, value: str) -> str:
    """Return the value of an entry in its one spelling; raises `InvalidInput`."""
    text = value.strip()
    reader = _READERS[kind]
    try:
        found = reader(text)
    except (RefusedField, Unreadable, UnicodeError, ValueError) as error:
        raise InvalidInput("value", _REASONS[kind]()) from error
    return found


def _account(text: str) -> str:
    return str(parse_whole_number(text, 1))


def normal_email(text: str) -> str:
    """Return an e-mail address in lower case, its domain as registries write it."""
    if not EMAIL.match(text):
        raise ValueError(text)
    name, _at, host = text.rpartition("@")
    return f"{name.lower()}@{normal_domain(host)}"


def normal_domain(text: str) -> str:
    """Return a domain in lower case and ASCII."""
    found = text.strip().lstrip("@").rstrip(".").encode("idna").decode("ascii").lower()
    if not DOMAIN.match(found):
        raise ValueError(text)
    return found


def _address(text: str) -> str:
    network = ipaddress.ip_network(str(parse_network(text)))
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        network = ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")
    if network.prefixlen < WIDEST[network.version]:
        raise ValueError(text)
    return str(network)


def _fingerprint(text: str) -> str:
    if is_card_number(text):
        raise ValueError("a card number")
    return read_text("value", text)


_READERS = {
    "account": _account,
    "email": normal_email,
    "domain": normal_domain,
    "address": _address,
    "device": lambda text: read_text("value", text),
    "wallet": lambda text: read_wallet("value", text) or read_text("value", text),
    "card": _fingerprint,
}
_REASONS = {
    "account": lambda: _("Must be the id of an account."),
    "email": lambda: _("Is no e-mail address."),
    "domain": lambda: _("Is no domain."),
    "address": lambda: _("Is no IP address and no network from /8 (IPv6: /16) on."),
    **dict.fromkeys(
        ("device", "wallet"),
        lambda: _("Must be one line of at most 128 characters."),
    ),
    "card": lambda: _(
        "Must be the payment service's fingerprint of the card, one line of at most 128 "
        "characters. A card number is not kept."
    ),
}


def address_keys(ip: str) -> list[str]:
    """Return every network that holds an address, as entries spell them."""
    address = ipaddress.ip_address(ip)
    number, bits = int(address), address.max_prefixlen
    kind = type(address)
    return [
        f"{kind((number >> (bits - length)) << (bits - length))}/{length}"
        for length in range(bits, WIDEST[address.version] - 1, -1)
    ]


def _domains(email: str) -> Iterator[str]:
    """Yield domain of an address and the domains above it: a.b.test is on the list with b.test."""
    parts = email.rpartition("@")[2].split(".")
    for start in range(max(len(parts) - 1, 0)):
        yield ".".join(parts[start:])


def event_keys(event: Any, *, account_id: int, email: str, data: dict[str, Any]) -> list[Key]:
    """Return all kinds and values under which lists may name an event or its account."""
    keys: list[Key] = [("account", str(account_id))]
    if event.ip:
        keys += [("address", network) for network in address_keys(event.ip)]
    if event.device:
        keys.append(("device", event.device))
    keys += [("wallet", w) for w in (event.wallet, event.counterparty_wallet) if w]
    for text in (email, data.get(EMAIL_NAME)):
        keys += email_keys(text)
    card = data.get(CARD_NAME)
    if isinstance(card, str) and card.strip():
        keys.append(("card", card.strip()))
    return list(dict.fromkeys(keys))


def email_keys(text: Any) -> list[Key]:
    """Return the keys of an address and of its domains; none for what is no address."""
    try:
        email = normal_email(text.strip()) if isinstance(text, str) else ""
    except (ValueError, UnicodeError):
        return []
    if not email:
        return []
    return [("email", email), *(("domain", domain) for domain in _domains(email))]
