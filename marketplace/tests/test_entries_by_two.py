"""Large entries by hand and payout batches wait for a second person, and lose nothing meanwhile."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from marketplace import services
from marketplace.models import JournalEntry, LedgerTransaction, Payout, PayoutBatch
from marketplace.tests import factories
from systemadmin.errors import RequestIsDecided
from systemadmin.foundation.files import PrivateStorage
from systemadmin.models import ApprovalRequest, AuditEntry
from systemadmin.services import approval_texts, approvals
from systemadmin.services.configuration import change_settings
from systemadmin.services.second_person import SecondPersonNeeded, without_second_person
from systemadmin.tests.factories import StaffFactory

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.two_people,
    pytest.mark.usefixtures("books"),
]
URL = "/api/admin/journal"
RECEIPT = b"%PDF-1.4 the bank's letter"
LARGE = {
    "kind": "dispute_fee",
    "currency": "EUR",
    "reason": "Fees of the year",
    "amount": 2_000_00,
    "booked_on": "2026-01-31",
}


@pytest.fixture(autouse=True)
def roles(db):
    call_command("setup", verbosity=0)


@pytest.fixture
def asker():
    return StaffFactory(role="operator")


@pytest.fixture
def second():
    return StaffFactory(role="operator")


def post(client, name="letter.pdf", content=RECEIPT, **values):
    file = SimpleUploadedFile(name, content, content_type="application/pdf")
    body = {**LARGE, "attachment": file, **values}
    return client.post(URL, body, format="multipart")


def receipt_files():
    root = Path(PrivateStorage().location) / "journal"
    return {path for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def stored_receipts(db):
    """Return the files that the test has stored."""
    before = receipt_files()
    return lambda: sorted(receipt_files() - before)


def test_a_large_entry_waits_with_its_receipt_and_is_booked_once(
    as_user, asker, second, stored_receipts
):
    client = as_user(asker)
    answer = post(client)
    assert answer.status_code == 202, answer.json()
    assert not JournalEntry.objects.exists()
    row = ApprovalRequest.objects.get()
    assert (row.amount, row.currency, row.reason) == (2_000_00, "EUR", LARGE["reason"])
    shown = dict(approval_texts.facts(row, viewer=second))
    assert "letter.pdf" in shown.values()
    assert "2026-01-31" in shown.values()
    assert approvals.approve(actor=second, request=row).state == "approved"
    with pytest.raises(RequestIsDecided):
        approvals.approve(actor=second, request=row)
    entry = JournalEntry.objects.get()
    assert (entry.actor, str(entry.booked_on)) == (asker, "2026-01-31")
    assert LedgerTransaction.objects.get().journal_entry == entry
    read = client.get(f"{URL}/{entry.pk}/attachment")
    assert b"".join(read.streaming_content) == RECEIPT
    assert len(stored_receipts()) == 1
    booked = AuditEntry.objects.get(action="marketplace.journal.posted")
    assert booked.actor == asker


def test_the_same_call_again_is_the_same_request_and_stores_no_second_file(
    as_user, asker, stored_receipts
):
    client = as_user(asker)
    first, again = post(client), post(client)
    assert again.status_code == 202, again.json()
    assert first.json()["approval_request"] == again.json()["approval_request"]
    assert len(stored_receipts()) == 1
    assert post(client, content=b"%PDF-1.4 another letter").status_code == 202
    assert post(as_user(StaffFactory(role="operator"))).status_code == 409
    assert ApprovalRequest.objects.count() == len(stored_receipts()) == 2


def test_the_receipt_goes_when_the_request_comes_to_nothing(
    as_user, asker, second, stored_receipts, django_capture_on_commit_callbacks
):
    client = as_user(asker)
    ends = (
        lambda row: approvals.refuse(actor=second, request=row, reason="no"),
        lambda row: approvals.withdraw(actor=asker, request=row),
        lambda row: approvals.expire_due(),
    )
    for end in ends:
        assert post(client).status_code == 202
        row = ApprovalRequest.objects.get(state="waiting")
        if end is ends[-1]:
            past = timezone.now() - timedelta(hours=1)
            ApprovalRequest.objects.filter(pk=row.pk).update(expires_at=past)
        assert len(stored_receipts()) == 1
        with django_capture_on_commit_callbacks(execute=True):
            end(row)
        assert stored_receipts() == []
    assert not JournalEntry.objects.exists()


def test_a_receipt_that_is_gone_fails_the_request_and_books_nothing(
    as_user, asker, second, stored_receipts
):
    post(as_user(asker))
    stored_receipts()[0].unlink()
    row = approvals.approve(actor=second, request=ApprovalRequest.objects.get())
    assert (row.state, "receipt" in row.result["error"]) == ("failed", True)
    assert not JournalEntry.objects.exists()


def test_small_entries_go_without_and_zero_means_always(as_user, asker):
    client = as_user(asker)
    made = post(client, amount=999_99)
    assert made.status_code == 201, made.json()
    path = f"{URL}/{made.json()['id']}/reverse"
    change_settings(actor=None, values={"duties.second_person_entry_limit": 0})
    assert post(client, amount=1).status_code == 202
    assert client.post(path, {"reason": "Booked twice"}).status_code == 202
    assert client.post(path, {"reason": "Booked twice"}).status_code == 202
    assert JournalEntry.objects.count() == 1
    assert ApprovalRequest.objects.count() == 2


def test_bad_input_is_refused_at_once(as_user, asker):
    client = as_user(asker)
    assert post(client, reason=" \u200b ").status_code == 400
    assert post(client, name="x.exe", content=b"MZ\x00\x00").status_code == 400
    assert not ApprovalRequest.objects.exists()


def test_the_page_of_entries_leads_to_the_request(admin_client_for, asker, second):
    client = admin_client_for(asker)
    form = {
        "kind": "dispute_fee",
        "currency": "EUR",
        "amount": "2000",
        "booked_on": "2026-01-31",
        "reason": "Fees of the year",
        "attachment": SimpleUploadedFile("letter.pdf", RECEIPT, content_type="application/pdf"),
    }
    page = client.post(reverse("admin:marketplace_journalentry_add"), form, follow=True)
    row = ApprovalRequest.objects.get()
    assert reverse("admin:systemadmin_approvalrequest_change", args=[row.pk]) in page.text
    approvals.approve(actor=second, request=row)
    entry = JournalEntry.objects.get()
    page = reverse("admin:marketplace_journalentry_changelist")
    chosen = {"action": "reverse", "_selected_action": entry.pk, "apply": "1", "reason": "No"}
    client.post(page, chosen)
    row = ApprovalRequest.objects.get(state="waiting")
    approvals.approve(actor=second, request=row)
    assert JournalEntry.objects.get(reverses=entry).actor == asker


def batch_of(*amounts):
    batch = PayoutBatch.objects.create(
        currency="EUR",
        execution_on="2026-01-01",
        count=len(amounts),
        amount=sum(amounts),
        sha256="x",
    )
    for amount in amounts:
        with without_second_person():
            seller = factories.completed(factories.approved(price=amount)).seller
        payout = services.create_payout(actor=None, seller=seller, currency="EUR")
        Payout.objects.filter(pk=payout.pk).update(batch=batch)
    return batch


def paid(batch):
    return batch.payouts.filter(status="paid").count()


@pytest.mark.parametrize("amounts", [(1_500_00, 10_00), (600_00, 500_00)])
def test_a_batch_waits_by_its_sum_as_a_whole_and_is_paid_once(as_user, asker, second, amounts):
    batch = batch_of(*amounts)
    client = as_user(asker)
    path = f"/api/admin/payout-batches/{batch.pk}/mark-paid"
    assert client.post(path).status_code == 400, "without a reason"
    headers = {"Approval-Reason": "month%27s%20end"}
    for _twice in range(2):
        assert client.post(path, headers=headers).status_code == 202
    assert paid(batch) == 0
    row = ApprovalRequest.objects.get()
    assert row.amount == sum(amounts)
    assert approvals.approve(actor=second, request=row).state == "approved"
    assert paid(batch) == 2
    assert client.post(path).json() == {"paid": 0}


def test_a_small_batch_is_paid_at_once(as_user, asker):
    batch = batch_of(600_00, 300_00)
    path = f"/api/admin/payout-batches/{batch.pk}/mark-paid"
    assert as_user(asker).post(path).json() == {"paid": 2}


def test_a_payout_that_failed_meanwhile_is_not_paid_with_the_batch(asker, second):
    batch = batch_of(1_500_00, 10_00)
    with pytest.raises(SecondPersonNeeded) as found:
        services.pay_payout_batch(actor=asker, batch=batch)
    (row,) = approvals.keep(found.value, "month's end")
    services.fail_payout(actor=None, payout=batch.payouts.first(), reason="bank says so")
    assert approvals.approve(actor=second, request=row).state == "failed"
    assert paid(batch) == 0


def test_the_page_of_batches_asks_why(admin_client_for, asker, second):
    batch = batch_of(1_500_00)
    client = admin_client_for(asker)
    page = reverse("admin:marketplace_payoutbatch_changelist")
    answer = client.post(page, {"action": "mark_paid", "_selected_action": batch.pk, "apply": "1"})
    assert answer.url == reverse("admin:ask_second_person")
    answer = client.post(answer.url, {"reason": "month's end"}, follow=True)
    row = ApprovalRequest.objects.get()
    assert reverse("admin:systemadmin_approvalrequest_change", args=[row.pk]) in answer.text
    approvals.approve(actor=second, request=row)
    assert paid(batch) == 1
