"""Demo data, the ledger's commands, and an outside accountant's opinion of the export."""

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from marketplace import services
from marketplace.models import (
    CommissionRule,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    Product,
)
from marketplace.tests import factories
from systemadmin.services import demo as base

pytestmark = pytest.mark.django_db


def bean_check(path):
    tool = Path(sys.executable).with_name("bean-check")
    return subprocess.run([tool, str(path)], capture_output=True, text=True, check=False)


@pytest.fixture
def trade():
    """A little of everything, in currencies of 0, 2, 3 and 4 decimals."""
    for currency in ("JPY", "EUR", "KWD", "CLF"):
        factories.rule(currency=currency, ppm=33_300, fixed=7, tax_ppm=210_000)
        product = factories.approved(currency=currency, price=12_345)
        factories.completed(product)
        services.refund_order(actor=None, order=factories.completed(product), amount=1_111)
        services.refund_order(actor=None, order=factories.paid(product))
        dispute = services.open_dispute(
            actor=None or product.seller,
            order=factories.completed(product),
            reason="other",
            body="x",
        )
        services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="buyer")
        payout = services.create_payout(
            actor=factories.root(), seller=product.seller, currency=currency
        )
        services.pay_payout(actor=factories.root(), payout=payout)


def test_bean_check_accepts_the_export(trade, tmp_path):
    path = tmp_path / "ledger.beancount"
    call_command("export_ledger", output=path)
    checked = bean_check(path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    text = path.read_text()
    assert text.count(" * ") == LedgerTransaction.objects.count()
    assert " balance " in text


def test_bean_check_would_notice(trade, tmp_path):
    path = tmp_path / "ledger.beancount"
    call_command("export_ledger", output=path)
    lines = path.read_text().splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if line.startswith("  Assets:Cash:EUR"))
    del lines[place]
    path.write_text("".join(lines))
    assert bean_check(path).returncode != 0


def test_csv_export(trade, tmp_path):
    path = tmp_path / "ledger.csv"
    call_command("export_ledger", format="csv", output=path)
    assert len(path.read_text().splitlines()) == LedgerEntry.objects.count() + 1


def test_check_ledger(trade):
    out = StringIO()
    call_command("check_ledger", stdout=out)
    assert "adds up" in out.getvalue()


def test_check_ledger_notices_a_wrong_balance(trade):
    LedgerAccount.objects.filter(code="seller_payable").update(balance=1)
    with pytest.raises(CommandError):
        call_command("check_ledger", stderr=StringIO())


def test_check_ledger_notices_a_wrong_order(trade):
    Order.objects.filter(status="completed").update(total=1, refunded=0)
    assert services.check_ledger()


def test_expire_command():
    out = StringIO()
    call_command("expire_reservations", stdout=out)
    assert out.getvalue() == "0 reservations expired.\n"


def test_demo_seeds_trades_and_goes_without_a_trace(settings):
    settings.DEMO_MODE = True
    call_command("setup", stdout=StringIO())
    call_command("seed_demo", stdout=StringIO())
    assert Product.objects.filter(status="pending").exists()
    assert Order.objects.filter(status="refunded").exists()
    assert services.check_ledger() == []
    found = base.find_demo_rows()
    assert found.blockers == []
    base._remove(found)
    assert not Product.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert not CommissionRule.objects.exists()
    connection.check_constraints()
