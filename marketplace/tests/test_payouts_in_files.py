"""A payout in a file for the bank may be on its way: one person alone does not take it back."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from marketplace import services
from marketplace.models import Payout, PayoutBatch
from marketplace.services import clock
from marketplace.tests import factories as shop
from riskops.tests.factories import confirmed
from systemadmin.models import ApprovalRequest
from systemadmin.services import approvals
from systemadmin.services.service_keys import create_service_key, hand_over_service_key
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.two_people, pytest.mark.usefixtures("shipped")]


def payout_in_file(status="pending"):
    """A small payout in a file for the bank, below every limit."""
    seller = shop.completed(shop.approved(price=40_00)).seller
    payout = services.create_payout(actor=None, seller=seller, currency="EUR")
    batch = PayoutBatch.objects.create(
        currency="EUR", execution_on=clock.today(), count=1, amount=payout.amount, sha256="x"
    )
    Payout.objects.filter(pk=payout.pk).update(batch=batch)
    payout.refresh_from_db()
    if status == "paid":
        services.pay_payout(actor=None, payout=payout)
    if status == "failed":
        services.fail_payout(actor=None, payout=payout, reason="Wrong account")
    payout.refresh_from_db()
    return payout


def statement_by(actor, payout, amount=None, reference=None):
    """Import a statement that says that the bank sent the payout back."""
    value = (payout.amount if amount is None else amount) / 100
    reference = payout.bank_reference if reference is None else reference
    text = f"date,amount,reference\n{clock.today()},{value:.2f},{reference} RETURN\n"
    return services.import_bank_statement(
        actor=actor,
        file=SimpleUploadedFile("bank.csv", text.encode()),
        format="csv",
        account="bank",
        currency="EUR",
    )


CASES = [
    ("pending", "mark-failed", "failed"),
    ("paid", "mark-failed", "returned"),
    ("pending", "cancel", "cancelled"),
    ("failed", "cancel", "cancelled"),
]


def sent(client, payout, path):
    headers = {"Approval-Reason": "bank%20phoned"}
    url = f"/api/admin/payouts/{payout.pk}/{path}"
    return client.post(url, {"reason": "No such account"}, format="json", headers=headers)


@pytest.mark.parametrize(("before", "path", "after"), CASES)
def test_taking_it_back_waits_and_another_person_lets_it_happen(
    before, path, after, operator, second, as_user
):
    payout = payout_in_file(before)
    assert sent(as_user(operator), payout, path).status_code == 202
    payout.refresh_from_db()
    assert payout.status == before
    row = ApprovalRequest.objects.get()
    assert approvals.approve(actor=second, request=row, reason="asked").state == "approved"
    payout.refresh_from_db()
    assert payout.status == after
    assert services.check_ledger() == []


@pytest.mark.parametrize("action", ["mark_failed", "cancel"])
def test_the_page_of_payouts_asks_too(action, operator, admin_client_for):
    payout = payout_in_file()
    body = {
        "action": action,
        ACTION_CHECKBOX_NAME: [str(payout.pk)],
        "apply": "1",
        "reason": "Wrong account",
    }
    admin_client_for(operator).post(reverse("admin:marketplace_payout_changelist"), body)
    payout.refresh_from_db()
    assert payout.status == "pending"
    assert ApprovalRequest.objects.get().subject_name == str(payout)


@pytest.mark.parametrize(("before", "path", "after"), CASES)
def test_what_the_bank_reported_needs_nobody_else(before, path, after, operator, second, as_user):
    payout = payout_in_file(before)
    statement_by(second, payout)
    assert sent(as_user(operator), payout, path).status_code == 200
    payout.refresh_from_db()
    assert payout.status == after


def of_a_key(operator):
    rights = ["marketplace.add_bankstatement"]
    return create_service_key(actor=None, name="k", owner=operator, permissions=rights).key.account


@pytest.mark.parametrize(
    "by",
    [lambda who: who, lambda who: confirmed(who, UserFactory()), of_a_key],
    ids=["own", "related", "key"],
)
def test_a_statement_of_ones_own_is_not_the_word_of_the_bank(by, operator, as_user):
    payout = payout_in_file()
    statement_by(by(operator), payout)
    assert sent(as_user(operator), payout, "cancel").status_code == 202


def test_a_statement_by_a_key_that_was_handed_over_is_not_either(operator, second, as_user):
    payout = payout_in_file()
    account = of_a_key(operator)
    statement_by(account, payout)
    hand_over_service_key(actor=None, key=account.service_key, owner=second)
    assert sent(as_user(operator), payout, "cancel").status_code == 202


@pytest.mark.parametrize(
    "line",
    [{"amount": 1_00}, {"reference": "PAYOUT-999999999"}, {"amount": -38_00}],
    ids=["other sum", "other payout", "money that left"],
)
def test_another_line_says_nothing_of_it(line, operator, second, as_user):
    payout = payout_in_file()
    statement_by(second, payout, **line)
    assert sent(as_user(operator), payout, "cancel").status_code == 202


def test_a_line_counts_for_the_first_attempt_only(operator, second, as_user):
    payout = payout_in_file("failed")
    statement_by(second, payout)
    services.retry_payout(actor=operator, payout=payout)
    assert sent(as_user(operator), payout, "mark-failed").status_code == 202


def test_a_payout_in_no_file_is_cancelled_by_one_person(operator, as_user):
    seller = shop.completed(shop.approved(price=40_00)).seller
    payout = services.create_payout(actor=None, seller=seller, currency="EUR")
    assert sent(as_user(operator), payout, "cancel").status_code == 200
