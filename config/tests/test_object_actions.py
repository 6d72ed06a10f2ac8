"""The page of an object carries the actions of its list: same permission, form and service."""

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.urls import reverse

from marketplace import services as market
from marketplace.models import Order
from marketplace.tests import factories as shop
from riskops.models import Account, RelatedAccount, RiskScore
from riskops.scores.calculate import calculate_score
from systemadmin.models import Alert, AuditEntry
from systemadmin.services import raise_alert
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

# What could only be decided from a list.
DECIDED_FROM_LISTS = [
    "marketplace.Product",
    "marketplace.ProductRevision",
    "marketplace.Dispute",
    "marketplace.Order",
    "marketplace.Payout",
    "marketplace.LedgerAccount",
    "messaging.MessageReport",
    "riskops.RiskScore",
    "riskops.RelatedAccount",
    "riskops.AccountCluster",
    "riskops.Anomaly",
    "riskops.Identifier",
    "riskops.RiskRuleset",
    "systemadmin.Alert",
]


@pytest.fixture(autouse=True)
def roles(db):
    call_command("setup", verbosity=0)


def page(obj):
    meta = obj._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[obj.pk])


def pending():
    product = shop.draft(UserFactory())
    return market.submit_product(actor=product.seller, product=product)


def names(answer):
    return [one.name for one in answer.context["object_actions"]]


def test_every_action_of_these_lists_can_be_done_on_the_page():
    """An action that is no service or form action would be on the list alone."""
    pages = {model._meta.label: found for model, found in admin.site._registry.items()}
    left = [
        f"{label}.{name}"
        for label in DECIDED_FROM_LISTS
        for name in pages[label].actions
        if not hasattr(getattr(pages[label], name), "one_row")
    ]
    assert left == []


def test_only_what_makes_sense_now_is_offered(admin_client_for):
    client = admin_client_for(StaffFactory(role="marketplace_moderator"))
    product = pending()
    assert names(client.get(page(product))) == ["approve", "reject", "request_changes", "remove"]
    market.approve_product(actor=shop.root(), product=product)
    assert names(client.get(page(product))) == ["pause", "remove"]


def test_an_action_on_the_page_is_done_and_audited(admin_client_for):
    actor = StaffFactory(role="marketplace_moderator")
    client = admin_client_for(actor)
    product = pending()
    data = {"object_action": "reject", "reject-reason": "No phone numbers"}
    answer = client.post(page(product), data)
    assert (answer.status_code, answer.url) == (302, page(product))
    product.refresh_from_db()
    assert (product.status, product.status_reason) == ("rejected", "No phone numbers")
    entry = AuditEntry.objects.filter(action="marketplace.product.rejected").get()
    assert entry.actor == actor


def test_a_refusal_stands_in_the_page_beside_what_was_typed(admin_client_for):
    client = admin_client_for(StaffFactory(role="marketplace_moderator"))
    product = pending()
    market.approve_product(actor=shop.root(), product=product)
    data = {"object_action": "reject", "reject-reason": "My long text"}
    answer = client.post(page(product), data)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "My long text" in text
    assert "This cannot be done while the status is" in text
    assert answer.context["object_actions"][0].is_open


def test_what_changed_since_it_was_read_is_refused(admin_client_for):
    client = admin_client_for(StaffFactory(role="marketplace_moderator"))
    product = pending()
    seen = product.version
    market.update_product(actor=product.seller, product=product, title="Another lamp")
    data = {"object_action": "reject", "reject-reason": "No", "object_version": seen}
    answer = client.post(page(product), data)
    assert "The object has changed since you read it." in answer.content.decode()
    product.refresh_from_db()
    assert product.status == "pending"


@pytest.mark.parametrize("role", ["support_agent", "risk_analyst", "operator", "auditor"])
def test_roles_without_the_permission_are_neither_offered_nor_obeyed(role, admin_client_for):
    client = admin_client_for(StaffFactory(role=role))
    product = pending()
    shown = client.get(page(product))
    if shown.status_code == 200:
        assert "approve" not in names(shown)
    answer = client.post(page(product), {"object_action": "approve"})
    assert answer.status_code == 403
    product.refresh_from_db()
    assert product.status == "pending"


def test_an_alert_without_a_form_is_one_button(admin_client_for, superuser):
    alert = raise_alert(rule="test", key="1", severity="warning", summary="Test")
    client = admin_client_for(superuser)
    assert names(client.get(page(alert))) == ["acknowledge", "silence", "resolve"]
    client.post(page(alert), {"object_action": "resolve"})
    assert Alert.objects.get(pk=alert.pk).status == "resolved"


# -- accounts ----------------------------------------------------------------------------


