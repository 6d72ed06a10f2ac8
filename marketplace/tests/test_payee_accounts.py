"""A payout account that was changed a short while ago: who approves sees it, who changed it not."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace import services
from marketplace.models import Payout, PayoutBatch
from marketplace.tests import factories
from systemadmin.errors import CannotDecideRequest, CautionNotAnswered, OwnInterest
from systemadmin.foundation.context import context
from systemadmin.models import ApprovalRequest, AuditEntry, Notification, User
from systemadmin.services import approval_texts, approvals
from systemadmin.services.configuration import change_settings
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.service_keys import create_service_key
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.two_people]
HIS = "ES9121000418450200051332"
OTHER = "DE89370400440532013000"
SMALL = 40_00


@pytest.fixture(autouse=True)
def payer(db):
    change_settings(
        actor=None,
        values={
            "marketplace.platform_legal_name": "Atalaya Plaza S.L.",
            "marketplace.platform_iban": OTHER,
        },
    )


@pytest.fixture
def operator(db):
    return StaffFactory(role="operator")


@pytest.fixture
def second(db):
    return StaffFactory(role="operator")


def owed(price=SMALL):
    """A seller with an account of old who is owed that much."""
    seller = UserFactory()
    # The payment service's word: no member of staff paid alone.
    order = services.pay_order(
        actor=None, order=factories.order(factories.approved(seller, price=price))
    )
    services.complete_order(actor=None, order=order)
    services.save_own_details(actor=seller, iban=HIS)
    return seller


def pending(seller):
    return services.create_payout(actor=None, seller=seller, currency="EUR")


def moved(monkeypatch, days):
    """Let so many days pass."""
    later = timezone.now() + timedelta(days=days)
    monkeypatch.setattr(timezone, "now", lambda: later)


def ask(call):
    with pytest.raises(SecondPersonNeeded) as found:
        call()
    return approvals.keep(found.value, "because")[0]


def told(row, viewer):
    return {str(label): str(value) for label, value in approval_texts.facts(row, viewer=viewer)}


ACTS = {
    "paid by hand": lambda actor, payout: services.pay_payout(actor=actor, payout=payout),
    "sent by a file": lambda actor, _payout: services.create_payout_batch(
        actor=actor, currency="EUR"
    ),
}


@pytest.mark.parametrize("act", sorted(ACTS))
def test_a_small_payout_to_an_account_that_staff_entered_waits(act, operator, second):
    seller = owed()
    payout = pending(seller)
    services.save_seller_profile(actor=operator, seller=seller, iban=OTHER)
    row = ask(lambda: ACTS[act](operator, payout))
    facts = " ".join(f"{label} {value}" for label, value in told(row, second).items())
    assert "DE** **** 3000" in facts
    assert f"entered by {operator.username}" in facts
    assert "before: ES** **** 1332" in facts
    assert "(0 days)" in facts
    assert operator.username in approval_texts.caution_of(row, viewer=second)
    with pytest.raises(CautionNotAnswered):
        approvals.approve(actor=second, request=row)
    row = approvals.approve(actor=second, request=row, reason="rang her up")
    assert row.state == "approved"


@pytest.mark.parametrize("act", sorted(ACTS))
def test_whoever_changed_the_account_does_not_approve(act, operator, second):
    seller = owed()
    payout = pending(seller)
    services.save_seller_profile(actor=second, seller=seller, iban=OTHER)
    row = ask(lambda: ACTS[act](operator, payout))
    with pytest.raises(CannotDecideRequest, match="a short while ago"):
        approvals.approve(actor=second, request=row, reason="I know it is right")
    assert second not in Notification.objects.filter(kind="approval.requested").values_list(
        "user", flat=True
    )
    assert Payout.objects.get().status == "pending"


@pytest.mark.parametrize("act", sorted(ACTS))
def test_an_account_that_changes_while_the_request_waits_fails_it(act, operator, second):
    seller = owed(price=2_000_00)
    payout = pending(seller)
    row = ask(lambda: ACTS[act](operator, payout))
    services.save_seller_profile(actor=operator, seller=seller, iban=OTHER)
    row = approvals.approve(actor=second, request=row, reason="fine")
    assert row.state == "failed"
    assert Payout.objects.get().status == "pending"
    assert not PayoutBatch.objects.exists()


@pytest.mark.parametrize("act", sorted(ACTS))
def test_an_account_of_old_and_the_sellers_own_go_without(act, operator, monkeypatch):
    seller = owed()
    payout = pending(seller)
    services.save_seller_profile(actor=operator, seller=seller, iban=OTHER)
    moved(monkeypatch, days=15)
    ACTS[act](operator, payout)
    assert not ApprovalRequest.objects.exists()


def test_the_sellers_own_change_is_shown_where_a_request_waits(operator, second):
    seller = owed(price=2_000_00)
    payout = pending(seller)
    row = ask(lambda: services.pay_payout(actor=operator, payout=payout))
    assert approval_texts.caution_of(row, viewer=second) == ""
    approvals.refuse(actor=second, request=row, reason="later")
    services.save_own_details(actor=seller, iban=OTHER)
    row = ask(lambda: services.pay_payout(actor=operator, payout=payout))
    assert f"entered by {seller.username}" in told(row, second)["the account is on file"]
    assert seller.username in approval_texts.caution_of(row, viewer=second)


def test_a_small_payout_after_the_sellers_own_change_goes_without(operator):
    seller = owed()
    payout = pending(seller)
    services.save_own_details(actor=seller, iban=OTHER)
    assert services.pay_payout(actor=operator, payout=payout).status == "paid"


def test_the_same_account_typed_again_is_no_change(operator):
    seller = owed()
    services.save_seller_profile(actor=operator, seller=seller, iban=f" {HIS} ")
    changes = AuditEntry.objects.filter(after__account_changed=True)
    assert list(changes.values_list("actor", flat=True)) == [seller.pk]


def test_the_seller_is_told(operator):
    seller = owed()
    Notification.objects.all().delete()
    services.save_seller_profile(actor=operator, seller=seller, iban=OTHER)
    notice = Notification.objects.filter(user=seller, kind="security.payout_account_changed")
    assert "payouts go to was changed" in notice.first().body
    assert OTHER not in notice.first().body


def test_over_http_it_is_202_and_the_profile_says_since_when(as_user, operator, superuser):
    seller = owed()
    payout = pending(seller)
    client = as_user(operator)
    path = f"/api/admin/sellers/{seller.pk}/profile"
    shown = client.put(path, {"iban": OTHER}).json()["payout_account_changed"]
    assert (shown["by"], shown["before"]) == (operator.username, "ES** **** 1332")
    assert client.get(path).json()["payout_account_changed"] == shown
    paying = f"/api/admin/payouts/{payout.pk}/mark-paid"
    answer = client.post(paying, {}, headers={"Approval-Reason": "due today"})
    assert answer.status_code == 202, answer.json()
    row = ApprovalRequest.objects.get(act="marketplace.pay_payout")
    assert (row.reason, row.subject_id) == ("due today", str(payout.pk))


def test_the_page_of_the_seller_says_who_entered_it(admin_client_for, superuser, operator):
    seller = owed()
    services.save_seller_profile(actor=operator, seller=seller, iban=OTHER)
    page = reverse("admin:marketplace_sellerprofile_change", args=[seller.seller_profile.pk])
    text = admin_client_for(superuser).get(page).content.decode()
    assert f"entered by {operator.username}" in text


def test_nobody_enters_an_account_of_their_own_as_staff(operator):
    with pytest.raises(OwnInterest):
        services.save_seller_profile(actor=operator, seller=operator, iban=OTHER)


def test_a_service_that_acts_for_the_seller_is_not_the_seller(operator, second):
    seller = owed()
    payout = pending(seller)
    with context(audit_details={"service": "shop-sync", "service_owner": second.username}):
        services.save_own_details(actor=seller, iban=OTHER)
    row = ask(lambda: services.pay_payout(actor=operator, payout=payout))
    assert "(shop-sync)" in approval_texts.caution_of(row, viewer=StaffFactory(role="operator"))
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=second, request=row, reason="my own key did it")


def test_a_new_name_does_not_hide_who_owns_the_key(operator, second):
    issued = create_service_key(
        actor=None, name="shop-sync", owner=second, permissions=["systemadmin.manage_members"]
    )
    seller = owed()
    payout = pending(seller)
    details = {
        "service": issued.key.account.username,
        "service_id": issued.key.account_id,
        "service_owner": second.username,
    }
    with context(audit_details=details):
        services.save_own_details(actor=seller, iban=OTHER)
    User.objects.filter(pk=second.pk).update(username="somebody-new")
    row = ask(lambda: services.pay_payout(actor=operator, payout=payout))
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=second, request=row, reason="not my key any more")
