"""What an account event must look like; every reason to refuse one is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from riskops.event_kinds import KIND_BY_CODE, EventKind
from riskops.ingest.parse import (
    RefusedField,
    check_names,
    is_plain,
    read_account,
    read_amount,
    read_code,
    read_data,
    read_ip,
    read_moment,
    read_text,
    read_wallet,
)
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.references import PREFIX

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
NOTHING: Any = (None, "")

REASONS = {
    "unknown_kind": _("Names no known kind of event."),
    "unknown_account": _("There is no such account."),
    "unknown_event": _("There is no such event of this source."),
    "unknown_counterparty": _("Nobody dealt with this counterparty."),
    "own_interest": _("Concerns your own account, or one that is confirmed to be yours."),
    "one_of_two": _("Name an event, a counterparty or an account, and one of them only."),
    "not_allowed": _("You may not record verdicts on accounts."),
    "not_a_truth": _("Must be true or false."),
    "not_recorded": _("The database refused this row."),
    "not_a_moment": _("Must be a moment with its time zone."),
    "in_the_future": _("Lies in the future."),
    "too_old": _("Lies before the year 2000."),
    "pruned": _("Lies in a time whose events of this account were deleted by retention."),
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
    "card_number": _("Send the payment service's fingerprint; a card number is not kept."),
}


@dataclass(slots=True)
class EventInput:
    """An account event of the platform itself, whose account is known by its id."""

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
    """An event in its stored form, identifiers normalised.

    `account_id` is 0 until the account of `account_external_id` is found.
    """

    index: int
    kind: int
    account_id: int
    account_external_id: str
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


def check_source(source: str) -> str:
    """Return the name of a source: short, plain, never empty."""
    if (
        not isinstance(source, str)
        or not source.strip()
        or len(source) > 32
        or not is_plain(source)
    ):
        raise InvalidInput("source", str(_("Must be a plain name of at most 32 characters.")))
    return source


def check_event(index: int, event: EventInput, latest: datetime) -> CheckedEvent | Refusal:
    """Return an event in its stored form, or the first reason to refuse it."""
    values = {name: getattr(event, name) for name in FIELDS & set(EventInput.__slots__)}
    try:
        account = read_account(event.account_id, text=False)
        return _checked(index, values, account, "", latest)
    except RefusedField as refused:
        return Refusal.of(index, refused.field, refused.code, event.external_id)


def check_row(index: int, row: Any, latest: datetime) -> CheckedEvent | Refusal:
    """Return a row of a file or request in its stored form, or the first reason to refuse it.

    Numbers and moments may be text.
    """
    external_id = row.get("external_id", "") if isinstance(row, Mapping) else ""
    try:
        account, account_external_id = _account_of(row)
        return _checked(index, row, account, account_external_id, latest)
    except RefusedField as refused:
        return Refusal.of(index, refused.field, refused.code, external_id)


def _account_of(row: Any) -> tuple[int, str]:
    """Return the account's id, or 0 and its external id."""
    check_names(row, FIELDS)
    for field in REQUIRED:
        if row.get(field) in NOTHING:
            raise RefusedField(field, "missing")
    account, external = row.get("account"), row.get("account_external_id")
    if external not in NOTHING and not isinstance(external, str):
        raise RefusedField("account_external_id", "not_text")
    if isinstance(account, str) and account.startswith(PREFIX):
        return 0, read_text("account", account.removeprefix(PREFIX))
    if account not in NOTHING:
        return read_account(account, text=True), ""
    if not isinstance(external, str) or not external:
        raise RefusedField("account", "missing")
    return 0, external


def _checked(
    index: int,
    values: Mapping[str, Any],
    account_id: int,
    account_external_id: str,
    latest: datetime,
) -> CheckedEvent:
    device, currency = values.get("device"), values.get("currency")
    return CheckedEvent(
        index=index,
        kind=_kind(values["kind"]),
        account_id=account_id,
        account_external_id=account_external_id,
        occurred_at=read_moment(values["occurred_at"], latest),
        external_id=read_text("external_id", values["external_id"]),
        ip=read_ip(values.get("ip")),
        device=read_text("device", device) if device else None,
        wallet=read_wallet("wallet", values.get("wallet")),
        counterparty_wallet=read_wallet("counterparty_wallet", values.get("counterparty_wallet")),
        amount=read_amount(values.get("amount"), currency),
        currency=read_code("currency", currency, 3),
        country=read_code("country", values.get("country"), 2),
        data=read_data(values.get("data")),
    )


def _kind(kind: object) -> int:
    if isinstance(kind, EventKind):
        return kind.value
    found = KIND_BY_CODE.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise RefusedField("kind", "unknown_kind")
    return found.value
