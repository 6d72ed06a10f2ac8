"""Entries by hand: posted once, reversed by another, never changed."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import EntryReversed, NotOwed
from marketplace.journal_templates import NEEDS_SELLER, SELLER, TEMPLATES, Line
from marketplace.models import JournalEntry, JournalLine, LedgerTransaction, Order, Payout
from marketplace.models.fields import MAX_AMOUNT
from marketplace.services import clock, concerned, entry_policies, ledger
from marketplace.services.holds import extend_holds
from marketplace.services.ledger import Code, Leg
from marketplace.services.receipts import attach
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.money import is_currency
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services.duties import decides

MAX_LINES = 20
ACCOUNTS = dict(JournalLine.ACCOUNTS)


def usual_lines(*, kind: str, amount: int, seller: User | None = None, fee: int = 0) -> list[Line]:
    """Return the lines of a usual entry; `fee` is what the processor kept of a settlement."""
    if kind not in TEMPLATES:
        raise InvalidInput("kind", _("An entry of this kind needs its lines."))
    if not 1 <= amount <= MAX_AMOUNT:
        raise InvalidInput("amount", _("An amount above zero."))
    if not 0 <= fee <= amount:
        raise InvalidInput("fee", _("The fee is part of the amount."))
    if kind in NEEDS_SELLER and seller is None:
        raise InvalidInput("seller", _("An entry of this kind needs a seller."), code="required")
    return TEMPLATES[kind](amount, seller.pk if seller else None, fee)


@decides(
    "marketplace.post_journal_entry",
    permission="marketplace.add_journalentry",
    concerns=concerned.parties_of_entry,
)
@entry_policies.post_journal_entry
@transaction.atomic
def post_journal_entry(
    *,
    actor: User | None,
    kind: str,
    currency: str,
    lines: Sequence[Line],
    reason: str,
    booked_on: date | None = None,
    seller: User | None = None,
    order: Order | None = None,
    payout: Payout | None = None,
    attachment: Any = None,
    is_demo: bool = False,
) -> JournalEntry:
    """Post an entry by hand on a day (today by default); the lines add up to zero.

    A day in a closed month counts now and refers to its month.
    """
    day = booked_on or clock.today()
    _check_facts(kind, currency, reason, day)
    _check_lines(lines)
    sellers = {line.seller_id for line in lines if line.seller_id}
    if seller is None and len(sellers) == 1:
        seller = User.objects.get(pk=sellers.pop())
    entry = JournalEntry(
        kind=kind, currency=currency, reason=reason, booked_on=day, actor=actor,
        seller=seller, order=order, payout=payout,
    )  # fmt: skip
    if attachment is not None:
        attach(entry, attachment)
    return _post(entry, lines, actor, is_demo)


@decides(
    "marketplace.reverse_journal_entry",
    permission="marketplace.reverse_journalentry",
    concerns=concerned.parties_of_stored_entry,
)
@entry_policies.reverse_journal_entry
@transaction.atomic
def reverse_journal_entry(*, actor: User | None, entry: JournalEntry, reason: str) -> JournalEntry:
    """Post the opposite of an entry, once; a seller who has less by now owes the rest."""
    entry = lock_row(JournalEntry.objects.all(), pk=entry.pk)
    if entry.reverses_id or JournalEntry.objects.filter(reverses=entry).exists():
        raise EntryReversed
    _check_facts(entry.kind, entry.currency, reason, clock.today())
    lines = [Line(row.account, -row.amount, row.seller_id) for row in entry.lines.all()]
    reversal = JournalEntry(
        kind=entry.kind, currency=entry.currency, reason=reason, booked_on=clock.today(),
        actor=actor, seller=entry.seller, order=entry.order, payout=entry.payout, reverses=entry,
    )  # fmt: skip
    first = LedgerTransaction.objects.get(journal_entry=entry)
    return _post(reversal, lines, actor, first.is_demo, reverses=first)


def _post(
    entry: JournalEntry,
    lines: Sequence[Line],
    actor: User | None,
    is_demo: bool,
    reverses: LedgerTransaction | None = None,
) -> JournalEntry:
    entry.full_clean(exclude=["attachment"])
    entry.save()
    JournalLine.objects.bulk_create(
        JournalLine(entry=entry, account=line.account, amount=line.amount, seller_id=line.seller_id)
        for line in lines
    )
    ledger.post(
        key=f"journal:{entry.pk}",
        kind="journal",
        currency=entry.currency,
        legs=_legs(lines, entry.currency),
        actor=actor,
        is_demo=is_demo,
        at=_moment_on(entry.booked_on),
        journal_entry=entry,
        order=entry.order,
        payout=entry.payout,
        reverses=reverses,
    )
    for seller_id in sorted({line.seller_id for line in lines if line.seller_id}):
        extend_holds(seller_id, entry.currency, actor)
    audit.record(
        "marketplace.journal.reversed" if entry.reverses_id else "marketplace.journal.posted",
        actor=actor,
        target=entry,
        after={
            "kind": entry.kind,
            "currency": entry.currency,
            "lines": [[line.account, line.seller_id, line.amount] for line in lines],
        },
        reason=entry.reason,
    )
    return entry


def _moment_on(day: date) -> datetime:
    """Return now for today, and noon of an earlier day."""
    if day == clock.today():
        return clock.now()
    return datetime.combine(day, time(12), clock.place_zone())


def _legs(lines: Sequence[Line], currency: str) -> list[Leg]:
    """Put sellers' lines on payable and clawback, under lock in the order of sellers."""
    legs = [Leg(line.account, line.amount) for line in lines if line.seller_id is None]
    for seller_id in sorted({line.seller_id for line in lines if line.seller_id}):
        own = [line for line in lines if line.seller_id == seller_id]
        balances = ledger.lock_seller(seller_id, currency)
        forgiven = -sum(line.amount for line in own if line.account == Code.CLAWBACK)
        if forgiven > max(0, balances[Code.CLAWBACK]):
            raise NotOwed(extra={"owed": max(0, balances[Code.CLAWBACK])})
        moved = -sum(line.amount for line in own if line.account == SELLER)
        if forgiven > 0:
            legs.append(Leg(Code.CLAWBACK, -forgiven, seller_id))
            balances[Code.CLAWBACK] -= forgiven
        else:
            # A write-off taken back: the debt is there again, and is paid from what there is.
            moved += forgiven
        legs += ledger.move_seller(seller_id, balances, moved)
    return legs


