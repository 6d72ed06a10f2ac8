"""The ledger as text that other accounting programs read: beancount, hledger and CSV.

What is read here takes several statements: run it in a `read_snapshot`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any

from django.db.models import F, QuerySet

from marketplace.models import LedgerEntry, LedgerTransaction
from systemadmin.foundation.csv_export import csv_of_mappings
from systemadmin.foundation.money import to_major

# The five roots of accounts, by what an account is to the platform.
ROOTS = {
    "cash": "Assets:Cash",
    "clawback": "Assets:Clawback",
    "buyer_funds": "Liabilities:BuyerFunds",
    "seller_payable": "Liabilities:SellerPayable",
    "seller_held": "Liabilities:SellerHeld",
    "tax": "Liabilities:Tax",
    "processing": "Liabilities:Processing",
    "refunds": "Liabilities:Refunds",
    "payouts_in_transit": "Liabilities:PayoutsInTransit",
    "revenue": "Income:Commission",
    "bank": "Assets:Bank",
    "promotions": "Expenses:Promotions",
    "goodwill": "Expenses:Goodwill",
    "dispute_fees": "Expenses:DisputeFees",
    "write_offs": "Expenses:WriteOffs",
    "chargebacks": "Assets:Chargebacks",
    "equity": "Equity:OpeningBalances",
    "suspense": "Equity:Suspense",
}
COLUMNS = (
    "transaction",
    "key",
    "kind",
    "posted_at",
    "account",
    "seller",
    "currency",
    "amount",
    "order",
    "payout",
    "party",
    "journal",
    "reverses",
    "belongs_to",
)
ABOUT = ("order", "payout", "seller", "journal", "reverses", "belongs_to")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which part of the ledger is exported; days are days of `zone`.

    `seller` selects whole transactions that are about the seller. Whatever is selected before
    `start` is summed up in one opening transaction.
    """

    start: datetime | None = None
    end: datetime | None = None
    seller: int | None = None
    currency: str | None = None
    zone: tzinfo = UTC

    def entries(self) -> QuerySet[LedgerEntry]:
        """Return the selected entries, those before the start included."""
        entries = LedgerEntry.objects.between(None, self.end)
        if self.seller is not None:
            entries = entries.of_transactions_with(self.seller)
        if self.currency:
            entries = entries.filter(currency=self.currency)
        return entries

    def rows(self) -> QuerySet[LedgerEntry, Any]:
        """Return the entries of the period with what they are about, in the order of posting."""
        about = self.entries().filter(
            **({} if self.start is None else {"transaction__posted_at__gte": self.start})
        )
        return about.order_by("transaction__posted_at", "transaction_id", "id").values(
            "amount",
            "currency",
            "transaction_id",
            code=F("account__code"),
            owner=F("account__seller_id"),
            key=F("transaction__key"),
            kind=F("transaction__kind"),
            posted_at=F("transaction__posted_at"),
            order=F("transaction__order_id"),
            order_seller=F("transaction__order__seller_id"),
            payout=F("transaction__payout_id"),
            payout_seller=F("transaction__payout__seller_id"),
            journal=F("transaction__journal_entry_id"),
            reverses=F("transaction__reverses_id"),
            belongs_to=F("transaction__belongs_to"),
        )

    def day(self, moment: datetime) -> date:
        """Return the day of a moment in the selection's zone."""
        return moment.astimezone(self.zone).date()


def account_name(code: str, seller_id: int | None, currency: str) -> str:
    """Return an account's name: root, owner and currency."""
    owner = f":S{seller_id}" if seller_id else ""
    return f"{ROOTS[code]}{owner}:{currency}"


def beancount(selection: Selection) -> Iterator[str]:
    """Yield transaction by transaction, with the balances at the end for `bean-check`."""
    yield 'option "title" "Atalaya marketplace ledger"\n\n'
    opened = _first_day(selection)
    if opened is None:
        return
    for row in selection.entries().balances():
        yield f"{opened} open {_name_of(row)} {row['currency']}\n"
    last = opened
    for last, title, about, postings in _transactions(selection):
        yield f'\n{last} * "{title}" "{about["key"]}"\n'
        for name in ABOUT:
            if about[name] is not None:
                yield f'  {name}: "{about[name]}"\n'
        for row in postings:
            yield f"  {_name_of(row)}  {_decimal(row)} {row['currency']}\n"
    yield "\n"
    # A balance directive holds at the beginning of its day.
    day = last + timedelta(days=1)
    for row in selection.entries().balances():
        yield f"{day} balance {_name_of(row)}  {_decimal(row)} {row['currency']}\n"


def hledger(selection: Selection) -> Iterator[str]:
    """Yield a journal for `hledger`, with the balances asserted at the end."""
    yield "decimal-mark .\n"
    last = _first_day(selection)
    if last is None:
        return
    for last, title, about, postings in _transactions(selection):
        tags = ", ".join(f"{name}:{about[name]}" for name in ABOUT if about[name] is not None)
        yield f"\n{last} * ({about['key']}) {title}  ; {tags}\n"
        for row in postings:
            yield f"    {_name_of(row)}  {_decimal(row)} {row['currency']}\n"
    yield f"\n{last} * Balances as kept\n"
    for row in selection.entries().balances():
        zero = f"0 {row['currency']}"
        yield f"    {_name_of(row)}  {zero} = {_decimal(row)} {row['currency']}\n"


def csv(selection: Selection) -> Iterator[str]:
    """Yield every entry as CSV, in minor units."""
    rows = (
        {
            **row,
            "transaction": row["transaction_id"],
            "account": row["code"],
            "seller": row["owner"],
            "party": row["order_seller"] or row["payout_seller"],
        }
        for row in selection.rows().iterator(chunk_size=2000)
    )
    return csv_of_mappings(COLUMNS, rows)


FORMATS: dict[str, Callable[[Selection], Iterator[str]]] = {
    "beancount": beancount,
    "hledger": hledger,
    "csv": csv,
}


def _transactions(selection: Selection) -> Iterator[tuple[date, str, Row, list[Row]]]:
    """Yield day, title, what it is about and postings; first what was there before the start."""
    if selection.start is not None:
        before = selection.entries().filter(transaction__posted_at__lt=selection.start)
        opening: list[Row] = [row for row in before.balances() if row["balance"]]
        if opening:
            about = dict.fromkeys(ABOUT) | {"key": "opening"}
            yield selection.day(selection.start), "Balances before", about, opening
    titles = dict(LedgerTransaction.Kind.choices)
    rows = selection.rows().iterator(chunk_size=2000)
    for _pk, group in groupby(rows, key=lambda row: row["transaction_id"]):
        postings: list[Row] = list(group)
        head = postings[0]
        about = {**head, "seller": head["order_seller"] or head["payout_seller"] or head["owner"]}
        yield selection.day(head["posted_at"]), str(titles[head["kind"]]), about, postings


def _first_day(selection: Selection) -> date | None:
    """Return the day on which the accounts are opened; None when nothing is selected."""
    first = selection.entries().order_by("transaction__posted_at", "id")
    moment = first.values_list("transaction__posted_at", flat=True).first()
    if moment is None:
        return None
    return selection.day(selection.start or moment)


def _name_of(row: Row) -> str:
    if "code" in row:
        return account_name(row["code"], row["owner"], row["currency"])
    return account_name(row["account__code"], row["account__seller_id"], row["currency"])


def _decimal(row: Row) -> str:
    return f"{to_major(row['amount'] if 'amount' in row else row['balance'], row['currency']):f}"
