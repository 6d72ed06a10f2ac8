"""The ledger as text that other accounting programs read: beancount and CSV."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby

from marketplace.csv_export import to_csv
from marketplace.models import LedgerAccount, LedgerEntry
from systemadmin.foundation.money import exponent

# Beancount's five roots, by what an account is to the platform.
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
    "reverses",
)


def account_name(code: str, seller_id: int | None, currency: str) -> str:
    """Return the beancount name of an account."""
    owner = f":S{seller_id}" if seller_id else ""
    return f"{ROOTS[code]}{owner}:{currency}"


def decimal_amount(amount: int, currency: str) -> str:
    """Return minor units as a decimal number."""
    digits = exponent(currency)
    return f"{Decimal(amount).scaleb(-digits):.{digits}f}"


def beancount() -> Iterator[str]:
    """Yield the whole ledger, transaction by transaction, with the balances at the end."""
    yield 'option "title" "Atalaya marketplace ledger"\n\n'
    first = (
        LedgerEntry.objects.order_by("transaction__posted_at")
        .values_list("transaction__posted_at", flat=True)
        .first()
    )
    if first is None:
        return
    opened = f"{first:%Y-%m-%d}"
    for account in LedgerAccount.objects.order_by("code", "seller_id", "currency"):
        name = account_name(account.code, account.seller_id, account.currency)
        yield f"{opened} open {name} {account.currency}\n"
    last = None
    entries = (
        LedgerEntry.objects.for_staff()
        .order_by("transaction__posted_at", "transaction_id", "id")
        .iterator(chunk_size=2000)
    )
    for _pk, rows in groupby(entries, key=lambda entry: entry.transaction_id):
        group = list(rows)
        last = group[0].transaction.posted_at
        yield _transaction(group)
    if last is not None:
        yield from _assertions()


def _transaction(group: list[LedgerEntry]) -> str:
    head = group[0].transaction
    lines = [f'\n{head.posted_at:%Y-%m-%d} * "{head.get_kind_display()}" "{head.key}"\n']
    if head.reverses_id:
        lines.append(f'  reverses: "{head.reverses_id}"\n')
    for entry in group:
        account = entry.account
        name = account_name(account.code, account.seller_id, account.currency)
        amount = decimal_amount(entry.amount, entry.currency)
        lines.append(f"  {name}  {amount} {entry.currency}\n")
    return "".join(lines)


def _assertions() -> Iterator[str]:
    """Balances as we keep them, so that the other program checks our sums against its own."""
    yield "\n"
    last = LedgerEntry.objects.order_by("-transaction__posted_at").select_related("transaction")
    newest = last.first()
    if newest is None:
        return
    # A balance directive holds at the beginning of its day.
    day = newest.transaction.posted_at.date().toordinal() + 1
    date = newest.transaction.posted_at.date().fromordinal(day)
    for row in LedgerEntry.objects.balances():
        name = account_name(row["account__code"], row["account__seller_id"], row["currency"])
        amount = decimal_amount(row["balance"], row["currency"])
        yield f"{date:%Y-%m-%d} balance {name}  {amount} {row['currency']}\n"


def csv() -> str:
    """Return every entry as CSV, in minor units."""
    rows = (
        {
            "transaction": entry.transaction_id,
            "key": entry.transaction.key,
            "kind": entry.transaction.kind,
            "posted_at": entry.transaction.posted_at,
            "account": entry.account.code,
            "seller": entry.account.seller_id,
            "currency": entry.currency,
            "amount": entry.amount,
            "order": entry.transaction.order_id,
            "reverses": entry.transaction.reverses_id,
        }
        for entry in LedgerEntry.objects.for_staff().order_by("id").iterator(chunk_size=2000)
    )
    return to_csv(rows, COLUMNS)
