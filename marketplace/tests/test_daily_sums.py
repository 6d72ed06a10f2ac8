"""A large sum is not split into small ones: what one person moves alone adds up over a day."""

import threading
from datetime import timedelta

import pytest
import time_machine
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from marketplace import services as market
from marketplace.models import Payout, PayoutBatch, SellerProfile
from marketplace.services import clock
from marketplace.tests import factories as shop
from riskops.models import RelatedAccount
from systemadmin.foundation.testing import problem
from systemadmin.models import AmountDoneAlone, AuditEntry
from systemadmin.services import approval_texts, approvals
from systemadmin.services.configuration import change_settings
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.service_keys import create_service_key, hand_over_service_key
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.two_people, pytest.mark.usefixtures("shipped")]
LIMIT = 1_000_00
SMALL = 400_00


def owed(amount=SMALL):
    """A seller who may have that much."""
    seller = UserFactory()
    market.post_journal_entry(
        actor=None,
        kind="goodwill_platform",
        currency="EUR",
        lines=market.usual_lines(kind="goodwill_platform", amount=amount, seller=seller),
        reason="Test",
    )
    return seller


def pending(amount=SMALL):
    return market.create_payout(actor=None, seller=owed(amount), currency="EUR")


def paid(amount=SMALL):
    return market.pay_payout(actor=None, payout=pending(amount))


def batch(amount=SMALL):
    payout = pending(amount)
    row = PayoutBatch.objects.create(
        currency="EUR", execution_on=clock.today(), count=1, amount=amount, sha256="x"
    )
    Payout.objects.filter(pk=payout.pk).update(batch=row)
    return row


def entry(actor, amount=SMALL):
    seller = UserFactory()
    return market.post_journal_entry(
        actor=actor,
        kind="goodwill_platform",
        currency="EUR",
        lines=market.usual_lines(kind="goodwill_platform", amount=amount, seller=seller),
        reason="sorry",
    )


def pay_an_order(actor):
    order = shop.order(shop.approved(price=SMALL))
    return market.pay_order(actor=actor, order=order, reference=f"r-{order.pk}")


# What each act does once with a sum below the limit.
ACTS = {
    "create_payout": lambda who: market.create_payout(actor=who, seller=owed(), currency="EUR"),
    "pay_payout": lambda who: market.pay_payout(actor=who, payout=pending()),
    "pay_payout_batch": lambda who: market.pay_payout_batch(actor=who, batch=batch()),
    "fail_payout": lambda who: market.fail_payout(actor=who, payout=paid(), reason="bank"),
    "pay_order": lambda who: pay_an_order(who),
    "post_journal_entry": entry,
    "reverse_journal_entry": lambda who: market.reverse_journal_entry(
        actor=who, entry=entry(None), reason="wrong"
    ),
}


@pytest.mark.parametrize("name", ACTS)
def test_the_third_small_act_of_a_day_waits(name, operator, second):
    act = ACTS[name]
    act(operator)
    act(operator)
    with pytest.raises(SecondPersonNeeded):
        act(operator)
    # Somebody else has a sum of their own, and tomorrow everybody begins anew.
    act(second)
    with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
        act(operator)


def test_paying_one_by_one_and_by_batch_is_one_sum(operator):
    ACTS["pay_payout"](operator)
    ACTS["pay_payout_batch"](operator)
    with pytest.raises(SecondPersonNeeded):
        ACTS["pay_payout"](operator)


def entry_in(actor, currency, amount=SMALL):
    seller = UserFactory()
    lines = market.usual_lines(kind="goodwill_platform", amount=amount, seller=seller)
    return market.post_journal_entry(
        actor=actor, kind="goodwill_platform", currency=currency, lines=lines, reason="sorry"
    )


def payout_in(actor, currency):
    seller = entry_in(None, currency).lines.get(seller__isnull=False).seller
    return market.create_payout(actor=actor, seller=seller, currency=currency)


