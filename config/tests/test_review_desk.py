"""The review desk through its front door: who sees which queue, what a decision does and undoes."""

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from marketplace import services as market
from marketplace.models import Dispute, Product, ProductRevision, ReasonTemplate
from marketplace.tests import factories as shop
from messaging.models import MessageReport
from messaging.services import report_message
from messaging.tests.factories import send
from riskops.models import Anomaly, AnomalyRule, RelatedAccount, RiskScore
from riskops.review_queues import PAIRS
from riskops.scores.calculate import calculate_score
from systemadmin.foundation.plugins import collect
from systemadmin.foundation.testing import queries_of
from systemadmin.models import AuditEntry, Notification
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

# Which shipped role works which queue.
QUEUES = {
    "requests": {"risk_analyst", "operator"},
    "mail-in": {"support_agent", "operator"},
    "mail-out": {"support_agent", "operator"},
    "products": {"marketplace_moderator"},
    "edits": {"marketplace_moderator"},
    "disputes": {"marketplace_moderator"},
    "payouts": {"operator"},
    "webhooks": {"operator"},
    "flagged": {"risk_analyst"},
    "anomalies": {"risk_analyst"},
    "pairs": {"risk_analyst"},
    "clusters": {"risk_analyst"},
    "notices": {"operator"},
    "reports": {"support_agent", "marketplace_moderator"},
}
ROLES = ["support_agent", "marketplace_moderator", "risk_analyst", "operator", "auditor"]
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def roles(db):
    call_command("setup", verbosity=0)


def url(queue, thing=None, undo=False):
    if thing is None:
        return reverse("admin:review_queue", args=[queue])
    return reverse(f"admin:review_{'undo' if undo else 'thing'}", args=[queue, thing.pk])


def pending(**content):
    product = shop.draft(UserFactory(), **content)
    return market.submit_product(actor=product.seller, product=product)


def edit(title="Lamp, made by hand", **changes):
    product = shop.approved(UserFactory(), title="Lamp", price=8900)
    market.update_product(actor=product.seller, product=product, title=title, **changes)
    return ProductRevision.objects.get(product=product)


def anomaly(severity="low", account=None):
    rule = AnomalyRule.objects.first()
    now = timezone.now()
    return Anomaly.objects.create(
        rule=rule,
        account=account or UserFactory(),
        severity=severity,
        first_hit_at=now,
        last_hit_at=now,
        evidence={"count": 3},
    )


def pair(strength=80):
    low, high = sorted((UserFactory().pk, UserFactory().pk))
    return RelatedAccount.objects.create(low_id=low, high_id=high, strength=strength)


def dispute():
    order = shop.paid(buyer=UserFactory())
    return market.open_dispute(
        actor=order.buyer, order=order, reason="not_received", body="Nothing came."
    )


def report():
    author, reader = UserFactory(), UserFactory()
    message = send(author, reader, body="You are a fool.")
    return report_message(actor=reader, message=message, reason="harassment")


def flagged():
    user = UserFactory()
    calculate_score(account=user)
    RiskScore.objects.filter(pk=user.pk).update(review_since=timezone.now())
    return RiskScore.objects.get(pk=user.pk)


@pytest.fixture
def moderator(admin_client_for):
    return admin_client_for(StaffFactory(role="marketplace_moderator"))


@pytest.fixture
def analyst(admin_client_for):
    return admin_client_for(StaffFactory(role="risk_analyst"))


# -- who ---------------------------------------------------------------------------------


def test_every_queue_is_in_the_table_of_roles():
    offered = {one.queue.code for one in collect("worklists", "WORKLISTS") if one.queue}
    assert offered == set(QUEUES)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_its_queues_and_no_other(role, admin_client_for):
    client = admin_client_for(StaffFactory(role=role))
    opened = {code for code in QUEUES if client.get(url(code)).status_code == 200}
    assert opened == {code for code, holders in QUEUES.items() if role in holders}
    refused = {code: client.get(url(code)).status_code for code in set(QUEUES) - opened}
    assert set(refused.values()) <= {403}
    overview = client.get(reverse("admin:review"))
    assert overview.status_code == (200 if opened else 403)
    if opened:
        shown = {row["url"] for row in overview.context["queues"]}
        assert shown == {url(code) for code in opened}


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"marketplace_moderator"}))
def test_nobody_else_decides_about_a_product(role, admin_client_for):
    product = pending()
    client = admin_client_for(StaffFactory(role=role))
    answer = client.post(url("products", product), {"decision": "approve"})
    assert answer.status_code == 403
    product.refresh_from_db()
    assert product.status == "pending"


