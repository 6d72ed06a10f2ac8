"""Reports agree with the books; previews write nothing; each step reaches the risk engine."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from marketplace import account, services, stats, status, worklists
from marketplace.models import CommissionLine, LedgerEntry
from marketplace.tests import factories
from riskops.models import AccountEvent
from systemadmin.foundation.csv_export import csv_of_mappings
from systemadmin.foundation.testing import problem
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


@pytest.fixture
def trade(db):
    """Two sellers, two categories, two currencies, one refund."""
    factories.rule(ppm=100_000, tax_ppm=210_000)
    lamps, books = factories.category("Lamps"), factories.category("Books")
    one = factories.approved(category=lamps, price=100_00)
    two = factories.approved(category=books, price=50_00, currency="USD")
    order = factories.completed(one)
    factories.completed(one)
    factories.completed(two)
    services.refund_order(actor=None, order=order, amount=40_00)
    return one, two


def test_commissions_agree_with_the_ledger(operator, trade):
    one, two = trade
    rows = operator.get("/api/admin/commissions?group_by=seller,category").json()["results"]
    assert [
        (r["seller"], r["currency"], r["commission"], r["reversed"], r["net"]) for r in rows
    ] == [
        (one.seller_id, "EUR", 20_00, 4_00, 16_00),
        (two.seller_id, "USD", 5_00, 0, 5_00),
    ]
    assert rows[0]["tax"] == 4_20 - 84
    for code in ("EUR", "USD"):
        booked = LedgerEntry.objects.filter(account__code="revenue", currency=code)
        total = -sum(booked.values_list("amount", flat=True))
        assert total == sum(row["net"] for row in rows if row["currency"] == code)


def test_filters_and_csv(operator, trade):
    one, _two = trade
    url = "/api/admin/commissions"
    assert len(operator.get(f"{url}?category={one.category_id}").json()["results"]) == 1
    assert operator.get(f"{url}?currency=USD").json()["results"][0]["net"] == 5_00
    text = operator.get(f"{url}/export?group_by=seller").getvalue().decode()
    assert text.splitlines()[0].startswith("period,seller,seller_name")
    sales = operator.get("/api/admin/sales?granularity=day&tz=Europe/Madrid").json()["results"]
    assert [(r["currency"], r["orders"], r["gross"], r["net"]) for r in sales] == [
        ("EUR", 2, 200_00, 160_00),
        ("USD", 1, 50_00, 50_00),
    ]
    assert "gross" in operator.get("/api/admin/sales/export").getvalue().decode()
    for query in (
        "from=yesterday",
        "granularity=decade",
        "group_by=moon",
        "tz=Mars/Base",
        "seller=x",
        "colour=red",
        "from=2030-01-01&to=2020-01-01",
    ):
        problem(operator.get(f"{url}?{query}"), 400)


def sold_at(moment, price=100_00):
    with time_machine.travel(moment, tick=False):
        return factories.completed(factories.approved(price=price))


def test_bare_days_are_days_of_the_reports_time_zone(operator):
    factories.rule(ppm=100_000)
    for moment in (
        "2025-02-28T23:30Z",
        "2025-03-15T12:00Z",
        "2025-03-31T21:30Z",
        "2025-03-31T22:30Z",
    ):
        sold_at(datetime.fromisoformat(moment))
    period = "from=2025-03-01&to=2025-04-01&tz=Europe/Madrid"
    rows = operator.get(f"/api/admin/commissions?{period}").json()["results"]
    assert [(row["period"][:7], row["commission"]) for row in rows] == [("2025-03", 30_00)]
    sales = operator.get(f"/api/admin/sales?{period}").json()["results"]
    assert [(row["period"][:7], row["gross"]) for row in sales] == [("2025-03", 300_00)]
    text = operator.get(f"/api/admin/sales/export?{period}").getvalue().decode()
    assert "30000" in text
    year = operator.get("/api/admin/sales?from=2025-01-01&to=2026-01-01&granularity=year").json()
    assert [row["gross"] for row in year["results"]] == [400_00]


def test_a_refund_counts_in_its_own_month(operator):
    order = sold_at(datetime(2025, 3, 10, tzinfo=UTC), 300_00)
    months = "from=2025-03-01&to=2025-12-01"
    before = operator.get(f"/api/admin/sales?{months}").json()["results"]
    with time_machine.travel(datetime(2025, 11, 5, tzinfo=UTC), tick=False):
        services.refund_order(actor=None, order=order, amount=40_00)
    after = operator.get(f"/api/admin/sales?{months}").json()["results"]
    assert after[:1] == before
    assert [(row["period"][:7], row["gross"], row["refunded"]) for row in after] == [
        ("2025-03", 300_00, 0),
        ("2025-11", 0, 40_00),
    ]


def test_preview_writes_nothing(operator, trade):
    before = list(CommissionLine.objects.values_list("pk", "amount"))
    now = timezone.now()
    body = {
        "rules": [
            {"name": "All", "applies_to_all": True, "ppm": 50_000},
            {"name": "Never", "currency": "EUR", "ppm": 1},
        ],
        "start": (now - timedelta(days=1)).isoformat(),
        "end": (now + timedelta(days=1)).isoformat(),
    }
    shown = operator.post("/api/admin/commission-rules/preview", body).json()
    assert shown["currencies"] == [
        {"currency": "EUR", "lines": 2, "changed": 2, "before": 20_00, "after": 10_00},
        {"currency": "USD", "lines": 1, "changed": 1, "before": 5_00, "after": 2_50},
    ]
    assert [finding["rule"] for finding in shown["findings"]] == [2]
    assert list(CommissionLine.objects.values_list("pk", "amount")) == before
    problem(
        operator.post("/api/admin/commission-rules/preview", {**body, "end": body["start"]}), 400
    )


def test_rules_over_http(operator, trade):
    made = operator.post(
        "/api/admin/commission-rules",
        {"name": "EUR", "currency": "EUR", "ppm": 1, "position": 1},
    )
    assert (made.status_code, made.json()["position"]) == (201, 1), made.json()
    ids = [row["id"] for row in operator.get("/api/admin/commission-rules").json()["results"]]
    assert ids[0] == made.json()["id"]
    again = operator.post("/api/admin/commission-rules/reorder", {"order": ids[::-1]})
    assert [row["id"] for row in again.json()] == ids[::-1]
    lint = operator.get("/api/admin/commission-rules/lint").json()["findings"]
    assert [(f["rule"], f["shadowed_by"]) for f in lint] == [(ids[0], [ids[1]])]
    problem(operator.post("/api/admin/commission-rules/reorder", {"order": ids[:1]}), 400)
    url = f"/api/admin/commission-rules/{ids[0]}"
    stale = operator.patch(url, {"ppm": 2}, headers={"If-Match": '"9"'})
    problem(stale, 412)
    for wrong in (
        {"name": "x", "fixed": 5},
        {"name": "x", "tiers": [[0, 1]], "currency": ""},
        {"name": "x", "tiers": [[5, 1]], "currency": "EUR"},
        {"name": "x", "ppm": 1_000_001},
        {"name": "x", "currency": "EUR", "minimum": 5, "maximum": 4},
        {"name": "x", "kinds": ["animal"]},
    ):
        problem(operator.post("/api/admin/commission-rules", wrong), 400)
    problem(operator.delete(f"/api/admin/commission-rules/{ids[1]}"), 409, "rule_in_use")
    assert operator.delete(url).status_code == 204


def test_each_step_is_an_account_event(trade):
    order = factories.completed(trade[0])
    services.open_dispute(actor=order.buyer, order=order, reason="other", body="x")
    events = AccountEvent.objects.filter(external_id__startswith=f"order-{order.pk}-")
    assert {(e.account_id, e.get_kind_display(), e.amount) for e in events} == {
        (order.buyer_id, "Purchase", 100_00),
        (order.seller_id, "Sale", 100_00),
        (order.seller_id, "Dispute opened", 100_00),
    }


def test_figures_checks_panel_and_worklists(trade, superuser):
    now = timezone.now()
    period = (now - timedelta(days=1), now + timedelta(days=1))
    figures = {stat.code: stat.compute(*period) for stat in stats.STATS}
    assert figures["orders_paid"] == 3
    assert figures["commission"] == {"EUR": 16_00, "USD": 5_00}
    assert figures["turnover"] == {"EUR": 200_00, "USD": 50_00}
    series = stats.orders_paid_series(*period, "day", timezone.get_current_timezone())
    assert sum(count for _bucket, count in series) == 3
    assert status.check()["status"] == "ok"
    assert all(metric.read() >= 0 for metric in status.METRICS)
    labels = {str(label): value for label, value, _url in account.summary(trade[0].seller)}
    assert labels["Orders sold"] == 2
    assert account.summary(UserFactory())
    for worklist in worklists.WORKLISTS:
        assert worklist.count(superuser) == 0
        assert worklist.url().startswith(("/admin/marketplace/", "/admin/review/"))


def test_csv_holds_no_formula():
    rows = [{"a": "=1+1", "b": -5, "c": None}]
    assert "".join(csv_of_mappings(["a", "b", "c"], rows)) == "a,b,c\r\n'=1+1,-5,\r\n"