def payment_in(actor, currency):
    order = shop.order(shop.approved(price=SMALL, currency=currency))
    return market.pay_order(actor=actor, order=order, reference=f"r-{order.pk}")


@pytest.mark.parametrize("act", [entry_in, payout_in, payment_in])
def test_all_currencies_are_one_sum(act, operator, second):
    for currency in ("EUR", "USD"):
        act(operator, currency)
    with pytest.raises(SecondPersonNeeded):
        act(operator, "CHF")
    act(second, "CHF")


def test_all_currencies_are_one_sum_by_api(operator, as_user):
    client, codes = as_user(operator), []
    for currency in ("EUR", "USD", "CHF"):
        order = shop.order(shop.approved(price=SMALL, currency=currency))
        body = {"reference": f"r-{order.pk}", "reason": "arrived"}
        answer = client.post(f"/api/admin/orders/{order.pk}/pay", body, format="json")
        codes.append(answer.status_code)
    assert codes == [200, 200, 202]


def test_a_related_account_has_no_sum_of_its_own(operator, second):
    low, high = sorted((operator.pk, second.pk))
    RelatedAccount.objects.create(
        low_id=low, high_id=high, status="confirmed", decided_at=timezone.now()
    )
    entry(operator)
    entry(second)
    with pytest.raises(SecondPersonNeeded):
        entry(second)


def key_of(owner, name):
    """A key of the operator's that may post entries; superusers alone give such rights."""
    issued = create_service_key(
        actor=None, name=name, owner=owner, permissions=["marketplace.add_journalentry"]
    )
    return issued.key


def test_keys_share_the_sum_of_their_owner(operator):
    first, second = key_of(operator, "first"), key_of(operator, "second")
    entry(operator)
    entry(first.account)
    with pytest.raises(SecondPersonNeeded):
        entry(second.account)
    with pytest.raises(SecondPersonNeeded):
        entry(operator)


def test_a_key_handed_over_leaves_its_sum_behind(operator, second):
    key = key_of(operator, "first")
    entry(key.account)
    entry(key.account)
    hand_over_service_key(actor=None, key=key, owner=second)
    with pytest.raises(SecondPersonNeeded):
        entry(operator)
    entry(key.account)


def test_what_another_person_approved_does_not_count(operator, second):
    entry(operator)
    with pytest.raises(SecondPersonNeeded) as found:
        entry(operator, amount=5_000_00)
    (row,) = approvals.keep(found.value, "month's end")
    assert approvals.approve(actor=second, request=row).state == "approved"
    entry(operator)
    assert AmountDoneAlone.objects.count() == 2


def test_what_waits_is_not_counted(operator):
    for _time in range(3):
        with pytest.raises(SecondPersonNeeded):
            entry(operator, amount=LIMIT)
    assert not AmountDoneAlone.objects.exists()


def test_service_accounts_are_not_counted():
    service = UserFactory()
    for _time in range(4):
        ACTS["pay_order"](service)
    assert not AmountDoneAlone.objects.exists()


def test_the_third_one_waits_by_api(operator, as_user):
    client = as_user(operator)
    codes = []
    for number in range(3):
        payout = pending()
        answer = client.post(
            f"/api/admin/payouts/{payout.pk}/mark-paid",
            {"reference": "r"},
            headers={"Approval-Reason": "month%27s%20end", "Idempotency-Key": f"k{number}"},
        )
        codes.append(answer.status_code)
    assert codes == [200, 200, 202]


def test_alone_in_a_place_the_third_one_is_marked(operator, superuser):
    change_settings(actor=superuser, values={"duties.single_person": True}, reason="alone")
    for _time in range(3):
        entry(operator)
    assert AuditEntry.objects.filter(action="systemadmin.duties.acted_alone").count() == 1