def test_unknown_queues_and_things_are_not_found(moderator):
    assert moderator.get(url("nothing")).status_code == 404
    assert moderator.get(reverse("admin:review_thing", args=["products", 10**9])).status_code == 404
    product = pending()
    answer = moderator.post(url("products", product), {"decision": "burn"})
    assert answer.status_code == 403


# -- one after the other -----------------------------------------------------------------


def test_approving_leads_to_the_next_oldest_and_back_again(moderator):
    first, second = pending(title="First"), pending(title="Second")
    answer = moderator.get(url("products"))
    assert answer.context["thing"] == first
    answer = moderator.post(url("products", first), {"decision": "approve"}, follow=True)
    assert answer.redirect_chain[-1][0] == url("products", second)
    assert "Approve: First" in answer.content.decode()
    first.refresh_from_db()
    assert first.status == "approved"
    answer = moderator.post(url("products", first, undo=True), {"decision": "approve"}, follow=True)
    assert answer.redirect_chain[-1][0] == url("products", first)
    first.refresh_from_db()
    assert first.status == "pending"
    assert moderator.get(url("products")).context["thing"] == first
    actions = list(AuditEntry.objects.order_by("-id").values_list("action", flat=True)[:8])
    assert "marketplace.product.undone" in actions


def test_htmx_gets_the_next_thing_with_a_toast_and_its_address(moderator):
    first, second = pending(title="First"), pending(title="Second")
    answer = moderator.post(url("products", first), {"decision": "approve"}, headers=HTMX)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert answer["HX-Push-Url"] == url("products", second)
    assert "<html" not in text
    assert "Approve: First" in text
    assert url("products", first, undo=True) in text


def test_after_the_last_one_all_is_clear(moderator):
    product = pending()
    answer = moderator.post(url("products", product), {"decision": "approve"}, headers=HTMX)
    assert "All clear" in answer.content.decode()
    assert answer["HX-Push-Url"] == url("products")


def test_a_rejection_needs_a_reason_and_keeps_what_was_ticked(moderator):
    product = pending()
    answer = moderator.post(url("products", product), {"decision": "reject", "text": " "})
    assert answer.status_code == 400
    assert "Give a reason" in answer.content.decode()
    ReasonTemplate.objects.create(code="x", action="reject", title="Contact", body="No numbers.")
    answer = moderator.post(
        url("products", product), {"decision": "reject", "reason": "1", "text": "Please."}
    )
    assert answer.status_code == 302
    product.refresh_from_db()
    assert (product.status, product.status_reason) == ("rejected", "No numbers.\n\nPlease.")


def test_a_reason_that_stands_in_the_text_is_not_sent_twice(moderator):
    product = pending()
    ReasonTemplate.objects.create(code="x", action="reject", title="Contact", body="No numbers.")
    moderator.post(
        url("products", product),
        {"decision": "reject", "reason": "1", "text": "No numbers. Thanks."},
    )
    product.refresh_from_db()
    assert product.status_reason == "No numbers. Thanks."


# -- two at once -------------------------------------------------------------------------


def test_the_second_of_two_reads_who_decided(moderator, admin_client_for):
    product = pending()
    rival = StaffFactory(role="marketplace_moderator", username="rival")
    market.approve_product(actor=rival, product=product)
    answer = moderator.post(
        url("products", product), {"decision": "reject", "text": "My long text"}
    )
    assert answer.status_code == 409
    assert "Already decided by rival" in answer.content.decode()
    product.refresh_from_db()
    assert product.status == "approved"


def test_what_changed_since_it_was_read_is_not_decided(moderator):
    product = pending()
    seen = product.version
    market.update_product(actor=product.seller, product=product, title="Something else")
    data = {"decision": "reject", "text": "Wrong photo", "version": seen}
    answer = moderator.post(url("products", product), data)
    text = answer.content.decode()
    assert answer.status_code == 412
    assert "It has changed since you read it" in text
    assert 'value="Wrong photo"' in text
    product.refresh_from_db()
    assert product.status == "pending"


def test_duties_are_refused_in_the_page_with_the_text_kept(admin_client_for):
    staff = StaffFactory(role="marketplace_moderator")
    product = shop.draft(staff)
    market.submit_product(actor=staff, product=product)
    client = admin_client_for(staff)
    answer = client.post(url("products", product), {"decision": "reject", "text": "My own"})
    assert answer.status_code == 403
    assert "Somebody else has to decide it" in answer.content.decode()
    assert 'value="My own"' in answer.content.decode()


def test_others_who_look_are_named(moderator, admin_client_for):
    product = pending()
    rival = admin_client_for(StaffFactory(role="marketplace_moderator", username="rival"))
    rival.get(url("products", product))
    assert "rival is looking too" in moderator.get(url("products", product)).content.decode()
    rival.post(url("products", product), {"decision": "approve"})
    presence = reverse("admin:review_presence", args=["products", product.pk])
    assert "rival" not in moderator.get(presence).content.decode()


