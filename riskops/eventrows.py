"""Account events as rows of text, from a file or a request: fields parsed, reasons given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from riskops.eventcheck import EventInput, Refusal
from systemadmin.foundation.parsing import SMALLEST, Unreadable, parse_whole_number

FIELDS = frozenset(
    {
        "kind",
        "account",
        "account_external_id",
        "occurred_at",
        "external_id",
        "ip",
        "device",
        "wallet",
        "counterparty_wallet",
        "amount",
        "currency",
        "country",
        "data",
    }
)
REQUIRED = ("kind", "occurred_at", "external_id")


class RefusedRow(Exception):
    """A row that cannot be read."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__(code)
        self.field = field
        self.code = code


@dataclass(slots=True)
class ParsedRow:
    """A row as an event, whose account may still have to be found by its external id."""

    index: int
    event: EventInput
    account_external_id: str


def parse_row(index: int, row: Any) -> ParsedRow | Refusal:
    """Reads one row; numbers and moments may be given as text."""
    external_id = row.get("external_id", "") if isinstance(row, Mapping) else ""
    try:
        return _parse(index, row)
    except RefusedRow as refused:
        return Refusal.of(index, refused.field, refused.code, external_id)


def _parse(index: int, row: Any) -> ParsedRow:
    if not isinstance(row, Mapping):
        raise RefusedRow("", "not_an_object")
    unknown = sorted(str(name) for name in set(row) - FIELDS)
    if unknown:
        raise RefusedRow(unknown[0][:64], "unknown_field")
    for field in REQUIRED:
        if row.get(field) in (None, ""):
            raise RefusedRow(field, "missing")
    account, external = row.get("account"), row.get("account_external_id")
    if account in (None, "") and external in (None, ""):
        raise RefusedRow("account", "missing")
    if external not in (None, "") and not isinstance(external, str):
        raise RefusedRow("account_external_id", "not_text")
    return ParsedRow(
        index,
        EventInput(
            kind=row["kind"],
            account_id=_whole("account", account) if account not in (None, "") else 0,
            occurred_at=_moment(row["occurred_at"]),
            external_id=row["external_id"],
            ip=row.get("ip"),
            device=row.get("device"),
            wallet=row.get("wallet"),
            counterparty_wallet=row.get("counterparty_wallet"),
            amount=_whole("amount", row["amount"]) if row.get("amount") not in (None, "") else None,
            currency=row.get("currency") or "",
            country=row.get("country") or "",
            data=_data(row.get("data")),
        ),
        external if isinstance(external, str) else "",
    )


def _whole(field: str, value: Any) -> int:
    code = "unknown_account" if field == "account" else "not_a_number"
    if isinstance(value, str):
        try:
            return parse_whole_number(value.strip(), SMALLEST)
        except Unreadable as error:
            raise RefusedRow(field, code) from error
    if type(value) is not int:
        raise RefusedRow(field, code)
    return value


def _moment(value: Any) -> datetime:
    """ISO 8601 with its zone, a plain date, or seconds since 1970."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise RefusedRow("occurred_at", "not_a_moment")
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
        raise RefusedRow("occurred_at", "not_a_moment")
    return parsed


def _data(value: Any) -> Mapping[str, Any] | None:
    if value in (None, "", {}):
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RefusedRow("data", "not_an_object") from None
    if not isinstance(value, Mapping):
        raise RefusedRow("data", "not_an_object")
    return value