def test_an_account_is_decided_on_its_page(admin_client_for):
    client = admin_client_for(StaffFactory(role="risk_analyst"))
    user = UserFactory()
    calculate_score(account=user)
    account = Account.objects.get(pk=user.pk)
    shown = names(client.get(page(account)))
    assert shown == ["override", "legitimate", "fraud", "suspend", "recalculate", "write_note"]
    client.post(page(account), {"object_action": "override", "override-score": "90",
                                "override-reason": "Seen before"})  # fmt: skip
    assert RiskScore.objects.get(pk=user.pk).score == 90
    client.post(page(account), {"object_action": "fraud", "fraud-note": "Fake shop"})
    assert user.risk_outcomes.get().verdict == "confirmed_fraud"
    client.post(page(account), {"object_action": "write_note", "write_note-body": "Watch"})
    assert user.risk_notes.get().body == "Watch"
    client.post(page(account), {"object_action": "suspend", "suspend-reason": "Fake shop"})
    user.refresh_from_db()
    assert user.is_suspended
    assert "reinstate" in names(client.get(page(account)))


def test_a_pair_is_judged_on_the_page_of_its_account(admin_client_for):
    low, high = sorted((UserFactory().pk, UserFactory().pk))
    pair = RelatedAccount.objects.create(low_id=low, high_id=high, strength=80)
    url = reverse("admin:riskops_account_pair", args=[low, pair.pk])
    client = admin_client_for(StaffFactory(role="risk_analyst"))
    assert client.post(url, {"verdict": "confirm"}).status_code == 302
    pair.refresh_from_db()
    assert pair.status == "confirmed"
    assert client.post(url, {"verdict": "reopen"}).status_code == 302
    pair.refresh_from_db()
    assert pair.status == "suspected"
    other = reverse("admin:riskops_account_pair", args=[UserFactory().pk, pair.pk])
    assert client.post(other, {"verdict": "confirm"}).status_code == 404
    agent = admin_client_for(StaffFactory(role="support_agent"))
    assert agent.post(url, {"verdict": "confirm"}).status_code == 403


def test_a_pair_is_opened_by_a_link_of_its_own(admin_client_for):
    low, high = sorted((UserFactory().pk, UserFactory().pk))
    pair = RelatedAccount.objects.create(low_id=low, high_id=high, strength=80)
    client = admin_client_for(StaffFactory(role="risk_analyst"))
    text = client.get(reverse("admin:riskops_relatedaccount_changelist")).content.decode()
    cell = text.partition('class="field-names"')[2].partition("</th>")[0]
    assert cell.count("<a ") == 1
    assert f"/relatedaccount/{pair.pk}/change/" in cell


# -- refunds -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "typed", "minor"),
    [("en", "258", 258_00), ("en", "95.5", 95_50), ("es", "95,50", 95_50), ("es", "258", 258_00)],
)
def test_a_refund_is_read_in_major_units(language, typed, minor, admin_client_for):
    client = admin_client_for(StaffFactory(role="marketplace_moderator", language=language))
    client.cookies["django_language"] = language
    order = shop.paid(shop.approved(UserFactory(), price=258_00), buyer=UserFactory())
    shown = client.get(page(order)).content.decode()
    assert ("258,00 EUR" if language == "es" else "258.00 EUR") in shown
    client.post(page(order), {"object_action": "refund", "refund-amount": typed})
    assert Order.objects.get(pk=order.pk).refunded == minor


@pytest.mark.parametrize("typed", ["258.01", "0", "-5", "x", "1.005"])
def test_the_server_refuses_what_cannot_be_refunded_and_shows_the_dialog_again(
    typed, admin_client_for
):
    client = admin_client_for(StaffFactory(role="marketplace_moderator"))
    order = shop.paid(shop.approved(UserFactory(), price=258_00), buyer=UserFactory())
    data = {"object_action": "refund", "refund-amount": typed, "refund-reason": "Broken"}
    answer = client.post(page(order), data)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "data-start" in text
    assert 'value="Broken"' in text
    assert Order.objects.get(pk=order.pk).refunded == 0


def test_the_page_of_an_order_shows_the_risk_of_both_and_leads_to_its_dispute(
    admin_client_for, staff
):
    moderator = admin_client_for(staff("marketplace_moderator"))
    order = shop.completed()
    for account in (order.buyer, order.seller):
        calculate_score(actor=None, account=account)
    dispute = market.open_dispute(actor=order.buyer, order=order, reason="other", body="x")
    text = moderator.get(page(order)).content.decode()
    assert text.count('class="at-lvl ') == 2
    assert page(dispute) in text
    assert "support/ticket/add" not in text  # moderators open no tickets
