"""Exports: a part of the ledger, over HTTP too, and whole while orders come in."""

import shutil
import subprocess
from datetime import UTC, datetime
from io import StringIO
from threading import Thread

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection

from marketplace import ledger_export, services
from marketplace.models import LedgerEntry, LedgerTransaction
from marketplace.tests import factories
from marketplace.tests.test_demo_and_commands import bean_check
from systemadmin.foundation.snapshots import read_snapshot
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry
from systemadmin.services.configuration import change_settings

URL = "/api/admin/ledger/export"
needs_hledger = pytest.mark.skipif(
    shutil.which("hledger") is None, reason="needs hledger (apt-get install hledger)"
)


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def sold_at(text, **values):
    with time_machine.travel(datetime.fromisoformat(text).replace(tzinfo=UTC), tick=False):
        return factories.completed(factories.approved(**values))


@pytest.fixture
def trade(db):
    factories.rule(ppm=100_000)
    return [
        sold_at("2025-02-10T12:00", price=100_00),
        sold_at("2025-03-10T12:00", price=200_00),
        sold_at("2025-03-31T22:30", price=300_00, currency="USD"),
    ]


def text_of(answer):
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content).decode()


def checked(text, tmp_path):
    path = tmp_path / "part.beancount"
    path.write_text(text)
    found = bean_check(path)
    assert found.returncode == 0, found.stdout + found.stderr
    return text


def test_a_period_begins_with_the_balances_before_it(operator, trade, tmp_path):
    text = checked(text_of(operator.get(f"{URL}?from=2025-03-01&to=2025-04-01")), tmp_path)
    assert "2025-03-01 balance" not in text
    assert "Assets:Cash:EUR  100.00 EUR" in text.split('"Balances before"')[1].split("\n\n")[0]
    assert "balance Assets:Cash:EUR  300.00 EUR" in text
    assert "balance Assets:Cash:USD  300.00 USD" in text
    madrid = text_of(operator.get(f"{URL}?to=2025-04-01&tz=Europe/Madrid"))
    assert "USD" not in madrid


def test_seller_and_currency(operator, trade, tmp_path):
    first, _second, third = trade
    text = checked(text_of(operator.get(f"{URL}?seller={first.seller_id}")), tmp_path)
    assert f"S{first.seller_id}" in text
    assert f"S{third.seller_id}" not in text
    rows = text_of(operator.get(f"{URL}?currency=USD&file=csv")).splitlines()
    assert len(rows) == 1 + LedgerEntry.objects.filter(currency="USD").count()


def test_transactions_say_what_they_are_about(operator, trade, tmp_path):
    order = trade[0]
    payout = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    text = checked(text_of(operator.get(URL)), tmp_path)
    assert f'  order: "{order.pk}"\n  seller: "{order.seller_id}"\n' in text
    assert f'  payout: "{payout.pk}"\n  seller: "{order.seller_id}"\n' in text


def test_who_exports_is_on_record_and_others_may_not(operator, as_user, staff, trade):
    operator.get(f"{URL}?file=csv")
    found = AuditEntry.objects.get(action="marketplace.ledger.exported")
    assert found.metadata["format"] == "csv"
    problem(as_user(staff("risk_analyst")).get(URL), 403)
    for query in ("file=pdf", "from=soon", "colour=1", "currency=XXX", "tz=Mars", "seller=x"):
        problem(operator.get(f"{URL}?{query}"), 400)
    problem(operator.get(f"{URL}?from=2026-01-01&to=2025-01-01"), 400, field="from")


def test_days_are_the_places(operator, trade):
    change_settings(actor=factories.root(), values={"marketplace.time_zone": "Europe/Madrid"})
    april = operator.get("/api/admin/sales?from=2025-04-01&to=2025-05-01").json()["results"]
    assert [(row["currency"], row["gross"]) for row in april] == [("USD", 300_00)]
    rows = operator.get("/api/admin/ledger?posted_after=2025-04-01&page_size=100").json()
    assert {row["currency"] for row in rows["results"]} == {"USD"}
    assert "2025-04-01 * " in text_of(operator.get(URL))
    problem(operator.get("/api/admin/ledger?posted_after=tomorrow"), 400)


@needs_hledger
def test_hledger_agrees(trade, tmp_path):
    path = tmp_path / "ledger.journal"
    call_command("export_ledger", format="hledger", output=path)
    found = subprocess.run(
        ["hledger", "-f", path, "check", "balanced", "assertions"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    path.write_text(path.read_text().replace("= 300.00 EUR", "= 301.00 EUR"))
    wrong = subprocess.run(["hledger", "-f", path, "check"], capture_output=True, check=False)
    assert wrong.returncode != 0


def test_the_command_takes_the_same_parts(trade, capsys):
    call_command("export_ledger", "--from", "2025-03-01", "--currency", "EUR", "--format", "csv")
    assert len(capsys.readouterr().out.splitlines()) == 1 + 5
    with pytest.raises(CommandError, match="--to"):
        call_command("export_ledger", "--to", "soon", stdout=StringIO())


def test_an_empty_part(operator, trade):
    assert "open" not in text_of(operator.get(f"{URL}?to=2020-01-01"))
    assert text_of(operator.get(f"{URL}?to=2020-01-01&file=hledger")) == "decimal-mark .\n"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ledger_db")
@pytest.mark.parametrize("kind", ["beancount", pytest.param("hledger", marks=needs_hledger)])
def test_an_export_is_whole_while_orders_come_in(tmp_path, kind):
    factories.rule(ppm=100_000)
    product = factories.approved(stock=None)
    factories.completed(product)
    path = tmp_path / "ledger.txt"

    def sell():
        factories.completed(product)
        connection.close()

    with read_snapshot():
        lines = ledger_export.FORMATS[kind](ledger_export.Selection())
        first = [next(lines), next(lines)]
        seller = Thread(target=sell)
        seller.start()
        seller.join()
        path.write_text("".join([*first, *lines]))
    assert LedgerTransaction.objects.count() == 4
    tool = bean_check(path) if kind == "beancount" else subprocess.run(
        ["hledger", "-f", path, "check"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert tool.returncode == 0, tool.stdout + tool.stderr
    assert path.read_text().count(" * ") == 2 + (kind == "hledger")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ledger_db")
def test_the_check_gives_no_false_alarm_while_orders_come_in(monkeypatch):
    from marketplace.services import ledger_check

    factories.rule(ppm=100_000)
    product = factories.approved(stock=None)
    compare = ledger_check._wrong_balances

    def sell():
        services.pay_order(actor=None, order=factories.order(product))
        connection.close()

    def after_a_sale():
        seller = Thread(target=sell)
        seller.start()
        seller.join()
        return compare()

    monkeypatch.setattr(ledger_check, "_wrong_balances", after_a_sale)
    factories.paid(product)
    assert services.check_ledger() == []
    assert LedgerTransaction.objects.count() == 2
