"""Statements and invoices of a closed month: what the ledger says, numbered without gaps."""

from datetime import UTC, date, datetime
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.urls import reverse

from marketplace import services
from marketplace.models import (
    CommissionInvoice,
    InvoiceSeries,
    LedgerEntry,
    SellerProfile,
    SellerStatement,
)
from marketplace.services import statements
from marketplace.statement_pdf import invoice_pdf, statement_pdf
from marketplace.tests import factories
from systemadmin.foundation.testing import problem, run_threads
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory

MARCH = date(2025, 3, 1)


def at(text):
    return time_machine.travel(datetime.fromisoformat(text).replace(tzinfo=UTC), tick=False)


def root():
    return factories.root()


@pytest.fixture
def market(db):
    """March: two sales of 100.00 and 50.00 of one seller, refunds before and after completion."""
    factories.rule(ppm=100_000, tax_ppm=210_000)
    seller = UserFactory(country="ES", language="es")
    product = factories.approved(seller, price=100_00)
    with at("2025-02-20T12:00"):
        factories.completed(product)
    with at("2025-03-05T12:00"):
        early = factories.paid(product)
        services.refund_order(actor=None, order=early, amount=20_00)
        services.complete_order(actor=root(), order=early)
    with at("2025-03-10T12:00"):
        late = factories.completed(factories.approved(seller, price=50_00))
        services.refund_order(actor=None, order=late, amount=10_00)
        payout = services.create_payout(actor=root(), seller=seller, currency="EUR")
        services.pay_payout(actor=root(), payout=payout)
    with at("2025-04-02T12:00"):
        services.refund_order(actor=None, order=late, amount=5_00)
    return seller


def close(*months):
    for month in months:
        services.close_month(actor=root(), month=month)
        services.make_statements(actor=root(), month=month)


@pytest.mark.django_db
@pytest.mark.usefixtures("books")
def test_a_statement_is_the_balance_and_its_movements(market):
    close(date(2025, 2, 1), MARCH)
    february, march = SellerStatement.objects.order_by("month")
    assert (february.opening, february.closing) == (0, 87_90)
    assert march.opening == february.closing
    assert march.closing == march.opening + sum(march.movements.values()) == 0
    assert march.movements == {
        "completion": 80_00 - 9_68 + 50_00 - 6_05,
        "refund": -(10_00 - 1_21),
        "payout": -(87_90 + 70_32 + 43_95 - 8_79),
    }


@pytest.mark.django_db
@pytest.mark.usefixtures("books")
def test_an_invoice_is_what_the_ledger_earned_in_the_month(market):
    close(date(2025, 2, 1), MARCH, date(2025, 4, 1))
    invoices = list(CommissionInvoice.objects.order_by("month"))
    assert [(one.net, one.tax, one.total) for one in invoices] == [
        (10_00, 2_10, 12_10),
        (8_00 + 5_00 - 1_00, 2_52, 14_52),
        (-50, -11, -61),
    ]
    assert invoices[1].content["lines"] == {
        "charged": 13_00, "returned": -1_00, "payouts": 0, "credited": 0,
    }  # fmt: skip
    for code, name in (("revenue", "net"), ("tax", "tax")):
        booked = LedgerEntry.objects.filter(account__code=code).values_list("amount", flat=True)
        assert sum(getattr(one, name) for one in invoices) == -sum(booked)
    assert [one.number for one in invoices] == [1, 2, 3]


@pytest.mark.django_db
@pytest.mark.usefixtures("books")
def test_fees_that_buyers_pay_are_no_business_of_the_sellers(db):
    fee = services.create_fee(actor=root(), code="service", name="Service", payer="buyer")
    factories.rule(fee=fee, ppm=50_000)
    factories.rule(ppm=100_000)
    with at("2025-03-10T12:00"):
        factories.completed(factories.approved(price=100_00))
    close(MARCH)
    assert CommissionInvoice.objects.get().net == 10_00
    revenue = LedgerEntry.objects.filter(account__code="revenue")
    assert -sum(revenue.values_list("amount", flat=True)) == 15_00


def test_only_a_closed_month_and_each_once(market, as_user, staff):
    operator = as_user(staff("operator"))
    url = "/api/admin/seller-statements"
    problem(operator.post(url, {"month": "2025-03"}), 409, "month_not_closed")
    services.close_month(actor=root(), month=MARCH)
    assert operator.post(url, {"month": "2025-03"}).json() == {"statements": 1, "invoices": 1}
    assert operator.post(url, {"month": "2025-03"}).json() == {"statements": 0, "invoices": 0}
    rows = operator.get(f"{url}?month=2025-03-01").json()["results"]
    assert [row["month"] for row in rows] == ["2025-03"]
    assert operator.get("/api/admin/commission-invoices").json()["results"][0]["total"] == 14_52