# -- two at once ------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_acts_at_once_do_not_both_pass(shipped):
    operator = StaffFactory(role="operator")
    payouts = [pending(600_00), pending(600_00)]
    together, answers = threading.Barrier(2), []

    def pay(payout):
        try:
            together.wait(10)
            market.pay_payout(actor=operator, payout=payout)
            answers.append("paid")
        except SecondPersonNeeded:
            answers.append("waits")
        finally:
            connection.close()

    threads = [threading.Thread(target=pay, args=[payout]) for payout in payouts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == ["paid", "waits"]


# -- files for the bank ---------------------------------------------------------------------


@pytest.fixture
def due():
    """A pending payout above the limit to a seller with an account."""
    payout = pending(2_000_00)
    market.save_seller_profile(
        actor=None,
        seller=payout.seller,
        legal_name="Ana",
        iban="ES9121000418450200051332",
    )
    change_settings(
        actor=None,
        values={
            "marketplace.platform_legal_name": "Atalaya",
            "marketplace.platform_iban": "DE89370400440532013000",
        },
    )
    return payout


def test_a_file_for_the_bank_needs_two_people(due, operator, second, as_user):
    assert SellerProfile.objects.exclude(account_sealed="").exists()
    answer = as_user(operator).post(
        "/api/admin/payout-batches",
        {"currency": "EUR"},
        headers={"Approval-Reason": "friday", "Idempotency-Key": "k"},
    )
    assert answer.status_code == 202
    assert not PayoutBatch.objects.exists()
    due.refresh_from_db()
    assert due.batch_id is None
    row = approvals.ApprovalRequest.objects.get()
    shown = str(approval_texts.facts(row, viewer=second))
    assert due.seller.username in shown
    assert "2,000.00" in shown or "2000" in shown
    # Their accounts are new to us, so the second person says how they were checked.
    done = approvals.approve(actor=second, request=row, reason="Called the sellers.")
    assert done.state == "approved"
    due.refresh_from_db()
    assert due.batch_id


def test_other_payouts_than_those_that_were_approved_are_not_sent(due, operator, second):
    with pytest.raises(SecondPersonNeeded) as found:
        market.create_payout_batch(actor=operator, currency="EUR")
    (row,) = approvals.keep(found.value, "friday")
    pending(1_00)
    done = approvals.approve(actor=second, request=row, reason="Called the sellers.")
    assert done.state == "failed"
    assert not PayoutBatch.objects.exists()


def test_the_schedule_of_payouts_is_not_changed_alone(operator, as_user):
    answer = as_user(operator).put(
        "/api/admin/config", {"marketplace.payout_schedule": "weekly"}, format="json"
    )
    problem(answer, 400)  # without a reason nobody is asked
    with pytest.raises(SecondPersonNeeded):
        change_settings(actor=operator, values={"marketplace.payout_schedule": "weekly"})


# -- why -------------------------------------------------------------------------------------


def test_a_payment_by_hand_takes_its_reason_in_the_form_and_the_body(
    operator, as_user, admin_client_for
):
    orders = [shop.order(shop.approved(price=2_000_00)) for _time in range(2)]
    body = {
        "action": "pay",
        ACTION_CHECKBOX_NAME: [str(orders[0].pk)],
        "apply": "1",
        "reference": "r-1",
        "reason": "the bank said so",
    }
    admin_client_for(operator).post(reverse("admin:marketplace_order_changelist"), body)
    answer = as_user(operator).post(
        f"/api/admin/orders/{orders[1].pk}/pay",
        {"reference": "r-2", "reason": "the bank said so too"},
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status_code == 202
    asked = approvals.ApprovalRequest.objects.order_by("pk").values_list("reason", flat=True)
    assert list(asked) == ["the bank said so", "the bank said so too"]


def test_the_trail_has_the_reason_of_a_small_payment(operator):
    order = shop.order(shop.approved(price=1_00))
    market.pay_order(actor=operator, order=order, reference="r", reason="in cash")
    assert AuditEntry.objects.get(action="marketplace.order.paid").reason == "in cash"
