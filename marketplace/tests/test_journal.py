"""Entries by hand: balanced, explained, reversed, and never past what a seller owes."""

from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marketplace import errors, services
from marketplace.journal_templates import NEEDS_SELLER, TEMPLATES
from marketplace.models import JournalEntry, LedgerEntry, LedgerTransaction
from marketplace.services import clock
from marketplace.services.ledger import seller_balances
from marketplace.tests import factories
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import AuditEntry
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]
URL = "/api/admin/journal"


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


@pytest.fixture
def seller(db):
    """Has 90.00 EUR."""
    factories.rule(ppm=100_000)
    return factories.completed(factories.approved(price=100_00)).seller


def have(seller):
    balance = seller_balances(seller.pk)[0]
    return balance["available"], balance["owed"]


def booked(code):
    return sum(LedgerEntry.objects.filter(account__code=code).values_list("amount", flat=True))


def usual(kind, amount, seller=None, fee=0, **values):
    lines = services.usual_lines(kind=kind, amount=amount, seller=seller, fee=fee)
    return services.post_journal_entry(
        actor=factories.root(), kind=kind, currency="EUR", lines=lines, reason="Test", **values
    )


def test_a_dispute_fee_is_the_platforms_or_the_sellers(seller):
    usual("dispute_fee", 15_00)
    assert (booked("dispute_fees"), have(seller)) == (15_00, (90_00, 0))
    usual("dispute_fee", 100_00, seller)
    assert have(seller) == (0, 10_00)
    assert booked("cash") == 100_00 - 115_00


def test_a_credit_pays_debts_first_and_a_write_off_ends_them(seller):
    usual("goodwill_seller", 100_00, seller)
    usual("credit", 4_00, seller)
    assert have(seller) == (0, 6_00)
    with pytest.raises(errors.NotOwed):
        usual("write_off", 6_01, seller)
    usual("write_off", 6_00, seller)
    assert have(seller) == (0, 0)


def test_a_settlement_moves_cash_to_the_bank_less_what_was_kept():
    usual("settlement", 100_00, fee=1_50)
    assert (booked("bank"), booked("processing"), booked("cash")) == (98_50, 1_50, -100_00)


def test_a_reversal_is_the_opposite_and_comes_once(operator, seller):
    entry = usual("goodwill_platform", 5_00, seller)
    assert have(seller) == (95_00, 0)
    services.create_payout(actor=factories.root(), seller=seller, currency="EUR")
    path = f"{URL}/{entry.pk}/reverse"
    made = operator.post(path, {"reason": "Wrong seller"})
    assert (made.status_code, made.json()["reverses"]) == (201, entry.pk)
    assert have(seller) == (0, 5_00)
    problem(operator.post(path, {"reason": "Again"}), 409, "entry_reversed")
    back = made.json()["id"]
    problem(operator.post(f"{URL}/{back}/reverse", {"reason": "x"}), 409, "entry_reversed")
    assert operator.get(f"{URL}/{entry.pk}").json()["reversed_by"] == back


def test_over_http(operator, seller):
    body = {
        "kind": "other",
        "currency": "EUR",
        "reason": "Bank charges of October",
        "lines": [{"account": "processing", "amount": 7_00}, {"account": "bank", "amount": -7_00}],
    }
    made = operator.post(URL, body)
    assert made.status_code == 201, made.json()
    assert made.json()["lines"] == [
        {"account": "processing", "seller": None, "amount": 7_00},
        {"account": "bank", "seller": None, "amount": -7_00},
    ]
    entry = JournalEntry.objects.get()
    found = LedgerTransaction.objects.get(journal_entry=entry)
    assert (found.kind, found.key) == ("journal", f"journal:{entry.pk}")
    record = AuditEntry.objects.get(action="marketplace.journal.posted")
    assert record.reason == "Bank charges of October"
    one, two = body["lines"]
    for wrong, field in (
        ({"lines": [one]}, "lines"),
        ({"lines": [one, {**two, "amount": -6_99}]}, "lines"),
        ({"lines": [one, {**two, "account": "buyer_funds"}]}, None),
        ({"lines": [{**one, "seller": seller.pk}, two]}, "lines"),
        ({"lines": [{"account": "seller", "amount": 7_00}, two]}, "lines"),
        ({"lines": [{**one, "amount": 10**15}, {**two, "amount": -(10**15)}]}, "lines"),
        ({"amount": 5}, "lines"),
        ({"lines": [], "amount": 5}, "kind"),
        ({"kind": "credit", "lines": [], "amount": 5}, "seller"),
        ({"kind": "bribe"}, "kind"),
        ({"currency": "XXX"}, "currency"),
        ({"reason": " \u200b "}, "reason"),
        ({"booked_on": (clock.today() + timedelta(days=1)).isoformat()}, "booked_on"),
        ({"booked_on": "0001-01-01"}, "booked_on"),
    ):
        problem(operator.post(URL, {**body, **wrong}), 400, field=field)
    assert JournalEntry.objects.count() == 1
    assert len(operator.get(f"{URL}?kind=other").json()["results"]) == 1
    assert operator.get(f"{URL}?kind=credit").json()["results"] == []


