"""Two people's way through a payout in a real browser: one asks, the other approves."""

import re

import pytest
from django.core.management import call_command
from django.urls import reverse

from marketplace import services as market
from marketplace.models import Payout
from marketplace.tests import factories as shop
from systemadmin.models import ApprovalRequest
from systemadmin.tests.factories import StaffFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.two_people,
    pytest.mark.django_db(transaction=True),
]


def test_one_marks_a_large_payout_as_paid_and_another_approves_it(page, sign_in):
    call_command("setup", verbosity=0)
    olga, otto = (StaffFactory(username=name, role="operator") for name in ("olga", "otto"))
    order = market.pay_order(actor=None, order=shop.order(shop.approved(price=2_000_00)))
    market.complete_order(actor=None, order=order)
    payout = market.create_payout(actor=None, seller=order.seller, currency="EUR")

    sign_in(olga)
    page.goto(reverse("admin:marketplace_payout_changelist"))
    page.locator("input.action-select").first.check()
    page.select_option("select[name=action]", "mark_paid")
    page.get_by_role("button", name=re.compile("^(Run|Go)")).click()
    page.get_by_label("Reference").fill("SEPA-1")
    page.locator("button[name=apply], input[name=apply][type=submit]").click()
    page.get_by_label("Reason").fill("sent this morning")
    page.get_by_role("button", name="Ask for approval").click()
    page.get_by_role("link", name=re.compile("waiting for a second person")).click()
    page.get_by_role("button", name="Withdraw").wait_for()
    assert page.get_by_role("button", name=re.compile("Approve")).count() == 0
    assert Payout.objects.get(pk=payout.pk).status == "pending"

    sign_in(otto)
    page.goto(reverse("admin:index"))
    page.get_by_role("link", name=re.compile("Mark a payout as paid")).first.click()
    page.get_by_text("sent this morning").first.wait_for()
    page.get_by_role("button", name=re.compile("Approve and do it")).click()
    page.get_by_text("It is done now, as olga asked").wait_for()
    page.get_by_role("button", name=re.compile("Approve and do it")).click()
    page.locator("#toasts [data-fades]").wait_for()
    assert Payout.objects.get(pk=payout.pk).status == "paid"
    row = ApprovalRequest.objects.get()
    assert (row.state, row.asked_by, row.decided_by) == ("approved", olga, otto)
