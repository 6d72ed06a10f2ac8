"""Readers of the fields of an account event: from text or typed, each with its reason to refuse."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.utils.dateparse import parse_datetime

from systemadmin.foundation.parsing import (
    SMALLEST,
    Unreadable,
    parse_address,
    parse_whole_number,
)

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
BIGGEST = 2**63 - 1
LONGEST_DATA = 8_192
LONGEST_TEXT = 128


class RefusedField(Exception):
    """A field that cannot be read, with the code of the reason."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__(code)
        self.field = field
        self.code = code


def check_names(row: Any, fields: frozenset[str]) -> None:
    """Refuse a row that is no object or holds a field of another name."""
    if not isinstance(row, Mapping):
        raise RefusedField("", "not_an_object")
    unknown = sorted(str(name) for name in set(row) - fields)
    if unknown:
        raise RefusedField(unknown[0][:64], "unknown_field")


def read_account(value: Any, *, text: bool) -> int:
    """Return the id of an account; as text only where `text` allows it."""
    number = _whole("account", "unknown_account", value) if text else value
    if type(number) is not int or not 0 < number <= BIGGEST:
        raise RefusedField("account", "unknown_account")
    return number


def read_amount(value: Any, currency: Any) -> int | None:
    """Return an amount in minor units, which needs its currency; None when there is none."""
    if value in (None, ""):
        return None
    amount = _whole("amount", "not_a_number", value)
    if not -BIGGEST <= amount <= BIGGEST:
        raise RefusedField("amount", "not_a_number")
    if not currency:
        raise RefusedField("currency", "currency_missing")
    return amount


def _whole(field: str, code: str, value: Any) -> int:
    if isinstance(value, str):
        try:
            return parse_whole_number(value.strip(), SMALLEST)
        except Unreadable as error:
            raise RefusedField(field, code) from error
    if type(value) is not int:
        raise RefusedField(field, code)
    return value


def read_moment(value: Any, latest: datetime) -> datetime:
    """Return a moment in UTC: ISO 8601 with its zone, a plain date, or seconds since 1970."""
    moment = value if isinstance(value, datetime) else _moment_of_text(value)
    if moment.tzinfo is None:
        raise RefusedField("occurred_at", "not_a_moment")
    try:
        if moment > latest:
            raise RefusedField("occurred_at", "in_the_future")
        if moment < EARLIEST:
            raise RefusedField("occurred_at", "too_old")
        return moment.astimezone(UTC)
    except OverflowError:
        raise RefusedField("occurred_at", "not_a_moment") from None


def _moment_of_text(value: Any) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise RefusedField("occurred_at", "not_a_moment")
    text = value.strip()
    try:
        if text.isdecimal() and text.isascii() and len(text) < 12:
            return datetime.fromtimestamp(int(text), UTC)
        if len(text) == 10:  # a day begins at midnight UTC
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        parsed = parse_datetime(text)
    except (ValueError, OverflowError):
        parsed = None
    if parsed is None:
        raise RefusedField("occurred_at", "not_a_moment")
    return parsed


def is_plain(text: str) -> bool:
    """Return whether a text can be stored and shown: no control characters, no surrogates."""
    return text.isprintable()


def read_text(field: str, value: Any) -> str:
    """Return a text without spaces around it, never empty."""
    if not isinstance(value, str) or not is_plain(value):
        raise RefusedField(field, "not_text")
    text = value.strip()
    if not text:
        raise RefusedField(field, "missing")
    if len(text) > LONGEST_TEXT:
        raise RefusedField(field, "too_long")
    return text


def read_wallet(field: str, value: Any) -> str | None:
    """Return a wallet's address; hexadecimal ones are the same wallet in any case."""
    if not value:
        return None
    text = read_text(field, value)
    # Mixed case is a check sum.
    return text.lower() if text[:2] in ("0x", "0X") else text


def read_ip(value: Any) -> str | None:
    """Return an address in its one spelling; None when there is none."""
    if not value:
        return None
    normal = normal_ip(value) if isinstance(value, str) else None
    if normal is None:
        raise RefusedField("ip", "not_an_ip")
    return normal


@lru_cache(maxsize=8192)
def normal_ip(value: str) -> str | None:
    """Return the one spelling of an address; IPv4-mapped IPv6 becomes IPv4."""
    try:
        return parse_address(value.strip())
    except Unreadable:
        return None


def subnet_of(ip: str) -> str:
    """Return the /24 or /64 an address lies in."""
    bits = 64 if ":" in ip else 24
    return str(ipaddress.ip_network(f"{ip}/{bits}", strict=False))


def read_code(field: str, value: Any, length: int) -> str:
    """Return a currency (three capital letters) or country (two); empty when there is none."""
    if not value:
        return ""
    if (
        not isinstance(value, str)
        or len(value) != length
        or not (value.isascii() and value.isalpha() and value.isupper())
    ):
        raise RefusedField(field, f"not_a_{field}")
    return value


def is_card_number(text: str) -> bool:
    """Return whether a text is the number of a payment card: 12 to 19 digits (ISO/IEC 7812)."""
    digits = text.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19):
        return False
    doubled = [sum(divmod(2 * int(one), 10)) for one in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def _refuse_card_number(card: Any) -> None:
    if isinstance(card, str | int) and is_card_number(str(card)):
        raise RefusedField("data.card", "card_number")


def read_data(value: Any) -> str | None:
    """Return the free part of an event as JSON text of at most 8 kB; None when it is empty."""
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RefusedField("data", "not_an_object") from None
    if value in (None, "", {}):
        return None
    if not isinstance(value, Mapping):
        raise RefusedField("data", "not_an_object")
    _refuse_card_number(value.get("card"))
    try:
        text = json.dumps(dict(value), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        text.encode()  # a lone surrogate cannot be stored
    except (TypeError, ValueError, RecursionError):
        raise RefusedField("data", "not_an_object") from None
    if len(text) > LONGEST_DATA or "\\u0000" in text:
        raise RefusedField("data", "not_an_object")
    return text
