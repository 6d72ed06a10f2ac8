"""What an account event must look like; every reason to refuse one is here."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext_lazy as _

from riskops.models.events import KIND_BY_CODE, EventKind
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.parsing import Unreadable, parse_address

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
BIGGEST = 2**63 - 1
LONGEST_DATA = 8_192

REASONS = {
    "unknown_kind": _("Names no known kind of event."),
    "unknown_account": _("There is no such account."),
    "not_recorded": _("The database refused this row."),
    "not_a_moment": _("Must be a moment with its time zone."),
    "in_the_future": _("Lies in the future."),
    "too_old": _("Lies before the year 2000."),
    "missing": _("Must not be empty."),
    "too_long": _("Is too long."),
    "not_text": _("Must be text without control characters."),
    "not_an_ip": _("Is not an IP address."),
    "not_a_number": _("Must be a whole number."),
    "currency_missing": _("An amount needs its currency."),
    "not_a_currency": _("Must be a currency code of three capital letters."),
    "not_a_country": _("Must be a country code of two capital letters."),
    "unknown_field": _("Is no field of an event."),
    "not_an_object": _("Must be an object of at most 8 kB."),
}


@dataclass(slots=True)
class EventInput:
    """An account event as its source tells it."""

    kind: str | EventKind
    account_id: int
    occurred_at: datetime
    external_id: str
    ip: str | None = None
    device: str | None = None
    wallet: str | None = None
    counterparty_wallet: str | None = None
    amount: int | None = None
    currency: str = ""
    country: str = ""
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one row of a batch was not recorded."""

    index: int
    field: str
    code: str
    detail: str
    external_id: str = ""

    @classmethod
    def of(cls, index: int, field: str, code: str, external_id: object = "") -> Refusal:
        shown = external_id if isinstance(external_id, str) else ""
        return cls(index, field, code, str(REASONS[code]), shown[:128])


@dataclass(slots=True)
class CheckedEvent:
    """An event in its stored form, identifiers normalised."""

    index: int
    kind: int
    account_id: int
    occurred_at: datetime
    external_id: str
    ip: str | None
    device: str | None
    wallet: str | None
    counterparty_wallet: str | None
    amount: int | None
    currency: str
    country: str
    data: str | None


class _RefusedError(Exception):
    def __init__(self, field: str, code: str) -> None:
        super().__init__(code)
        self.field = field
        self.code = code


def check_source(source: str) -> str:
    """The name of a source: short, plain, never empty."""
    if not isinstance(source, str) or not source.strip() or len(source) > 32 or not _plain(source):
        raise InvalidInput("source", str(_("Must be a plain name of at most 32 characters.")))
    return source


def check_event(index: int, event: EventInput, latest: datetime) -> CheckedEvent | Refusal:
    """The event in its stored form, or the first reason to refuse it."""
    try:
        return CheckedEvent(
            index=index,
            kind=_kind(event.kind),
            account_id=_account(event.account_id),
            occurred_at=_moment(event.occurred_at, latest),
            external_id=_text("external_id", event.external_id) or _refuse("external_id"),
            ip=_ip(event.ip) if event.ip else None,
            device=_text("device", event.device) if event.device else None,
            wallet=_wallet("wallet", event.wallet) if event.wallet else None,
            counterparty_wallet=(
                _wallet("counterparty_wallet", event.counterparty_wallet)
                if event.counterparty_wallet
                else None
            ),
            amount=_amount(event) if event.amount is not None else None,
            currency=_code("currency", event.currency, 3) if event.currency else "",
            country=_code("country", event.country, 2) if event.country else "",
            data=_data(event.data) if event.data else None,
        )
    except _RefusedError as refused:
        return Refusal.of(index, refused.field, refused.code, event.external_id)


def _refuse(field: str) -> str:
    raise _RefusedError(field, "missing")


def _kind(kind: object) -> int:
    if isinstance(kind, EventKind):
        return kind.value
    found = KIND_BY_CODE.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise _RefusedError("kind", "unknown_kind")
    return found.value


def _account(account_id: object) -> int:
    if type(account_id) is not int or not 0 < account_id <= BIGGEST:
        raise _RefusedError("account", "unknown_account")
    return account_id


def _moment(value: object, latest: datetime) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _RefusedError("occurred_at", "not_a_moment")
    try:
        if value > latest:
            raise _RefusedError("occurred_at", "in_the_future")
        if value < EARLIEST:
            raise _RefusedError("occurred_at", "too_old")
        return value.astimezone(UTC)
    except OverflowError:
        raise _RefusedError("occurred_at", "not_a_moment") from None


def _plain(text: str) -> bool:
    # Surrogates pass isprintable() on no Python, so what is left can always be stored.
    return text.isprintable()


def _text(field: str, value: object) -> str:
    if not isinstance(value, str) or not _plain(value):
        raise _RefusedError(field, "not_text")
    text = value.strip()
    if not text:
        raise _RefusedError(field, "missing")
    if len(text) > 128:
        raise _RefusedError(field, "too_long")
    return text


def _wallet(field: str, value: object) -> str:
    text = _text(field, value)
    # Hexadecimal addresses are the same wallet in any case (mixed case is a check sum).
    return text.lower() if text[:2] in ("0x", "0X") else text


def _ip(value: object) -> str:
    if not isinstance(value, str):
        raise _RefusedError("ip", "not_an_ip")
    normal = normal_ip(value)
    if normal is None:
        raise _RefusedError("ip", "not_an_ip")
    return normal


@lru_cache(maxsize=8192)
def normal_ip(value: str) -> str | None:
    """One spelling for each address; an IPv4 address in IPv6 clothes is the IPv4 address."""
    try:
        return parse_address(value.strip())
    except Unreadable:
        return None


def subnet_of(ip: str) -> str:
    """The /24 or /64 an address lies in."""
    bits = 64 if ":" in ip else 24
    return str(ipaddress.ip_network(f"{ip}/{bits}", strict=False))


def _amount(event: EventInput) -> int:
    amount = event.amount
    if type(amount) is not int or not -BIGGEST <= amount <= BIGGEST:
        raise _RefusedError("amount", "not_a_number")
    if not event.currency:
        raise _RefusedError("currency", "currency_missing")
    return amount


def _code(field: str, value: object, length: int) -> str:
    if (
        not isinstance(value, str)
        or len(value) != length
        or not (value.isascii() and value.isalpha() and value.isupper())
    ):
        raise _RefusedError(field, "not_a_currency" if length == 3 else "not_a_country")
    return value


def _data(value: object) -> str:
    if not isinstance(value, Mapping):
        raise _RefusedError("data", "not_an_object")
    try:
        text = json.dumps(dict(value), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        text.encode()  # a lone surrogate cannot be stored
    except (TypeError, ValueError, RecursionError):
        raise _RefusedError("data", "not_an_object") from None
    if len(text) > LONGEST_DATA or "\\u0000" in text:
        raise _RefusedError("data", "not_an_object")
    return text