# -- undo --------------------------------------------------------------------------------


def test_the_notice_of_what_was_undone_is_never_sent(moderator):
    product = pending()
    product.seller.email = "seller@example.test"
    product.seller.save()
    moderator.post(url("products", product), {"decision": "reject", "text": "No"})
    notice = Notification.objects.get(kind="marketplace.product_rejected")
    assert notice.next_attempt_at > timezone.now()
    moderator.post(url("products", product, undo=True), {"decision": "reject"})
    notice.refresh_from_db()
    assert notice.status == "skipped"


def test_only_who_decided_undoes_and_only_for_a_moment(moderator, admin_client_for):
    product = pending()
    moderator.post(url("products", product), {"decision": "approve"})
    rival = admin_client_for(StaffFactory(role="marketplace_moderator"))
    answer = rival.post(url("products", product, undo=True), {"decision": "approve"})
    assert answer.status_code == 409
    product.refresh_from_db()
    assert product.status == "approved"


def test_an_approved_edit_is_taken_off_the_product_again(moderator):
    revision = edit(price=12900)
    page = moderator.get(url("edits", revision)).content.decode()
    assert "+40.00 EUR" in page
    assert "44.9 %" in page
    moderator.post(url("edits", revision), {"decision": "approve"})
    product = Product.objects.get(pk=revision.product_id)
    assert (product.title, product.price) == ("Lamp, made by hand", 12900)
    moderator.post(url("edits", revision, undo=True), {"decision": "approve"})
    product.refresh_from_db()
    revision.refresh_from_db()
    assert (product.title, product.price, product.status) == ("Lamp", 8900, "approved")
    assert (revision.status, revision.decided_by) == ("pending", None)


def test_undoing_an_edit_does_not_take_the_live_product_off_sale(moderator):
    revision = edit()
    moderator.post(url("edits", revision), {"decision": "approve"})
    product = revision.product
    answer = moderator.post(url("products", product, undo=True), {"decision": "approve"})
    assert answer.status_code == 409
    product.refresh_from_db()
    assert product.status == "approved"


def test_a_resolved_anomaly_is_opened_again(analyst):
    found = anomaly()
    analyst.post(url("anomalies", found), {"decision": "false-positive"})
    found.refresh_from_db()
    assert (found.status, found.outcome) == ("resolved", "false_positive")
    analyst.post(url("anomalies", found, undo=True), {"decision": "false-positive"})
    found.refresh_from_db()
    assert (found.status, found.outcome, found.resolved_by) == ("open", "", None)


def test_an_anomaly_that_struck_again_is_not_opened_twice(analyst):
    found = anomaly()
    analyst.post(url("anomalies", found), {"decision": "confirmed"})
    anomaly(account=found.account)
    answer = analyst.post(url("anomalies", found, undo=True), {"decision": "confirmed"})
    assert answer.status_code == 409
    assert "found this account again" in answer.content.decode()


def test_a_pair_is_judged_and_taken_back(analyst):
    found = pair()
    answer = analyst.post(url("pairs", found), {"decision": "confirm"}, follow=True)
    assert str(PAIRS.card(found).title) in str(list(answer.context["messages"])[-1])
    found.refresh_from_db()
    assert found.status == "confirmed"
    analyst.post(url("pairs", found, undo=True), {"decision": "confirm"})
    found.refresh_from_db()
    assert found.status == "suspected"


# -- what cannot be undone is asked ------------------------------------------------------


def test_a_dispute_says_the_consequence_before_money_moves(moderator):
    found = dispute()
    total = found.order.total
    data = {"decision": "buyer", "text": "Never sent", "buyer-refund_amount": "1.00"}
    answer = moderator.post(url("disputes", found), data)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "1.00 EUR go back to" in text
    assert "It cannot be undone" in text
    assert 'value="Never sent"' in text
    found.refresh_from_db()
    assert found.status == Dispute.Status.OPEN
    answer = moderator.post(url("disputes", found), {**data, "confirmed": "buyer"})
    assert answer.status_code == 302
    found.refresh_from_db()
    assert (found.status, found.refund_amount) == ("resolved_buyer", 100)
    assert total > 100


def test_a_report_is_upheld_after_the_question(moderator):
    found = report()
    data = {"decision": "uphold", "text": "An insult", "uphold-warn": "on"}
    assert "is warned" in moderator.post(url("reports", found), data).content.decode()
    moderator.post(url("reports", found), {**data, "confirmed": "uphold"})
    assert MessageReport.objects.get(pk=found.pk).status == "upheld"


