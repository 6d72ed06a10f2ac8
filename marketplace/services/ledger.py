"""Posting to the ledger, and sellers' balances."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Sum

from marketplace.errors import LedgerConflict
from marketplace.models import (
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    Payout,
)
from marketplace.querysets.orders import SOLD
from marketplace.services import clock
from marketplace.services.books import booking_moment, booking_moments

Code = LedgerAccount.Code


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a transaction to be: positive is a debit, negative a credit."""

    code: str
    amount: int
    seller_id: int | None = None
    line_id: int | None = None


class Unbalanced(ValueError):
    """A service tried to post legs that do not add up to zero: a fault of ours."""


def post(
    *,
    key: str,
    kind: str,
    currency: str,
    legs: Iterable[Leg],
    actor: Any = None,
    is_demo: bool = False,
    at: datetime | None = None,
    **about: Any,
) -> LedgerTransaction | None:
    """Write a balanced transaction once; the same key and legs again change nothing.

    Returns None when there is nothing to move. `about` names order, refund, dispute, payout or
    the transaction that is reversed. It counts at the moment `at`, by default now; when that
    lies in a closed month it counts now and refers to its month by `belongs_to`.
    """
    moving = [leg for leg in legs if leg.amount]
    if sum(leg.amount for leg in moving):
        raise Unbalanced(f"{key}: {moving}")
    digest = _digest(currency, moving)
    existing = LedgerTransaction.objects.filter(key=key).first()
    if existing is not None:
        if existing.digest != digest:
            raise LedgerConflict(extra={"key": key})
        return existing
    if not moving:
        return None
    with transaction.atomic():
        posted_at, belongs_to = booking_moment(at or clock.now())
        about |= {"posted_at": posted_at, "belongs_to": belongs_to}
        return _write(key, kind, currency, moving, digest, actor, is_demo, about)


def _write(
    key: str,
    kind: str,
    currency: str,
    legs: Sequence[Leg],
    digest: str,
    actor: Any,
    is_demo: bool,
    about: dict[str, Any],
) -> LedgerTransaction:
    accounts = _accounts(currency, legs)
    number = _next_id()
    LedgerEntry.objects.bulk_create(_entries(number, currency, legs, accounts, is_demo))
    _move_balances(accounts, legs)
    # Last: the trigger on this row checks that the entries above add up to zero, and closes
    # the transaction for further ones.
    return LedgerTransaction.objects.create(
        pk=number,
        key=key,
        kind=kind,
        digest=digest,
        actor=actor,
        is_demo=is_demo,
        **about,
    )


def _entries(
    number: int,
    currency: str,
    legs: Sequence[Leg],
    accounts: dict[tuple[str, int | None], LedgerAccount],
    is_demo: bool,
) -> list[LedgerEntry]:
    """Return the entries of the transaction `number`, one per leg; they are not stored yet."""
    return [
        LedgerEntry(
            transaction_id=number,
            account=accounts[leg.code, leg.seller_id],
            currency=currency,
            amount=leg.amount,
            line_id=leg.line_id,
            is_demo=is_demo,
        )
        for leg in legs
    ]


@dataclass(frozen=True, slots=True)
class Posting:
    """A new transaction of an order, to be written together with others."""

    key: str
    kind: str
    order: Order
    legs: Sequence[Leg]
    at: datetime


def post_new(postings: Sequence[Posting], *, actor: Any = None) -> None:
    """Write transactions of orders that nobody has posted for, in a few statements.

    What `post` does for one. A key that is there already is an `IntegrityError`.
    """
    if not postings:
        return
    moments = booking_moments([one.at for one in postings])
    by_currency = _moving_legs(postings)
    accounts = {currency: _accounts(currency, legs) for currency, legs in by_currency.items()}
    numbers = _next_ids(len(postings))
    entries, rows = [], []
    for one, number, (posted_at, belongs_to) in zip(postings, numbers, moments, strict=True):
        moving, is_demo = [leg for leg in one.legs if leg.amount], one.order.buyer.is_demo
        if sum(leg.amount for leg in moving):
            raise Unbalanced(f"{one.key}: {moving}")
        entries += _entries(
            number, one.order.currency, moving, accounts[one.order.currency], is_demo
        )
        rows.append(
            LedgerTransaction(
                pk=number,
                key=one.key,
                kind=one.kind,
                digest=_digest(one.order.currency, moving),
                actor=actor,
                order=one.order,
                is_demo=is_demo,
                posted_at=posted_at,
                belongs_to=belongs_to,
            )
        )
    LedgerEntry.objects.bulk_create(entries)
    for currency, legs in by_currency.items():
        _move_balances(accounts[currency], legs)
    LedgerTransaction.objects.bulk_create(rows)


def _moving_legs(postings: Sequence[Posting]) -> dict[str, list[Leg]]:
    """Return the legs with an amount, by currency."""
    found: dict[str, list[Leg]] = {}
    for one in postings:
        found.setdefault(one.order.currency, []).extend(leg for leg in one.legs if leg.amount)
    return found


def _move_balances(
    accounts: dict[tuple[str, int | None], LedgerAccount], legs: Sequence[Leg]
) -> None:
    moved: dict[int, int] = {}
    for leg in legs:
        if leg.seller_id is not None:
            pk = accounts[leg.code, leg.seller_id].pk
            moved[pk] = moved.get(pk, 0) + leg.amount
    for pk, amount in sorted(moved.items()):
        LedgerAccount.objects.filter(pk=pk).update(balance=F("balance") + amount)


