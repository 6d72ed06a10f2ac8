"""Commission rules in the admin: typed without JSON, saved by the service, put in order."""

import pytest
from django.urls import reverse

from marketplace import services
from marketplace.models import CommissionRule
from marketplace.services.commission import default_fee
from marketplace.tests import factories
from marketplace.tests.test_admin import page, told
from systemadmin.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture
def browser(admin_client_for, superuser):
    return admin_client_for(superuser)


@pytest.fixture
def moderator(admin_client_for, staff):
    return admin_client_for(staff("marketplace_moderator"))


def rule_form(**values):
    return {
        "name": "Rule",
        "is_active": "on",
        "fee": default_fee().pk,
        "tiers": "",
        "per": "line",
        "ppm": "",
        "tiers_mode": "marginal",
        "tiers_by": "amount",
        "rounding": "half_up",
        "volume_between": "seller",
        "volume_measure": "amount",
        "fixed_per": "unit",
        "include_item": "on",
        "include_shipping": "on",
        "include_tax": "on",
        "include_platform_discount": "on",
        "on_refund": "proportional",
        "fixed_refundable": "on",
        "versions-TOTAL_FORMS": 0,
        "versions-INITIAL_FORMS": 0,
        **values,
    }


def test_rules_are_saved_by_the_service(browser):
    answer = browser.post(
        page("commissionrule", "add"),
        rule_form(applies_to_all="on", ppm="5", currency="EUR"),
        follow=True,
    )
    rule = CommissionRule.objects.get()
    assert (rule.ppm, rule.position, rule.versions.count()) == (50_000, 1, 1), told(answer)
    browser.post(
        page("commissionrule", "change", rule.pk),
        rule_form(applies_to_all="on", ppm="6", currency="EUR"),
    )
    rule.refresh_from_db()
    assert (rule.ppm, rule.version) == (60_000, 2)
    wrong = browser.post(
        page("commissionrule", "add"), rule_form(tiers="0.05: 1", currency="EUR"), follow=True
    )
    assert any("start at 0" in text or "not valid" in text for text in told(wrong))


def test_a_rule_belongs_to_the_fee_that_was_chosen(browser):
    listing, closing = (
        services.create_fee(actor=None, code=code, name=code, position=2)
        for code in ("listing", "closing")
    )
    form = rule_form(applies_to_all="on", fixed="0.20", currency="EUR", fee=listing.pk)
    browser.post(page("commissionrule", "add"), form)
    rule = CommissionRule.objects.get()
    assert (rule.fee, rule.fixed) == (listing, 20)
    browser.post(page("commissionrule", "change", rule.pk), {**form, "fee": closing.pk})
    rule.refresh_from_db()
    assert rule.fee == closing


def test_amounts_and_rates_are_typed_as_people_write_them(browser):
    browser.post(
        page("commissionrule", "add"),
        rule_form(
            name="Old eBay",
            applies_to_all="on",
            currency="EUR",
            tiers="0: 8.75\n25.00: 3.5 %\n1000: 1.5",
            fixed="0.30",
            fixed_per="line",
            unit_below="10",
            countries="ES, PT",
            buyer_countries="US",
            tax_ppm="21",
        ),
    )
    rule = CommissionRule.objects.get()
    assert rule.tiers == [[0, 87_500], [25_00, 35_000], [1000_00, 15_000]]
    assert (rule.fixed, rule.unit_below, rule.tax_ppm) == (30, 10_00, 210_000)
    assert (rule.countries, rule.buyer_countries) == (["ES", "PT"], ["US"])
    shown = browser.get(page("commissionrule", "change", rule.pk)).content.decode()
    assert "1000.00: 1.5" in shown
    assert 'value="0.30"' in shown
    assert 'value="21"' in shown
    for wrong in ({"fixed": "0.305"}, {"tiers": "0 8"}, {"ppm": "101"}, {"countries": "Spain"}):
        browser.post(
            page("commissionrule", "add"),
            rule_form(name="Wrong", applies_to_all="on", currency="EUR", **wrong),
        )
        assert CommissionRule.objects.count() == 1, wrong


def test_rules_are_reordered_and_shadows_reported(browser):
    everything = factories.rule(name="All")
    own = factories.rule(name="Own", currency="EUR", ppm=1)
    text = browser.get(page("commissionrule")).content.decode()
    assert "can never match" in text
    browser.post(
        reverse("admin:marketplace_commissionrule_order"),
        {f"position-{everything.pk}": 2, f"position-{own.pk}": 1},
    )
    names = list(CommissionRule.objects.in_order().values_list("name", flat=True))
    assert names == ["Own", "All"]
    assert "can never match" not in browser.get(page("commissionrule")).content.decode()


def test_deleting_several_rules_closes_the_gaps_in_their_order(browser):
    rules = [factories.rule(name=f"Rule {number}") for number in range(4)]
    body = {"action": "delete_selected", "_selected_action": [rules[0].pk, rules[2].pk]}
    browser.post(page("commissionrule"), {**body, "post": "yes"})
    left = CommissionRule.objects.order_by("position").values_list("position", "name")
    assert list(left) == [(1, "Rule 1"), (2, "Rule 3")]
    deleted = AuditEntry.objects.filter(action="marketplace.commission_rule.deleted")
    assert {entry.target_name for entry in deleted} == {"Rule 0", "Rule 2"}


def test_the_list_of_rules_links_to_the_order_for_those_who_may_change_it(browser, moderator):
    order = reverse("admin:marketplace_commissionrule_order")
    assert order in browser.get(page("commissionrule")).content.decode()
    assert order not in moderator.get(page("commissionrule")).content.decode()


def test_a_fee_per_payout_is_typed_like_any_other(browser):
    browser.post(
        page("commissionrule", "add"),
        rule_form(
            name="Payout",
            applies_to_all="on",
            currency="EUR",
            per="payout",
            fixed_per="payout",
            ppm="0.25",
            fixed="0.25",
        ),
    )
    rule = CommissionRule.objects.get()
    assert (rule.per, rule.ppm, rule.fixed) == ("payout", 2_500, 25)
    assert "per payout" in browser.get(page("commissionrule")).content.decode()
    answer = browser.post(
        page("commissionrule", "change", rule.pk),
        rule_form(name="Payout", currency="EUR", per="payout", fixed_per="payout", unit_from="5"),
    )
    assert any("amount of the payout" in text for text in told(answer))
