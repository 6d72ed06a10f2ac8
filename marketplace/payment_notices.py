"""What payment services tell: one shape for all of them, read from their events.

Stripe's events are known here. Those of any other service are read by a mapping of dotted paths.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django.utils.translation import gettext as _

from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.money import is_currency, to_minor
from systemadmin.foundation.parsing import (
    Unreadable,
    parse_decimal,
    parse_line,
    parse_moment,
    parse_whole_number,
)

# Stripe gives these in hundredths though they have no smaller unit.
STRIPE_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})
LONGEST: Final = 120


class NoticeKind(StrEnum):
    """What a payment service can tell that the books care for."""

    PAID = "payment_succeeded"
    REFUNDED = "refunded"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    PAYOUT_PAID = "payout_paid"
    PAYOUT_FAILED = "payout_failed"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice of a payment service, in minor units; `refunded_total` sums up all refunds."""

    kind: NoticeKind
    reference: str = ""
    order: str = ""
    amount: int | None = None
    currency: str = ""
    fee: int = 0
    refunded_total: int | None = None
    dispute: str = ""
    reason: str = ""
    due_at: datetime | None = None
    payout: str = ""


# -- Stripe ----------------------------------------------------------------------------


def stripe_notice(event: Mapping[str, Any]) -> Notice | None:
    """Return the notice in an event of Stripe, or None where it changes nothing in the books."""
    kind, resource = event.get("type"), _object(event)
    if kind == "payment_intent.succeeded":
        return _stripe_payment(
            resource, str(resource.get("id", "")), resource.get("amount_received")
        )
    if kind == "checkout.session.completed" and resource.get("payment_status") == "paid":
        reference = _id(resource.get("payment_intent"))
        return _stripe_payment(resource, reference, resource.get("amount_total"))
    if kind == "charge.refunded":
        return _stripe_refund(resource)
    if isinstance(kind, str) and kind.startswith("charge.dispute."):
        return _stripe_dispute(kind.rpartition(".")[2], resource)
    if kind in ("payout.paid", "payout.failed", "payout.canceled"):
        return _stripe_payout(kind, resource)
    return None


def _object(event: Mapping[str, Any]) -> Mapping[str, Any]:
    data = event.get("data")
    resource = data.get("object") if isinstance(data, Mapping) else None
    if not isinstance(resource, Mapping):
        raise InvalidInput("data.object", _("An object with named fields."))
    return resource