def _check_facts(kind: str, currency: str, reason: str, day: date) -> None:
    if kind not in JournalEntry.Kind.values:
        raise InvalidInput("kind", _("Not a kind of entry."))
    if not is_currency(currency):
        raise InvalidInput("currency", _("Not an ISO 4217 currency code."))
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why this is booked."), code="required")
    if day > clock.today():
        raise InvalidInput("booked_on", _("An entry is not booked in the future."))
    if day.year < 2000:
        raise InvalidInput("booked_on", _("A day from the year 2000 on."))


def _check_lines(lines: Sequence[Line]) -> None:
    """Refuse lines that do not balance or touch what orders alone move, naming the line."""
    if not 2 <= len(lines) <= MAX_LINES:
        raise InvalidInput("lines", _("An entry has 2 to %(max)d lines.") % {"max": MAX_LINES})
    for number, line in enumerate(lines, start=1):
        where = _("Line %(number)d: ") % {"number": number}
        if line.account not in ACCOUNTS:
            raise InvalidInput("lines", where + _("not an account for entries by hand."))
        if not 0 < abs(line.amount) <= MAX_AMOUNT:
            raise InvalidInput("lines", where + _("an amount that is not zero."))
        if (line.account in (SELLER, Code.CLAWBACK)) != (line.seller_id is not None):
            raise InvalidInput("lines", where + _("sellers' accounts have a seller, others none."))
    left = sum(line.amount for line in lines)
    if left:
        raise InvalidInput("lines", _("Debits and credits differ by %(left)d.") % {"left": left})
