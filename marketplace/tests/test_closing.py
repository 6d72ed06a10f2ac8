"""Closed months: in order, only while sound, and what comes later counts when it comes."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO
from threading import Event, Thread

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from marketplace import errors, services
from marketplace.models import (
    ClosedMonth,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
)
from marketplace.services import ledger
from marketplace.tests import factories
from systemadmin.foundation.testing import problem, run_threads
from systemadmin.models import AuditEntry
from systemadmin.services.configuration import change_settings
from systemadmin.tests.factories import UserFactory

URL = "/api/admin/closed-months"
MARCH, APRIL = date(2025, 3, 1), date(2025, 4, 1)


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def sold_at(text, price=100_00):
    with time_machine.travel(datetime.fromisoformat(text).replace(tzinfo=UTC), tick=False):
        return factories.completed(factories.approved(price=price))


@pytest.fixture
def march(db):
    factories.rule(ppm=100_000)
    return sold_at("2025-03-10T12:00")


def close(month=MARCH):
    return services.close_month(actor=factories.root(), month=month)


def test_what_comes_later_counts_now_and_says_where_it_belongs(march):
    closed = close()
    with time_machine.travel(datetime(2025, 4, 2, tzinfo=UTC), tick=False):
        services.refund_order(actor=None, order=march, amount=10_00)
    legs = [ledger.Leg("cash", 5), ledger.Leg("revenue", -5)]
    late = ledger.post(
        key="late", kind="reversal", currency="EUR", legs=legs, at=datetime(2025, 3, 31, tzinfo=UTC)
    )
    assert (late.posted_at.year, late.belongs_to) == (timezone.now().year, MARCH)
    assert services.check_ledger() == []
    assert closed.totals["EUR"]["cash"] == 100_00


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ledger_db")
def test_the_database_refuses_what_would_be_booked_in_it():
    factories.rule(ppm=100_000)
    sold_at("2025-03-10T12:00")
    close()
    copy = LedgerTransaction.objects.first()
    entries = list(copy.entries.all())
    for entry in entries:
        entry.pk, entry.transaction_id = None, copy.pk + 1000
    sly = LedgerTransaction(
        pk=copy.pk + 1000, key="sly", kind="payment", posted_at=datetime(2025, 3, 9, tzinfo=UTC)
    )
    with transaction.atomic():
        LedgerEntry.objects.bulk_create(entries)
        with pytest.raises(IntegrityError, match="month is closed"), transaction.atomic():
            sly.save(force_insert=True)
        transaction.set_rollback(True)


def test_months_close_in_order_and_only_when_over(operator, march):
    assert operator.post(URL, {"month": "2025-03", "note": "x"}).json()["month"] == "2025-03"
    problem(operator.post(URL, {"month": "2025-03"}), 409, "month_out_of_order")
    refused = problem(operator.post(URL, {"month": "2025-05"}), 409, "month_out_of_order")
    assert refused["next"] == "2025-04"
    assert operator.post(URL, {"month": "2025-04"}).status_code == 201
    now = f"{timezone.now():%Y-%m}"
    problem(operator.post(URL, {"month": now}), 409, "month_not_over")
    for wrong in ("2025-13", "March", "2025-3", 7, None):
        problem(operator.post(URL, {"month": wrong}), 400, field="month")
    assert [row["month"] for row in operator.get(URL).json()["results"]] == ["2025-04", "2025-03"]


def test_an_unsound_ledger_is_not_closed(operator, march):
    LedgerAccount.objects.filter(code="seller_payable").update(balance=1)
    refused = problem(operator.post(URL, {"month": "2025-03"}), 409, "books_not_sound")
    assert "account" in refused["faults"][0]
    assert not ClosedMonth.objects.exists()
    err = StringIO()
    with pytest.raises(CommandError):
        call_command("close_month", "2025-03", stderr=err)
    assert "account" in err.getvalue()


def test_reopening_is_for_whom_it_is_allowed_and_on_record(operator, as_user, superuser, march):
    first, second = close(), close(APRIL)
    path = f"{URL}/{second.pk}/reopen"
    problem(operator.post(path, {"reason": "x"}), 403)
    root = as_user(superuser)
    problem(root.post(path, {"reason": " "}), 400, field="reason")
    early = root.post(f"{URL}/{first.pk}/reopen", {"reason": "x"})
    problem(early, 409, "month_out_of_order")
    assert root.post(path, {"reason": "A fee is missing"}).status_code == 200
    problem(root.post(path, {"reason": "again"}), 409)
    entry = AuditEntry.objects.get(action="marketplace.month.reopened")
    assert entry.reason == "A fee is missing"
    again = close(APRIL)
    assert again.pk != second.pk


def test_a_changed_closed_month_is_a_fault(march):
    closed = close()
    ClosedMonth.objects.filter(pk=closed.pk).update(totals={})
    assert services.check_ledger() == ["month 2025-03: its turnover is not what it was closed with"]


def test_the_command(march):
    out = StringIO()
    call_command("close_month", "2025-03", note="Done", stdout=out)
    call_command("close_month", "2025-03", reopen="A fee is missing", stdout=out)
    assert out.getvalue() == "2025-03 is closed.\n2025-03 is open again.\n"
    with pytest.raises(CommandError, match="not closed"):
        call_command("close_month", "2025-03", reopen="x")
    with pytest.raises(CommandError, match="2026-06"):
        call_command("close_month", "03/2025")


def test_the_page_closes_and_opens(admin_client_for, superuser, march):
    client = admin_client_for(superuser)
    add = reverse("admin:marketplace_closedmonth_add")
    sure = {"is_sure": "on"}
    early = client.post(add, {"month": f"{timezone.now():%Y-%m}", **sure})
    assert b"is not over" in early.content
    unsure = client.post(add, {"month": "2025-03", "note": "x"})
    assert unsure.context["adminform"].form.errors.keys() == {"is_sure"}
    assert client.post(add, {"month": "2025-03", "note": "x", **sure}).status_code == 302
    closed = ClosedMonth.objects.get()
    # The next one is suggested.
    assert 'value="2025-04"' in client.get(add).content.decode()
    page = reverse("admin:marketplace_closedmonth_changelist")
    chosen = {"action": "reopen", "_selected_action": closed.pk, "apply": "1", "reason": "y"}
    client.post(page, chosen)
    closed.refresh_from_db()
    assert closed.reopen_reason == "y"


def test_a_month_ends_where_the_place_is(march):
    change_settings(actor=factories.root(), values={"marketplace.time_zone": "Europe/Madrid"})
    sold_at("2025-03-31T22:30", price=7_00)
    closed = close()
    assert closed.end_at == datetime(2025, 3, 31, 22, 0, tzinfo=UTC)
    assert closed.totals["EUR"]["cash"] == 100_00


def test_month_quarter_and_year_equal_the_ledger(operator, march):
    for text in ("2025-01-31T23:59", "2025-04-01T00:00", "2025-11-05T08:00", "2024-12-31T23:59"):
        services.refund_order(actor=None, order=sold_at(text, 333_33), amount=11_11)
    for granularity in ("month", "quarter", "year"):
        query = f"from=2024-01-01&granularity={granularity}"
        for url, account, kinds in (
            ("commissions", "revenue", None),
            ("sales", "cash", ["payment", "refund"]),
        ):
            rows = operator.get(f"/api/admin/{url}?{query}").json()["results"]
            entries = LedgerEntry.objects.filter(account__code=account)
            if kinds:
                entries = entries.filter(transaction__kind__in=kinds)
            booked = sum(entries.values_list("amount", flat=True))
            assert sum(row["net"] for row in rows) == (booked if kinds else -booked)
    rows = operator.get("/api/admin/ledger/balances?from=2025-01-01&to=2025-04-01").json()[
        "results"
    ]
    for column in ("opening", "debit", "credit", "closing"):
        values = [row[column] for row in rows]
        if column in ("opening", "closing"):
            assert sum(values) == 0
    cash = next(row for row in rows if row["account"] == "cash")
    assert (cash["opening"], cash["debit"]) == (333_33, 433_33)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ledger_db")
def test_closing_waits_for_a_posting_under_way():
    factories.rule(ppm=100_000)
    order = factories.order()
    holds, lets_go = Event(), Event()

    def pay():
        # A posting that began before the end of the month and commits after it.
        with transaction.atomic():
            with time_machine.travel(datetime(2025, 3, 31, 23, 59, tzinfo=UTC), tick=False):
                services.pay_order(actor=None, order=order)
            holds.set()
            lets_go.wait(10)
        connection.close()

    payer = Thread(target=pay)
    payer.start()
    assert holds.wait(10)
    found = {}

    def shut():
        found["closed"] = close()
        connection.close()

    closer = Thread(target=shut)
    closer.start()
    closer.join(0.5)
    assert closer.is_alive()
    lets_go.set()
    payer.join(10)
    closer.join(20)
    assert found["closed"].totals == {"EUR": {"buyer_funds": -20_00, "cash": 20_00}}
    assert services.check_ledger() == []
    with pytest.raises(errors.MonthOutOfOrder):
        close()
    assert timedelta(0) < timezone.now() - found["closed"].end_at


def import_of_march(number, product, buyer):
    """Return an order of March as a platform reports it afterwards."""
    return {
        "external_id": f"march-{number}",
        "buyer": buyer.pk,
        "currency": "EUR",
        "ordered_at": "2025-03-20T10:00:00Z",
        "lines": [{"product": product.pk, "quantity": 1, "unit_price": 50_00}],
        "payment": {"reference": f"pi-{number}", "paid_at": "2025-03-20T10:05:00Z"},
    }


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ledger_db")
def test_closings_refunds_and_late_orders_at_once_leave_one_closed_month_that_adds_up():
    factories.rule(ppm=100_000)
    orders = [sold_at("2025-03-10T12:00") for _ in range(4)]
    root, product, buyer = factories.root(), factories.approved(stock=None), UserFactory()

    def step(number):
        if number < 4:
            return services.close_month(actor=root, month=MARCH)
        if number < 12:
            # Each order twice at once.
            return services.refund_order(actor=None, order=orders[number % 4], amount=60_00)
        return services.import_order(actor=None, row=import_of_march(number, product, buyer))[0]

    results = run_threads(step, 16)
    closed = [one for one in results[:4] if isinstance(one, ClosedMonth)]
    assert len(closed) == 1
    assert [type(one) for one in results[:4]].count(errors.MonthOutOfOrder) == 3
    refused = [one for one in results[4:12] if isinstance(one, errors.RefundTooHigh)]
    assert len(refused) == 4
    assert not [one for one in results[4:] if isinstance(one, Exception) and one not in refused]
    assert ClosedMonth.objects.get().totals == closed[0].totals
    # An order of March is in the turnover of March, or counts later and says where it belongs.
    payments = LedgerTransaction.objects.filter(order__external_id__startswith="march-")
    late = payments.filter(belongs_to=MARCH, posted_at__gte=closed[0].end_at).count()
    inside = payments.filter(belongs_to=None, posted_at__lt=closed[0].end_at).count()
    assert late + inside == 4
    assert closed[0].totals["EUR"]["cash"] == 400_00 + inside * 50_00
    assert services.check_ledger() == []