def _id(value: Any) -> str:
    """Return an id, also of an object that Stripe expanded."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return str(found or "")[:LONGEST]


def _stripe_order(resource: Mapping[str, Any]) -> str:
    metadata = resource.get("metadata") or {}
    found = metadata.get("order_id") or metadata.get("order") or resource.get("client_reference_id")
    return str(found or "")


def _stripe_currency(resource: Mapping[str, Any]) -> str:
    currency = str(resource.get("currency") or "").upper()
    if not is_currency(currency):
        raise InvalidInput("data.object.currency", _("An ISO 4217 code such as EUR."))
    return currency


def _stripe_amount(resource: Mapping[str, Any], name: str, value: Any = None) -> int:
    value = resource.get(name) if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidInput(f"data.object.{name}", _("A whole number."))
    if _stripe_currency(resource) not in STRIPE_HUNDREDTHS:
        return value
    whole, rest = divmod(value, 100)
    if rest:
        raise InvalidInput(f"data.object.{name}", _("This currency has no smaller unit."))
    return whole


def _stripe_payment(resource: Mapping[str, Any], reference: str, amount: Any) -> Notice:
    charge = resource.get("latest_charge")
    balance = charge.get("balance_transaction") if isinstance(charge, Mapping) else None
    fee = balance.get("fee") if isinstance(balance, Mapping) else 0
    return Notice(
        NoticeKind.PAID,
        reference=reference[:LONGEST],
        order=_stripe_order(resource),
        amount=_stripe_amount(resource, "amount_received", amount),
        currency=_stripe_currency(resource),
        fee=_stripe_amount(resource, "fee", fee) if fee else 0,
    )


def _stripe_refund(resource: Mapping[str, Any]) -> Notice:
    return Notice(
        NoticeKind.REFUNDED,
        reference=_id(resource.get("payment_intent")) or _id(resource),
        order=_stripe_order(resource),
        currency=_stripe_currency(resource),
        refunded_total=_stripe_amount(resource, "amount_refunded"),
    )


def _stripe_payout(kind: str, resource: Mapping[str, Any]) -> Notice:
    return Notice(
        NoticeKind.PAYOUT_PAID if kind == "payout.paid" else NoticeKind.PAYOUT_FAILED,
        reference=_id(resource),
        payout=str((resource.get("metadata") or {}).get("payout") or ""),
        amount=_stripe_amount(resource, "amount"),
        currency=_stripe_currency(resource),
        reason=str(resource.get("failure_message") or resource.get("failure_code") or kind)[:500],
    )


def _stripe_dispute(step: str, resource: Mapping[str, Any]) -> Notice | None:
    kind = _stripe_dispute_kind(step, str(resource.get("status") or ""))
    if kind is None:
        return None
    fees = [row.get("fee") or 0 for row in resource.get("balance_transactions") or []]
    return Notice(
        kind,
        reference=_id(resource.get("payment_intent")) or _id(resource.get("charge")),
        amount=_stripe_amount(resource, "amount"),
        currency=_stripe_currency(resource),
        fee=_stripe_amount(resource, "fee", max(0, sum(fees))) if fees else 0,
        dispute=_id(resource),
        reason=str(resource.get("reason") or "")[:LONGEST],
        due_at=_stripe_due_at(resource),
    )


def _stripe_dispute_kind(step: str, status: str) -> NoticeKind | None:
    if step == "closed":
        # Neither won nor lost is an inquiry that ended: no money moved.
        closed = {"won": NoticeKind.DISPUTE_WON, "lost": NoticeKind.DISPUTE_LOST}
        return closed.get(status)
    if step not in ("created", "funds_withdrawn") or status.startswith("warning"):
        return None
    return NoticeKind.DISPUTE_OPENED


def _stripe_due_at(resource: Mapping[str, Any]) -> datetime | None:
    due_by = (resource.get("evidence_details") or {}).get("due_by")
    return datetime.fromtimestamp(due_by, UTC) if isinstance(due_by, int) and due_by else None


# -- any other service -------------------------------------------------------------------

TEXTS: Final = ("reference", "order", "currency", "dispute", "reason", "payout")
AMOUNTS: Final = ("amount", "fee", "refunded_total")
MAPPED: Final = frozenset({*TEXTS, *AMOUNTS, "due_at"})


def mapped_notice(
    event: Mapping[str, Any], *, kind: str, fields: Mapping[str, str], is_major: bool
) -> Notice:
    """Return the notice in an event, read by a mapping of our fields to dotted paths.

    `is_major`: amounts are decimals such as 12.50, not minor units.
    """
    values: dict[str, Any] = {}
    for name, path in fields.items():
        found = value_at(event, path)
        if found is not None and name in TEXTS:
            values[name] = _read(path, lambda text: parse_line(str(text), LONGEST), found)
        elif found is not None and name == "due_at":
            values[name] = _read(path, parse_moment, found)
    values["currency"] = values.get("currency", "").upper()
    for name in AMOUNTS:
        found = value_at(event, fields[name]) if name in fields else None
        if found is not None:
            values[name] = _mapped_amount(fields[name], found, values["currency"], is_major)
    return Notice(NoticeKind(kind), **values)


def value_at(event: Any, path: str) -> Any:
    """Return what lies at a dotted path of a JSON value, or None."""
    for part in path.split("."):
        if isinstance(event, Mapping):
            event = event.get(part)
        elif isinstance(event, list) and part.isdecimal() and int(part) < len(event):
            event = event[int(part)]
        else:
            return None
    return event


def _mapped_amount(path: str, value: Any, currency: str, is_major: bool) -> int:
    if not is_major:
        return int(_read(path, parse_whole_number, str(value)))
    if not is_currency(currency):
        raise InvalidInput(path, _("An ISO 4217 code such as EUR."))
    amount = Decimal(_read(path, parse_decimal, str(value)))
    try:
        return to_minor(amount, currency)
    except ValueError as error:
        raise InvalidInput(path, str(error)) from error


def _read(path: str, parse: Any, value: Any) -> Any:
    try:
        return parse(value)
    except Unreadable as error:
        raise InvalidInput(path, str(error)) from error
