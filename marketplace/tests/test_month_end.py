"""A month of a made-up marketplace, closed by the checklist of docs/marketplace.md.

The bank's statement is written by what happened, not by the books; two other programs add the
export up on their own.
"""

import csv
import io
import random
import shutil
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import time_machine
from beancount import loader
from beancount.core.data import Transaction
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from marketplace import services
from marketplace.ledger_export import ROOTS
from marketplace.models import CommissionInvoice, LedgerEntry, SellerStatement
from marketplace.services.ledger import seller_balances
from marketplace.services.order_creation import Item
from marketplace.services.refunds import RefundItem
from marketplace.tests import factories
from systemadmin.foundation.money import to_major
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory

MADRID = ZoneInfo("Europe/Madrid")
OCTOBER = "from=2025-10-01&to=2025-11-01"
CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt>
<GrpHdr><MsgId>1</MsgId><CreDtTm>2025-11-01T00:00:00</CreDtTm></GrpHdr>
<Stmt><Id>1</Id><Acct><Id><IBAN>ES9121000418450200051332</IBAN></Id><Ccy>{currency}</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{opening}</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2025-09-01</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{closing}</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2025-10-31</Dt></Dt></Bal>
{lines}</Stmt></BkToCstmrStmt></Document>"""
LINE = """<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts>BOOK</Sts>
<BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{id}</AcctSvcrRef>
<NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>
"""


class Bank:
    """The account at the payment service, as its own statement tells it."""

    def __init__(self):
        self.lines = defaultdict(list)

    def book(self, currency, amount, reference):
        day = datetime.now(UTC).astimezone(MADRID).date()
        if day <= date(2025, 10, 31):
            self.lines[currency].append((day, amount, reference))

    def statement(self, currency):
        rows = "".join(
            LINE.format(
                currency=currency,
                amount=to_major(abs(amount), currency),
                side="CRDT" if amount > 0 else "DBIT",
                day=day,
                id=f"{currency}{number}",
                reference=reference,
            )
            for number, (day, amount, reference) in enumerate(self.lines[currency])
        )
        closing = to_major(sum(amount for _day, amount, _ref in self.lines[currency]), currency)
        text = CAMT.format(currency=currency, opening="0.00", closing=closing, lines=rows)
        return SimpleUploadedFile("statement.xml", text.encode(), "application/xml")


class Marketplace:
    """Three sellers in two currencies, and what happens to them in some weeks."""

    def __init__(self):
        self.root, self.bank = factories.root(), Bank()
        self.random = random.Random(20251001)
        factories.rule(ppm=100_000, tax_ppm=210_000, include_shipping=False)
        payment = services.create_fee(actor=None, code="payment", name="Payment", position=2)
        for currency in ("EUR", "USD"):
            factories.rule(
                fee=payment, currency=currency, applies_to_all=True, per="order", ppm=14_000,
                fixed=25, on_refund="keep",
            )  # fmt: skip
        self.products = {}
        for currency in ("EUR", "EUR", "USD"):
            seller = UserFactory(country="ES")
            self.products[seller] = [
                factories.approved(
                    seller, price=price, currency=currency, shipping_amount=4_95, tax_ppm=210_000
                )
                for price in (19_90, 7_35)
            ]
        self.orders = []

    def sell(self):
        one, two = self.random.choice(list(self.products.values()))
        buyer = UserFactory()
        items = [Item(one.pk, self.random.randint(1, 3), discount=self.random.choice([0, 0, 1_50]))]
        if self.random.random() < 0.4:
            items.append(Item(two.pk, 2))
        one.stock = two.stock = 1000
        one.save(update_fields=["stock"])
        two.save(update_fields=["stock"])
        order = services.create_order(
            actor=buyer,
            buyer=buyer,
            items=items,
            platform_discount=self.random.choice([0, 0, 3_00]),
        )
        reference = f"PAY-{order.pk}"
        order = services.pay_order(actor=None, order=order, reference=reference)
        self.bank.book(order.currency, order.total, reference)
        self.orders.append(order)
        return order

    def complete(self, order):
        order.refresh_from_db()
        if order.status == "paid":
            services.complete_order(actor=None, order=order)

    def refund(self, order, **what):
        order.refresh_from_db()
        if order.status not in ("paid", "completed"):
            return
        refund = services.refund_order(actor=None, order=order, **what)
        self.bank.book(order.currency, -refund.amount, order.payment_reference)

    def some_refund(self, order):
        line = order.lines.first()
        self.refund(
            order,
            **self.random.choice(
                [
                    {"amount": 2_17},
                    {"shipping": 1_95},
                    {"items": [RefundItem(line.pk, 1)]},
                    {},
                ]
            ),
        )

    def dispute(self, order, in_favour_of):
        order.refresh_from_db()
        if order.status == "refunded":
            return
        dispute = services.open_dispute(
            actor=order.buyer, order=order, reason="damaged", body="Broken"
        )
        dispute = services.resolve_dispute(
            actor=self.root, dispute=dispute, in_favour_of=in_favour_of
        )
        if dispute.refund_amount:
            self.bank.book(order.currency, -dispute.refund_amount, order.payment_reference)

    def chargeback(self, order, in_favour_of):
        order.refresh_from_db()
        if order.status == "refunded":
            return
        dispute = services.record_chargeback(
            actor=self.root, order=order, reference=f"CB-{order.pk}", fee=15_00
        )
        self.bank.book(order.currency, -dispute.charged_back - 15_00, order.payment_reference)
        if in_favour_of is None:
            return
        # Decided for the buyer the books take the amount back and refund it: nothing moves.
        dispute = services.resolve_dispute(
            actor=self.root, dispute=dispute, in_favour_of=in_favour_of
        )
        if in_favour_of == "seller":
            self.bank.book(order.currency, dispute.charged_back, order.payment_reference)

    def pay_out(self, is_returned=False):
        for seller in self.products:
            currency = self.products[seller][0].currency
            (row,) = [row for row in seller_balances(seller.pk) if row["currency"] == currency]
            if row["available"] <= 0:
                continue
            payout = services.create_payout(actor=self.root, seller=seller, currency=currency)
            payout = services.pay_payout(actor=self.root, payout=payout)
            self.bank.book(currency, -payout.amount, payout.reference)
            if is_returned and currency == "USD":
                services.fail_payout(actor=self.root, payout=payout, reason="Account closed")
                self.bank.book(currency, payout.amount, payout.reference)

    def live(self):
        """September to the first days of November, the change of clocks included."""
        moment = datetime(2025, 9, 28, 9, 7, tzinfo=UTC)
        while moment < datetime(2025, 11, 3, tzinfo=UTC):
            with time_machine.travel(moment, tick=False):
                self.day(moment)
            moment += timedelta(hours=20, minutes=31)
        with time_machine.travel(datetime(2025, 10, 31, 22, 30, tzinfo=UTC), tick=False):
            self.sell()
        with time_machine.travel(datetime(2025, 10, 31, 23, 30, tzinfo=UTC), tick=False):
            self.complete(self.sell())

    def day(self, moment):
        order = self.sell()
        if self.random.random() < 0.2:
            self.refund(order, amount=1_00)
        for earlier in self.orders[-4:-1]:
            self.complete(earlier)
        number = len(self.orders)
        if number % 4 == 0:
            self.some_refund(self.orders[-3])
        if number in (9, 15):
            self.dispute(self.orders[-2], "buyer" if number == 9 else "seller")
        if number in (12, 20, 27):
            self.chargeback(self.orders[-2], {12: "seller", 20: "buyer"}.get(number))
        if moment.day in (10, 20, 30):
            self.pay_out(is_returned=moment.day == 20)


@pytest.fixture
def market(db):
    change_settings(actor=None, values={"marketplace.time_zone": "Europe/Madrid"})
    made = Marketplace()
    made.live()
    return made


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def found(answer, status=200):
    assert answer.status_code == status, str(answer.json())
    return answer.json()


def reconcile(market, operator, currency):
    """Import the statement, book what the bank has more, match the rest by hand."""
    # What the payment service charged and nobody told the books.
    with time_machine.travel(datetime(2025, 10, 31, 12, tzinfo=UTC), tick=False):
        market.bank.book(currency, -7_40, "MONTHLY FEE")
    body = {"format": "camt.053", "account": "cash", "currency": currency}
    path = "/api/admin/bank-statements"
    body["file"] = market.bank.statement(currency)
    statement = found(operator.post(path, body, format="multipart"), 201)
    first = found(operator.get(f"{path}/{statement['id']}"))["reconciliation"]
    assert first["difference"] == -7_40
    entry = {
        "kind": "other",
        "currency": currency,
        "reason": "Monthly fee of the payment service",
        "booked_on": "2025-10-31",
        "lines": [
            {"account": "processing", "amount": 7_40},
            {"account": "cash", "amount": -7_40},
        ],
    }
    found(operator.post("/api/admin/journal", entry), 201)
    match_by_hand(operator, currency)
    # A chargeback that the buyer won is taken back and refunded in the books: two entries that
    # cancel out, and no line at the bank.
    after = found(operator.get(f"{path}/{statement['id']}"))["reconciliation"]
    assert after["difference"] == 0
    assert after["unmatched_lines"] == 0
    assert after["unmatched_entries_amount"] == 0


def match_by_hand(operator, currency):
    """Match what the program left: by amount, the oldest entry first."""
    lines = operator.get(f"/api/admin/bank-lines?matched=false&currency={currency}&page_size=100")
    for line in found(lines)["results"]:
        entry = (
            LedgerEntry.objects.filter(
                account__code="cash",
                currency=currency,
                amount=line["amount"],
                bank_match__isnull=True,
            )
            .order_by("pk")
            .first()
        )
        assert entry is not None, line
        path = f"/api/admin/bank-lines/{line['id']}/match"
        found(operator.post(path, {"entries": [entry.pk]}))


def turnover_of(operator):
    rows = found(operator.get(f"/api/admin/ledger/balances?{OCTOBER}"))["results"]
    return {(ROOTS[row["account"]], row["currency"]): row["debit"] + row["credit"] for row in rows}


def minor(text):
    return int(text.replace(".", "").replace(",", ""))


def hledger_sums(path, *query):
    """Return {account: {currency: minor units}} as hledger adds the journal up."""
    run = subprocess.run(
        ["hledger", "-f", path, "bal", "--flat", "-N", "-O", "csv", "-p", "2025-10", *query],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    sums = defaultdict(int)
    for account, balance in list(csv.reader(io.StringIO(run.stdout)))[1:]:
        for part in balance.split(", "):
            if part != "0":
                amount, currency = part.split(" ")
                sums[account, currency] += minor(amount)
    return sums


def by_root(sums):
    added = defaultdict(int)
    for (account, currency), amount in sums.items():
        root = next(one for one in ROOTS.values() if f"{account}:".startswith(f"{one}:"))
        added[root, currency] += amount
    return added


def bean_sums(path):
    entries, errors, _options = loader.load_file(str(path))
    assert errors == []
    sums = defaultdict(int)
    for entry in entries:
        if isinstance(entry, Transaction) and (entry.date.year, entry.date.month) == (2025, 10):
            for posting in entry.postings:
                sums[posting.account, posting.units.currency] += int(posting.units.number * 100)
    return sums


def exported(tmp_path, kind, *arguments):
    path = tmp_path / f"ledger{len(arguments)}.{kind}"
    call_command("export_ledger", "--format", kind, "--output", path, *arguments)
    return path


def bean_check(path):
    tool = Path(sys.executable).with_name("bean-check")
    return subprocess.run([tool, path], capture_output=True, check=False).returncode


def check_totals(operator, turnover, sums):
    """Another program's sums are the trial balance and the reports of the month."""
    added = by_root(sums)
    for key in turnover.keys() | added.keys():
        assert added[key] == turnover.get(key, 0), key
    rows = found(operator.get(f"/api/admin/commissions?{OCTOBER}&group_by=period"))["results"]
    for row in rows:
        assert -added["Income:Commission", row["currency"]] == row["net"]
    assert {row["currency"] for row in rows} == {"EUR", "USD"}


