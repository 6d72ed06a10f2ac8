"""The ways of money in a real browser: fees, entries, bank, payouts and the end of a month.

Each as somebody who sees the page for the first time: by the labels that are shown, at two widths.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from django.core.management import call_command
from django.urls import reverse

from config.tests.browser import show
from marketplace import services as market
from marketplace.models import (
    BankLine,
    CommissionFee,
    JournalEntry,
    LedgerEntry,
    Payout,
    SellerStatement,
)
from marketplace.services import clock
from marketplace.services.ledger import seller_balances
from marketplace.tests import factories as shop
from systemadmin.services import change_settings
from systemadmin.tests.factories import StaffFactory

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
IBAN, OTHER_IBAN = "ES9121000418450200051332", "DE89370400440532013000"
WIDTHS = pytest.mark.parametrize(
    ("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")]
)


@pytest.fixture
def olga(page, sign_in, transactional_db):
    """The operator, signed in, with the fees and the payer of a made-up place."""
    call_command("setup", verbosity=0)
    change_settings(
        actor=None,
        values={
            "marketplace.platform_legal_name": "Atalaya Plaza S.L.",
            "marketplace.platform_iban": IBAN,
        },
    )
    shop.rule(ppm=100_000)
    olga = StaffFactory(username="olga", role="operator")
    sign_in(olga)
    return olga


def seller_with(amount, name="Ana Ruiz S.L."):
    seller = shop.completed(shop.approved(price=amount)).seller
    market.save_seller_profile(
        actor=shop.root(), seller=seller, legal_name=name, country="DE", iban=OTHER_IBAN
    )
    return seller


def to(page, model):
    assert page.goto(reverse(f"admin:marketplace_{model}_changelist")).status == 200


def follow(page, name):
    with page.expect_navigation():
        page.get_by_role("link", name=name, exact=True).first.click()


def press(page, name):
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def act(page, action):
    """Choose the first row and an action for it."""
    page.locator("input.action-select").first.check()
    page.get_by_label("Action:").select_option(label=action)
    press(page, "Go")


def done(page):
    page.locator(".messagelist .success").wait_for()


def faults(page, label):
    """Return what is said at the field of a label."""
    row = page.locator(".form-row", has=page.get_by_label(label, exact=True))
    return row.locator(".errorlist").inner_text()


@WIDTHS
def test_a_payout_batch_is_made_downloaded_and_paid(page, olga, look, width, height, scheme):
    show(page, width, height, scheme)
    for _ in range(2):
        market.create_payout(actor=None, seller=seller_with(50_00), currency="EUR")
    to(page, "payoutbatch")
    follow(page, "Add payout batch")
    assert "EUR: 2 payouts, 90.00 EUR" in page.get_by_label("Currency:").inner_text()
    page.get_by_label("Day of execution:").fill("2020-01-01")
    press(page, "Save")
    look("batch-past")
    assert faults(page, "Day of execution:")
    page.get_by_label("Day of execution:").fill(clock.today().isoformat())
    press(page, "Save")
    done(page)
    look("batch-made")
    with page.expect_download() as download:
        page.get_by_role("link", name="pain.001").click()
    assert b"<InstdAmt" in Path(download.value.path()).read_bytes()
    act(page, "The bank carried it out")
    look("batch-ask")
    page.get_by_text("Becomes paid: EUR: 2 payouts, 90.00 EUR").wait_for()
    assert set(Payout.objects.values_list("status", flat=True)) == {"pending"}
    press(page, "The bank carried it out")
    done(page)
    assert set(Payout.objects.values_list("status", flat=True)) == {"paid"}


@WIDTHS
def test_a_fee_schedule_is_written_without_json(page, olga, look, width, height, scheme):
    show(page, width, height, scheme)
    to(page, "commissionfee")
    follow(page, "Add fee")
    page.get_by_label("Name:").press_sequentially("Listing fee")
    look("fee-add")
    press(page, "Save")
    done(page)
    fee = CommissionFee.objects.get(name="Listing fee")
    assert fee.code == "listing-fee"
    to(page, "commissionrule")
    follow(page, "Add commission rule")
    page.get_by_label("Name:", exact=True).fill("Twenty cents each")
    look("rule-add")
    press(page, "Save")
    assert "required" in faults(page, "Fee:")
    page.get_by_label("Fee:", exact=True).select_option(label="Listing fee")
    page.get_by_label("Applies to everything").check()
    page.get_by_label("Currency:", exact=True).fill("EUR")
    page.get_by_label("Fixed amount:", exact=True).fill("0.20")
    look("rule-filled")
    press(page, "Save")
    look("rule-made")
    done(page)
    assert fee.rules.get().fixed == 20


@WIDTHS
def test_a_journal_entry_is_typed_in_euros(page, olga, look, width, height, scheme):
    show(page, width, height, scheme)
    seller = seller_with(50_00)
    to(page, "journalentry")
    follow(page, "Add journal entry")
    press(page, "Save")
    look("entry-empty")
    assert "amount or the lines" in faults(page, "Amount:")
    assert page.get_by_label("Currency:").input_value() == "EUR"
    page.get_by_label("Kind:").select_option("credit")
    page.get_by_label("Amount:").fill("2.58")
    page.get_by_label("Reason:").fill("The parcel came late.")
    press(page, "Save")
    look("entry-seller")
    assert "seller" in faults(page, "Seller:")
    page.locator(".field-seller .select2-selection").click()
    page.locator(".select2-search--dropdown input").press_sequentially(seller.username)
    page.locator(".select2-results__option", has_text=seller.username).click()
    look("entry-filled")
    press(page, "Save")
    done(page)
    look("entry-posted")
    assert seller_balances(seller.pk)[0]["available"] == 45_00 + 2_58
    act(page, "Reverse")
    page.get_by_label("Reason:").fill("Booked twice")
    look("entry-reverse")
    press(page, "Reverse")
    done(page)
    assert seller_balances(seller.pk)[0]["available"] == 45_00
    assert JournalEntry.objects.count() == 2


@WIDTHS
def test_a_bank_statement_is_reconciled(page, olga, look, width, height, scheme):
    show(page, width, height, scheme)
    seller_with(50_00)
    seller_with(50_00)
    rows = f"date,amount,reference,counterparty,id\n{clock.today()},50.00,sale,Bank,1\n"
    file = {"name": "october.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    to(page, "bankstatement")
    follow(page, "Add bank statement")
    page.get_by_label("File:").set_input_files(file)
    press(page, "Save")
    look("statement-refused")
    assert "Choose the file again" in faults(page, "File:")
    page.get_by_label("File:").set_input_files(file)
    page.get_by_label("Format:").select_option("csv")
    page.get_by_label("Account:").select_option("cash")
    press(page, "Save")
    done(page)
    page.locator("#result_list tbody th a").first.click()
    page.get_by_text("Lines without an entry").wait_for()
    look("statement-standing")
    follow(page, "Lines without an entry")
    act(page, "Match by hand")
    look("line-match")
    entry = LedgerEntry.objects.filter(account__code="cash", amount=50_00).latest("pk")
    page.get_by_text(f"Open entries of this amount: {entry.pk} (").wait_for()
    page.get_by_label("Ledger entries:").fill(str(entry.pk))
    press(page, "Match by hand")
    done(page)
    assert BankLine.objects.get().matches.get().entry_id == entry.pk


@WIDTHS
def test_a_month_is_closed_to_the_end(page, olga, look, width, height, scheme):
    show(page, width, height, scheme)
    with time_machine.travel(datetime(2025, 3, 10, 12, tzinfo=UTC), tick=False):
        seller_with(100_00)
    to(page, "closedmonth")
    follow(page, "Add closed month")
    page.get_by_label("Month:").fill("2025-03")
    look("month-add")
    page.get_by_label("Close it for good").check()
    press(page, "Close the month")
    done(page)
    look("month-closed")
    act(page, "Make statements and invoices")
    done(page)
    to(page, "sellerstatement")
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_load_state()
    look("month-statement")
    assert SellerStatement.objects.count() == 1