def test_a_flagged_account_is_suspended_and_let_in_again(analyst):
    found = flagged()
    analyst.post(url("flagged", found), {"decision": "suspend", "text": "Shared wallet"})
    found.account.refresh_from_db()
    assert found.account.is_suspended
    analyst.post(url("flagged", found, undo=True), {"decision": "suspend"})
    found.account.refresh_from_db()
    assert not found.account.is_suspended


# -- several -----------------------------------------------------------------------------


def test_several_are_decided_in_one_go_and_each_refusal_is_said(moderator):
    products = [pending(title=f"Number {n}") for n in range(3)]
    left = pending(title="Left")
    data = {"decision": "approve", "picked": [one.pk for one in products]}
    answer = moderator.post(url("products", products[0]), data, follow=True)
    assert "3 decided." in answer.content.decode()
    assert answer.context["thing"] == left
    assert Product.objects.filter(status="approved").count() == 3


# -- order and cost ----------------------------------------------------------------------


def test_the_most_urgent_comes_first_then_the_oldest(analyst):
    low, critical, high = anomaly("low"), anomaly("critical"), anomaly("high")
    answer = analyst.get(url("anomalies"))
    shown = [row.pk for row, _card, _url in answer.context["rows"]]
    assert shown == [critical.pk, high.pk, low.pk]
    answer = analyst.post(url("anomalies", critical), {"decision": "expected"})
    assert answer.url == url("anomalies", high)


def test_an_open_page_asks_for_the_list_alone(moderator, admin_client_for):
    first, second = pending(title="First lamp"), pending(title="Second lamp")
    part = moderator.get(url("products", first)).context["part"]
    listed = moderator.get(part).content.decode()
    assert "<html" not in listed
    assert [f'id="row-{one.pk}"' in listed for one in (first, second)] == [True, True]
    few = queries_of(lambda: moderator.get(part))
    for _ in range(9):
        pending()
    assert len(queries_of(lambda: moderator.get(part))) <= len(few)
    # What a colleague decided meanwhile is gone, and the list is whole.
    market.approve_product(actor=StaffFactory(is_superuser=True), product=first)
    later = moderator.get(part).content.decode()
    assert [f'id="row-{one.pk}"' in later for one in (first, second)] == [False, True]


def page_queries(client, address):
    def look():
        assert client.get(address).status_code == 200

    look()
    return queries_of(look)


@pytest.mark.parametrize(
    ("queue", "make", "who"),
    [
        ("products", pending, "moderator"),
        ("edits", edit, "moderator"),
        ("disputes", dispute, "moderator"),
        ("reports", report, "moderator"),
        ("anomalies", anomaly, "analyst"),
        ("pairs", pair, "analyst"),
        ("flagged", flagged, "analyst"),
    ],
)
def test_a_page_costs_the_same_for_one_and_for_ten_and_counts_nothing(queue, make, who, request):
    client = request.getfixturevalue(who)
    first = make()
    address = url(queue, first)
    few = page_queries(client, address)
    for _ in range(9):
        make()
    many = page_queries(client, address)
    assert len(many) <= len(few) + 1, "\n".join(one["sql"][:150] for one in many)
    model = next(
        one.queue.model
        for one in collect("worklists", "WORKLISTS")
        if one.queue and one.queue.code == queue
    )
    table = model.lower().replace(".", "_")
    counting = [
        one["sql"]
        for one in many
        if f'COUNT(*) AS "__count" FROM "{table}"' in one["sql"]
        and "account_id" not in one["sql"]
        and "seller_id" not in one["sql"]
        and "reported_id" not in one["sql"]
    ]
    assert counting == []


def test_the_next_thing_begins_without_a_reason(admin_client_for, staff):
    """A ticked reason that stayed would be written to the next one too."""
    rule = AnomalyRule.objects.first()
    assert rule is not None
    for _number in range(2):
        Anomaly.objects.create(
            rule=rule,
            account=UserFactory(),
            severity="low",
            first_hit_at=timezone.now(),
            last_hit_at=timezone.now(),
        )
    client = admin_client_for(staff("risk_analyst"))
    first = Anomaly.objects.order_by("pk").first()
    page = client.get(reverse("admin:review_thing", args=["anomalies", first.pk]))
    assert page.context["reasons"]
    body = {"decision": "expected", "reason": "1", "text": "", "version": first.version}
    answer = client.post(page.request["PATH_INFO"], body, headers={"HX-Request": "true"})
    first.refresh_from_db()
    assert (first.status, bool(first.note)) == ("resolved", True)
    assert not any(ticked for _number, _reason, ticked in answer.context["reasons"])