def check_sellers(market, operator, sums):
    """Statements, invoices and balances of every seller equal the export."""
    invoiced = {row.seller_id: row for row in CommissionInvoice.objects.all()}
    earned = found(operator.get(f"/api/admin/commissions?{OCTOBER}&group_by=seller"))["results"]
    earned = {row["seller"]: row for row in earned}
    for seller in market.products:
        statement = SellerStatement.objects.get(seller=seller)
        moved = sum(
            amount for (account, _currency), amount in sums.items() if f":S{seller.pk}:" in account
        )
        assert -moved == statement.closing - statement.opening == sum(statement.movements.values())
        invoice = invoiced[seller.pk]
        assert (invoice.net, invoice.tax) == (earned[seller.pk]["net"], earned[seller.pk]["tax"])


def test_the_month_is_closed_and_other_programs_agree(market, operator, tmp_path):
    for currency in ("EUR", "USD"):
        reconcile(market, operator, currency)
    assert services.check_ledger() == []
    found(operator.post("/api/admin/closed-months", {"month": "2025-10"}), 201)
    made = found(operator.post("/api/admin/seller-statements", {"month": "2025-10"}), 201)
    assert made == {"statements": 3, "invoices": 3}
    turnover = turnover_of(operator)
    assert turnover["Expenses:Promotions", "EUR"] > 0
    whole = exported(tmp_path, "beancount")
    month = exported(tmp_path, "beancount", "--from", "2025-10-01", "--to", "2025-11-01")
    assert bean_check(whole) == bean_check(month) == 0
    sums = bean_sums(whole)
    check_totals(operator, turnover, sums)
    check_sellers(market, operator, sums)
    if shutil.which("hledger"):
        journal = exported(tmp_path, "hledger")
        checked = subprocess.run(["hledger", "-f", journal, "check"], check=False)
        assert checked.returncode == 0
        sums = hledger_sums(journal)
        check_totals(operator, turnover, sums)
        check_sellers(market, operator, sums)
        sales = found(operator.get(f"/api/admin/sales?{OCTOBER}&group_by=period"))["results"]
        cash = by_root(hledger_sums(journal, "Assets:Cash", "desc:^(Payment|Refund)$"))
        for row in sales:
            assert cash["Assets:Cash", row["currency"]] == row["net"]
