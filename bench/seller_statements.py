"""Statements, invoices and their PDF for many sellers of one closed month.

    python bench/seller_statements.py [--sellers 10000] [--database URL]

Fills a new database (SQLite by default, else beside the one of the URL) with a completed order
for each seller in bulk, closes the month, and measures `make_statements` and the writing of PDF.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from databases import empty_database

ROOT = Path(__file__).resolve().parent.parent
MONTH, MOMENT = date(2025, 3, 1), datetime(2025, 3, 10, 12, tzinfo=UTC)


def fill(count):
    """Give every seller one order of 100.00, copied from one that the services made."""
    from marketplace.models import LedgerAccount
    from marketplace.services import clock
    from marketplace.tests import factories

    factories.rule(ppm=100_000, tax_ppm=210_000)
    with clock.frozen_at(MOMENT):
        first = factories.completed(factories.approved(price=100_00, stock=None))
    sellers = make_sellers(count)
    orders, lines = copy_orders(first, sellers)
    accounts = [LedgerAccount(code="seller_payable", seller=s, currency="EUR", balance=-87_90)
                for s in sellers]  # fmt: skip
    LedgerAccount.objects.bulk_create(accounts, batch_size=1000)
    copy_postings(first, orders, lines, accounts)


def make_sellers(count):
    """Make one account per seller, but for the one that the services made."""
    from django.contrib.auth.hashers import make_password

    from systemadmin.models import User

    word = make_password(None)
    User.objects.bulk_create(
        [User(username=f"bench-{n}", password=word) for n in range(count - 1)], batch_size=1000
    )
    return list(User.objects.filter(username__startswith="bench-"))


def copy_orders(first, sellers):
    """Return one copy of the first order per seller, and their lines, with commissions."""
    from marketplace.models import CommissionLine, Order, OrderLine

    line, kept = first.lines.get(), CommissionLine.objects.get()
    orders = []
    for seller in sellers:
        order = Order.objects.get(pk=first.pk) if not orders else Order(**_values(first))
        order.pk, order.seller = None, seller
        orders.append(order)
    Order.objects.bulk_create(orders, batch_size=1000)
    lines = [OrderLine(**{**_values(line), "order_id": order.pk}) for order in orders]
    OrderLine.objects.bulk_create(lines, batch_size=1000)
    commissions = [CommissionLine(**{**_values(kept), "line_id": own.pk}) for own in lines]
    CommissionLine.objects.bulk_create(commissions, batch_size=1000)
    return orders, lines


def copy_postings(first, orders, lines, accounts):
    """Post for each order what the first one's payment and completion posted."""
    from django.db import transaction

    from marketplace.models import LedgerEntry, LedgerTransaction

    number = LedgerTransaction.objects.order_by("-pk").first().pk
    for kind in ("payment", "completion"):
        model = LedgerTransaction.objects.filter(kind=kind, order=first).get()
        legs = list(model.entries.select_related("account"))
        entries, rows = [], []
        for place, order in enumerate(orders):
            number += 1
            for leg in legs:
                account = accounts[place].pk if leg.account.seller_id else leg.account_id
                own = lines[place].pk if leg.line_id else None
                about = {"transaction_id": number, "account_id": account, "line_id": own}
                entries.append(LedgerEntry(currency="EUR", amount=leg.amount, **about))
            about = {"key": f"order:{order.pk}:{kind}", "kind": kind, "order": order}
            rows.append(LedgerTransaction(pk=number, digest="", posted_at=MOMENT, **about))
        # Entries come first and refer to a transaction that comes last.
        with transaction.atomic():
            LedgerEntry.objects.bulk_create(entries, batch_size=2000)
            LedgerTransaction.objects.bulk_create(rows, batch_size=1000)


def _values(row):
    return {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key and field.name not in ("payment_reference",)
    }


def measure(count):
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from marketplace import services
    from marketplace.models import CommissionInvoice, SellerStatement
    from marketplace.statement_pdf import invoice_pdf, statement_pdf

    fill(count)
    for name, call in (
        ("check_ledger", services.check_ledger),
        ("close_month", lambda: services.close_month(actor=None, month=MONTH)),
        ("make_statements", lambda: services.make_statements(actor=None, month=MONTH)),
    ):
        began = time.monotonic()
        found = call()
        print(f"{name}: {time.monotonic() - began:.1f} s {found}", flush=True)
    began = time.monotonic()
    for invoice in CommissionInvoice.objects.select_related("seller").iterator():
        invoice_pdf(invoice)
    for statement in SellerStatement.objects.select_related("seller").iterator():
        statement_pdf(statement)
    print(f"{2 * count} PDF: {time.monotonic() - began:.1f} s on one core")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sellers", type=int, default=10_000)
    parser.add_argument("--database", help="URL of a PostgreSQL database; SQLite by default")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = f"sqlite:///{folder}/bench.sqlite3"
        if options.database:
            url = stack.enter_context(empty_database(options.database, "seller_statements"))
        os.environ |= {
            "DATABASE_URL": url,
            "DATABASE_PERSISTENT": "1",
            "DJANGO_DEBUG": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": folder,
        }
        measure(options.sellers)
        from django.db import connection

        connection.close()


if __name__ == "__main__":
    main()
