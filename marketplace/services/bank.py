"""Bank statements: imported once, matched with the ledger, differences listed."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from marketplace import bank_matching
from marketplace.bank_files import Columns, Movement, read_camt, read_csv
from marketplace.errors import LineMatched
from marketplace.models import BankLine, BankMatch, BankStatement, LedgerAccount, LedgerEntry
from marketplace.services import clock
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput, TooLarge
from systemadmin.foundation.files import safe_name
from systemadmin.foundation.money import format_money, is_currency
from systemadmin.models import User

MOST_BYTES = 10 * 1024 * 1024
MOST_ALIKE = 10


@transaction.atomic
def import_bank_statement(
    *,
    actor: User | None,
    file: Any,
    format: str,
    account: str,
    currency: str,
    columns: Columns | None = None,
) -> BankStatement:
    """Import a file and match what is certain; a file or a line that is known changes nothing."""
    _check_asked(account, currency, file.size or 0)
    data = file.read()
    digest = hashlib.sha256(f"{account}:{currency}:".encode() + data).hexdigest()
    known = BankStatement.objects.filter(sha256=digest).first()
    if known:
        return known
    if format == BankStatement.Format.CAMT:
        read = read_camt(data, currency)
    else:
        read = read_csv(data, currency, columns or Columns())
    days = [movement.booked_on for movement in read.movements]
    statement = BankStatement(
        account=account, currency=currency, format=format, sha256=digest, actor=actor,
        file_name=safe_name(file.name or ""), opening=read.opening, closing=read.closing,
        first_on=min(days, default=None), last_on=max(days, default=None),
    )  # fmt: skip
    statement.full_clean()
    statement.save()
    BankLine.objects.bulk_create(
        [_line(statement, one) for one in _with_own_ids(read.movements, account, currency)],
        ignore_conflicts=True,
        batch_size=1000,
    )
    matched = match_bank_lines(actor=None, account=account, currency=currency)
    audit.record(
        "marketplace.bank_statement.imported",
        actor=actor,
        target=statement,
        after={"lines": len(read.movements), "matched": matched, "account": account},
    )
    return statement


def _check_asked(account: str, currency: str, size: int) -> None:
    if account not in BankStatement.Account.values:
        raise InvalidInput("account", _("A statement is of cash or of the bank."))
    if not is_currency(currency):
        raise InvalidInput("currency", _("Not an ISO 4217 currency code."))
    if size > MOST_BYTES:
        raise TooLarge(_("At most 10 MB."))


def _with_own_ids(movements: Sequence[Movement], account: str, currency: str) -> Iterator[Movement]:
    """Yield movements with an id that no other movement has.

    A payment and its fee, or the parts of a batch, may share the bank's id: only what says the
    same day and amount under an id that is known was imported already.
    """
    owners: dict[str, tuple[Any, ...]] = {}
    for start in range(0, len(movements), 500):
        ids = [movement.bank_id for movement in movements[start : start + 500]]
        rows = BankLine.objects.filter(account=account, currency=currency, bank_id__in=ids)
        owners |= {row[0]: row[1:] for row in rows.values_list("bank_id", "booked_on", "amount")}
    seen: Counter[str] = Counter()
    for movement in movements:
        facts = (movement.booked_on, movement.amount)
        own = movement.bank_id
        if owners.setdefault(own, facts) != facts:
            digest = hashlib.sha256("\x1f".join(map(str, (own, *facts))).encode()).hexdigest()
            own = f"{own[:60]}/{digest[:12]}"
        seen[own] += 1
        if seen[own] > 1:
            own = f"{own[:72]}/{seen[own]}"
        yield replace(movement, bank_id=own)


def _line(statement: BankStatement, movement: Movement) -> BankLine:
    return BankLine(
        statement=statement,
        account=statement.account,
        currency=statement.currency,
        booked_on=movement.booked_on,
        amount=movement.amount,
        reference=movement.reference,
        counterparty=movement.counterparty,
        bank_id=movement.bank_id,
    )


@transaction.atomic
def match_bank_lines(*, actor: User | None, account: str, currency: str) -> int:
    """Match every line that is certainly one entry; return how many were matched."""
    _lock_account(account, currency)
    rows = BankLine.objects.filter(account=account, currency=currency, matches__isnull=True)
    lines = [
        bank_matching.Line(row.pk, row.amount, row.booked_on, f"{row.reference} {row.counterparty}")
        for row in rows.order_by("booked_on", "pk")
    ]
    if not lines:
        return 0
    reach = timedelta(days=60)
    entries = unmatched_entries(account, currency).between(
        clock.day_start(lines[0].day - reach), clock.day_start(lines[-1].day + reach)
    )
    found = bank_matching.match(lines, [_candidate(entry) for entry in entries])
    BankMatch.objects.bulk_create(
        [BankMatch(line_id=line, entry_id=entry, actor=actor) for line, entry in found.items()],
        batch_size=1000,
    )
    return len(found)


def unmatched_entries(account: str, currency: str) -> Any:
    """Return the entries of an account that no bank line is yet."""
    return LedgerEntry.objects.filter(
        account__code=account, currency=currency, bank_match__isnull=True
    ).select_related("transaction__order", "transaction__payout")


def entries_like(line: BankLine) -> list[LedgerEntry]:
    """Return the newest unmatched entries of a line's account that have its amount."""
    rows = unmatched_entries(line.account, line.currency).filter(amount=line.amount)
    return list(rows.order_by("-pk")[:MOST_ALIKE])