def test_a_receipt_is_attached_and_read_back(operator):
    file = SimpleUploadedFile("receipt.pdf", b"%PDF-1.4 x", content_type="application/pdf")
    body = {
        "kind": "dispute_fee",
        "currency": "EUR",
        "reason": "x",
        "amount": 5,
        "attachment": file,
    }
    made = operator.post(URL, body, format="multipart")
    assert made.status_code == 201, made.json()
    read = operator.get(f"{URL}/{made.json()['id']}/attachment")
    assert b"".join(read.streaming_content) == b"%PDF-1.4 x"
    bare = usual("dispute_fee", 5)
    problem(operator.get(f"{URL}/{bare.pk}/attachment"), 404)


def test_a_day_in_a_closed_month_counts_now_and_says_so(seller):
    past = date(2025, 3, 31)
    open_yet = usual("dispute_fee", 1_00, booked_on=past)
    first = LedgerTransaction.objects.get(journal_entry=open_yet)
    assert (first.posted_at.date(), first.belongs_to) == (past, None)
    services.close_month(actor=factories.root(), month=past)
    late = LedgerTransaction.objects.get(journal_entry=usual("dispute_fee", 2_00, booked_on=past))
    assert (late.posted_at.date(), late.belongs_to) == (clock.today(), date(2025, 3, 1))


def test_a_credit_is_in_the_report_of_commissions(operator, seller):
    usual("credit", 4_00, seller)
    usual("tax_remitted", 1_00)
    rows = operator.get("/api/admin/commissions?group_by=seller").json()["results"]
    assert [(row["seller"], row["net"], row["tax"]) for row in rows] == [(seller.pk, 6_00, 0)]
    assert -booked("revenue") == 6_00


def test_the_page_takes_major_units(admin_client_for, superuser, seller):
    client = admin_client_for(superuser)
    add = reverse("admin:marketplace_journalentry_add")
    asked = client.get(add).content.decode()
    assert "line_1_debit" in asked
    assert f'value="{clock.today().isoformat()}"' in asked
    base = {"currency": "EUR", "booked_on": clock.today().isoformat(), "reason": "Sorry"}
    done = client.post(
        add, {**base, "kind": "goodwill_platform", "amount": "258", "seller": seller.pk}
    )
    assert done.status_code == 302, done.context["adminform"].form.errors
    assert have(seller) == (90_00 + 258_00, 0)
    lines = {
        "line_1_account": "suspense",
        "line_1_debit": "1.50",
        "line_2_account": "cash",
        "line_2_credit": "1.50",
    }
    assert client.post(add, {**base, "kind": "other", **lines}).status_code == 302
    assert booked("suspense") == 1_50
    for wrong in (
        {"kind": "other"},
        {"kind": "other", "amount": "5"},
        {"kind": "credit", "amount": "5"},
        {"kind": "dispute_fee", "amount": "0.001"},
        {"kind": "other", **lines, "amount": "5"},
        {"kind": "other", **lines, "line_2_credit": "1.49"},
        {"kind": "other", **lines, "line_2_account": ""},
        {"kind": "other", **lines, "line_2_account": "seller"},
    ):
        again = client.post(add, {**base, **wrong})
        assert again.context["adminform"].form.errors, wrong
    # All that is missing is said at once.
    empty = client.post(add, {}).context["adminform"].form.errors
    assert {"kind", "currency", "amount", "reason"} <= empty.keys()
    assert 'name="currency" value="EUR"' in client.get(add).content.decode()
    assert JournalEntry.objects.count() == 2
    entry = JournalEntry.objects.earliest("pk")
    shown = client.get(reverse("admin:marketplace_journalentry_change", args=[entry.pk]))
    assert b"258.00" in shown.content
    page = reverse("admin:marketplace_journalentry_changelist")
    chosen = {"action": "reverse", "_selected_action": entry.pk, "apply": "1", "reason": "No"}
    client.post(page, chosen)
    assert have(seller) == (90_00, 0)


def test_the_list_costs_the_same_for_ten(operator):
    usual("dispute_fee", 1)
    assert_constant_queries(
        lambda: operator.get(URL), lambda: [usual("dispute_fee", 1) for _ in range(9)]
    )


def test_the_ledger_keeps_its_triggers_through_the_migrations(db):
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if connection.vendor == "postgresql":
        query = "SELECT tgname FROM pg_trigger"
    with connection.cursor() as cursor:
        cursor.execute(query)
        names = {name for (name,) in cursor.fetchall()}
    assert {"mp_ledger_tx_balanced", "mp_ledger_entry_open", "mp_ledger_tx_month"} <= names
    assert names & {"mp_ledger_tx_keep", "mp_ledger_tx_update"}


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(TEMPLATES)), st.integers(1, 10**6), st.booleans()),
        max_size=6,
    )
)
def test_entries_of_any_kind_leave_the_books_sound(db, steps):
    someone = UserFactory()
    for kind, amount, is_about_seller in steps:
        owner = someone if is_about_seller or kind in NEEDS_SELLER else None
        try:
            entry = usual(kind, amount, owner, fee=amount // 3)
        except errors.NotOwed:
            continue
        if amount % 2:
            services.reverse_journal_entry(actor=factories.root(), entry=entry, reason="x")
        for row in seller_balances(someone.pk):
            assert row["available"] >= 0 <= row["owed"]
    assert services.check_ledger() == []