def _accounts(currency: str, legs: Sequence[Leg]) -> dict[tuple[str, int | None], LedgerAccount]:
    wanted = {(leg.code, leg.seller_id) for leg in legs}
    found = {
        (account.code, account.seller_id): account
        for account in LedgerAccount.objects.filter(
            currency=currency, code__in={code for code, _seller in wanted}
        ).filter(seller__isnull=True)
    }
    for code, seller_id in sorted(wanted - found.keys(), key=str):
        account, _created = LedgerAccount.objects.get_or_create(
            code=code, seller_id=seller_id, currency=currency
        )
        found[code, seller_id] = account
    return found


def _next_id() -> int:
    """Reserve the id that entries refer to before their transaction exists."""
    table = LedgerTransaction._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [table])
            return cursor.fetchone()[0]
        # The write lock is ours from BEGIN IMMEDIATE on, so nobody takes the same number.
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        row = cursor.fetchone()
    return (row[0] if row else 0) + 1


def _next_ids(count: int) -> list[int]:
    """Reserve as many ids as there are transactions."""
    if connection.vendor != "postgresql":
        first = _next_id()
        return list(range(first, first + count))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [LedgerTransaction._meta.db_table, count],
        )
        return [row[0] for row in cursor.fetchall()]


def _digest(currency: str, legs: Sequence[Leg]) -> str:
    rows = sorted((leg.code, leg.seller_id or 0, leg.line_id or 0, leg.amount) for leg in legs)
    return hashlib.sha256(json.dumps([currency, rows]).encode()).hexdigest()


@transaction.atomic
def reverse(original: LedgerTransaction, *, key: str, kind: str, actor: Any = None) -> Any:
    """Post the opposite of a transaction, with a reference to it."""
    entries = list(original.entries.select_related("account"))
    legs = [
        Leg(entry.account.code, -entry.amount, entry.account.seller_id, entry.line_id)
        for entry in entries
    ]
    return post(
        key=key,
        kind=kind,
        currency=entries[0].currency,
        legs=legs,
        actor=actor,
        is_demo=original.is_demo,
        order_id=original.order_id,
        dispute_id=original.dispute_id,
        reverses=original,
    )


# -- sellers -------------------------------------------------------------------------


def lock_seller(seller_id: int, currency: str) -> dict[str, int]:
    """Lock a seller's accounts in one currency and return {code: balance}."""
    for code in LedgerAccount.SELLER_CODES:
        LedgerAccount.objects.get_or_create(code=code, seller_id=seller_id, currency=currency)
    rows = (
        LedgerAccount.objects.select_for_update()
        .filter(seller_id=seller_id, currency=currency)
        .order_by("pk")
    )
    return {row.code: row.balance for row in rows}


def available(balances: dict[str, int]) -> int:
    """Return what could be paid out now; never negative, debts stand on the clawback account."""
    return max(0, -balances[Code.SELLER_PAYABLE])


def credit_seller(seller_id: int, balances: dict[str, int], amount: int) -> list[Leg]:
    """Return legs that give a seller an amount: debts are repaid first."""
    repaid = min(amount, max(0, balances[Code.CLAWBACK]))
    return [
        Leg(Code.CLAWBACK, -repaid, seller_id),
        Leg(Code.SELLER_PAYABLE, repaid - amount, seller_id),
    ]


def debit_seller(seller_id: int, balances: dict[str, int], amount: int) -> list[Leg]:
    """Return legs that take an amount from a seller; what is not there is owed as clawback."""
    taken = min(amount, available(balances))
    return [
        Leg(Code.SELLER_PAYABLE, taken, seller_id),
        Leg(Code.CLAWBACK, amount - taken, seller_id),
    ]


def move_seller(seller_id: int, balances: dict[str, int], amount: int) -> list[Leg]:
    """Credit a positive amount, debit a negative one."""
    if amount >= 0:
        return credit_seller(seller_id, balances, amount)
    return debit_seller(seller_id, balances, -amount)


def seller_balances(seller_id: int) -> list[dict[str, Any]]:
    """Return what a seller has in each currency; `balance` may be negative."""
    rows: dict[str, dict[str, int]] = {}
    for account in LedgerAccount.objects.filter(seller_id=seller_id):
        rows.setdefault(account.currency, {})[account.code] = account.balance
    pending = {
        row["currency"]: row["net"]
        for row in Order.objects.filter(
            seller_id=seller_id, status__in=["paid", "disputed"], completed_at__isnull=True
        )
        .order_by()
        .values("currency")
        .annotate(
            net=Sum(
                SOLD
                - F("commission")
                + F("refunded_commission")
                - F("tax")
                + F("refunded_tax")
                - F("processing_fee")
            )
        )
    }
    transit = dict(
        Payout.objects.filter(seller_id=seller_id, status__in=["pending", "failed"])
        .order_by()
        .values("currency")
        .annotate(amount=Sum("amount"))
        .values_list("currency", "amount")
    )
    result = []
    for currency in sorted({*rows, *pending}):
        codes = rows.get(currency, {})
        payable, held = -codes.get("seller_payable", 0), -codes.get("seller_held", 0)
        owed = codes.get("clawback", 0)
        result.append(
            {
                "currency": currency,
                "available": payable,
                "held": held,
                "owed": owed,
                "balance": payable + held - owed,
                "pending": pending.get(currency, 0),
                "in_transit": transit.get(currency, 0),
            }
        )
    return result