def _candidate(entry: LedgerEntry) -> bank_matching.Candidate:
    about = entry.transaction
    references = [about.key]
    if about.payout:
        references += [about.payout.reference, about.payout.bank_reference]
    if about.order:
        references.append(about.order.payment_reference)
    day = about.posted_at.astimezone(clock.place_zone()).date()
    known = [reference for reference in references if reference]
    return bank_matching.Candidate(entry.pk, entry.amount, day, known)


@transaction.atomic
def match_bank_line(*, actor: User | None, line: BankLine, entries: list[int]) -> BankLine:
    """Say by hand which entries a line is; together they are its amount."""
    line = lock_row(BankLine.objects.all(), pk=line.pk)
    _lock_account(line.account, line.currency)
    if line.matches.exists():
        raise LineMatched
    wanted = set(entries)
    rows = list(unmatched_entries(line.account, line.currency).filter(pk__in=wanted))
    if not wanted or len(rows) != len(wanted):
        raise InvalidInput("entries", _("Name unmatched entries of the line's account."))
    total = sum(row.amount for row in rows)
    if total != line.amount:
        text = _("The entries add up to %(total)s instead of %(amount)s.")
        sums = {"total": total, "amount": line.amount}
        shown = {name: format_money(value, line.currency) for name, value in sums.items()}
        raise InvalidInput("entries", text % shown)
    BankMatch.objects.bulk_create([BankMatch(line=line, entry=row, actor=actor) for row in rows])
    _note(actor, line, "matched", sorted(wanted))
    return line


@transaction.atomic
def unmatch_bank_line(*, actor: User | None, line: BankLine) -> BankLine:
    """Take back what a line was matched with."""
    line = lock_row(BankLine.objects.all(), pk=line.pk)
    entries = sorted(line.matches.values_list("entry_id", flat=True))
    line.matches.all().delete()
    _note(actor, line, "unmatched", entries)
    return line


def _note(actor: User | None, line: BankLine, what: str, entries: list[int]) -> None:
    audit.record(
        f"marketplace.bank_line.{what}", actor=actor, target=line, after={"entries": entries}
    )


def reconciliation(*, statement: BankStatement) -> dict[str, Any]:
    """Return how a statement's last day stands against the books.

    `difference` is what the bank has more than the books; lines that are no entry yet and entries
    that no line is yet explain it.
    """
    end = clock.day_start((statement.last_on or clock.today()) + timedelta(days=1))
    lines = BankLine.objects.filter(account=statement.account, currency=statement.currency)
    if statement.last_on:
        lines = lines.filter(booked_on__lte=statement.last_on)
    entries = LedgerEntry.objects.filter(
        account__code=statement.account, currency=statement.currency
    ).between(None, end)
    booked = _sum(entries)
    open_lines, open_entries = (
        lines.filter(matches__isnull=True),
        entries.filter(bank_match__isnull=True),
    )
    closing = statement.closing
    return {
        "bank_balance": closing,
        "book_balance": booked,
        "difference": None if closing is None else closing - booked,
        "unmatched_lines": open_lines.count(),
        "unmatched_lines_amount": _sum(open_lines),
        "unmatched_entries": open_entries.count(),
        "unmatched_entries_amount": _sum(open_entries),
    }


def _sum(rows: QuerySet) -> int:
    return rows.aggregate(sum=Sum("amount", default=0))["sum"]


def _lock_account(account: str, currency: str) -> None:
    """One matching at a time for each account, so that no entry is offered twice."""
    list(
        LedgerAccount.objects.select_for_update().filter(
            code=account, currency=currency, seller__isnull=True
        )
    )