def test_sellers_read_their_own(market, as_user):
    close(MARCH)
    client, other = as_user(market), as_user(UserFactory())
    for kind, model in (("statements", SellerStatement), ("invoices", CommissionInvoice)):
        pk = model.objects.get().pk
        assert [row["id"] for row in client.get(f"/api/seller/{kind}").json()["results"]] == [pk]
        assert client.get(f"/api/seller/{kind}/{pk}/pdf").content.startswith(b"%PDF")
        problem(other.get(f"/api/seller/{kind}/{pk}"), 404)
        problem(other.get(f"/api/seller/{kind}/{pk}/pdf"), 404)


def test_an_invoice_keeps_what_was_true_and_its_pdf_never_changes(market):
    change_settings(actor=None, values={"marketplace.platform_legal_name": "Atalaya S.L."})
    services.save_seller_profile(actor=root(), seller=market, legal_name="Żółć Ñandú")
    close(MARCH)
    invoice = CommissionInvoice.objects.get()
    first = invoice_pdf(invoice)
    services.save_seller_profile(actor=root(), seller=market, legal_name="Other")
    assert invoice.content["recipient"]["name"] == "Żółć Ñandú"
    assert invoice_pdf(CommissionInvoice.objects.get()) == first
    statement = SellerStatement.objects.get()
    assert statement_pdf(statement) == statement_pdf(statement)


def test_reverse_charge_is_said(market):
    services.create_fee_tax_rate(actor=root(), country="ES", is_reverse_charge=True)
    factories.CommissionRule.objects.update(tax_ppm=0)
    with at("2025-03-20T12:00"):
        factories.completed(factories.approved(UserFactory(country="ES"), price=10_00))
    close(MARCH)
    assert sorted(CommissionInvoice.objects.values_list("tax", "is_reverse_charge")) == [
        (0, True),
        (2_52, False),
    ]


def test_a_gap_in_the_numbers_is_a_fault(market):
    close(MARCH)
    InvoiceSeries.objects.update(last_number=2)
    assert "gaps" in services.check_ledger()[0]


def test_a_failure_gives_its_numbers_back(market, monkeypatch):
    services.close_month(actor=root(), month=MARCH)
    with monkeypatch.context() as patch:
        patch.setattr(statements, "_is_reverse_charge", lambda *args: 1 / 0)
        patch.setattr(statements, "_invoice", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            services.make_statements(actor=root(), month=MARCH)
    assert services.make_statements(actor=root(), month=MARCH)["invoices"] == 1
    assert CommissionInvoice.objects.get().number == 1


def test_the_command_and_the_pages(market, admin_client_for, superuser):
    with pytest.raises(CommandError, match="Close the month"):
        call_command("make_statements", "2025-03")
    services.close_month(actor=root(), month=MARCH)
    out = StringIO()
    call_command("make_statements", "2025-03", stdout=out)
    assert out.getvalue() == "1 statements, 1 invoices.\n"
    client = admin_client_for(superuser)
    for model in ("sellerstatement", "commissioninvoice"):
        page = client.get(reverse(f"admin:marketplace_{model}_changelist"))
        assert b"/pdf/" in page.content
        pk = {"sellerstatement": SellerStatement, "commissioninvoice": CommissionInvoice}[model]
        file = client.get(reverse(f"admin:marketplace_{model}_pdf", args=[pk.objects.get().pk]))
        assert file.content.startswith(b"%PDF")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ledger_db")
def test_two_runs_at_once_number_each_invoice_once():
    factories.rule(ppm=100_000)
    with at("2025-03-10T12:00"):
        for _ in range(6):
            factories.completed(factories.approved(price=100_00))
    services.close_month(actor=root(), month=MARCH)
    actor = root()
    made = run_threads(lambda _n: services.make_statements(actor=actor, month=MARCH), 4)
    assert sum(one["invoices"] for one in made) == 6
    numbers = CommissionInvoice.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3, 4, 5, 6]
    assert SellerStatement.objects.count() == 6
    assert SellerProfile.objects.count() == 0
    CommissionInvoice.objects.all().delete()
    SellerStatement.objects.all().delete()
