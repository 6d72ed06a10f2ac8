"""Nobody of staff sees the risk of an account of their own, nor finds it by its level."""

import re

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.tests.test_own_case import account_of, reads, whose_case
from marketplace.models import Product, ProductRevision
from marketplace.review_queues.products import EDITS, PRODUCTS
from marketplace.tests import factories as shop
from riskops.models import RelatedAccount, RiskScore
from riskops.models.scores import Level
from riskops.scores.calculate import calculate_score
from riskops.services import override_score
from riskops.worklists import _accounts
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
SCORE = 83
# As a number by itself: names and addresses of a page may hold the same digits.
TAG = re.compile(r"<[^>]*>")
ALONE = re.compile(rf"(?<![\w.,:#/-]){SCORE}(?![\w.,:%/-])")


def shows(page):
    """Whether what people read on a page has the score."""
    return bool(ALONE.search(TAG.sub(" ", page)))


@pytest.fixture(autouse=True)
def shipped(db):
    call_command("setup", verbosity=0)


def scored(account):
    """The account with a score that stands out."""
    calculate_score(account=account, actor=None)
    level = Level.HIGH
    RiskScore.objects.filter(pk=account.pk).update(score=SCORE, level=level, computed=SCORE)
    return account


def seller(reader, whose):
    return scored(account_of(reader, whose))


def pair(one, other):
    low, high = sorted((one, other), key=lambda account: account.pk)
    found, _new = RelatedAccount.objects.get_or_create(low=low, high=high)
    return found


@whose_case
def test_the_api_shows_no_score_of_ones_own(whose, as_user):
    analyst = StaffFactory(role="risk_analyst")
    account = seller(analyst, whose)
    middle = UserFactory()
    pair(account, middle)
    client = as_user(analyst)

    def listed(query):
        return client.get(f"/api/admin/users?{query}").json()["results"]

    row = client.get(f"/api/admin/users/{account.pk}").json()
    (found,) = [one for one in listed("") if one["id"] == account.pk]
    graph = client.get(f"/api/admin/users/{middle.pk}/graph").json()
    (node,) = [one for one in graph["nodes"] if one["id"] == account.pk]
    reads(
        whose,
        {
            "account": row["risk_score"] == SCORE and row["risk_level"] == "high",
            "list": found["risk_score"] == SCORE and found["risk_level"] == "high",
            "by level": account.pk in [one["id"] for one in listed("risk_level=high")],
            "by score": account.pk in [one["id"] for one in listed("ordering=-risk_score")],
            "graph": node["score"] == SCORE and node["level"] == "high",
        },
    )
    if whose != "somebody's":
        assert (row["risk_score"], row["risk_level"], node["score"]) == (None, None, None)


@whose_case
def test_the_pages_of_the_risk_desk_show_no_score_of_ones_own(whose, admin_client_for):
    analyst = StaffFactory(role="risk_analyst")
    account = seller(analyst, whose)
    browser = admin_client_for(analyst)

    def page(name, query=""):
        return browser.get(reverse(f"admin:riskops_{name}_changelist") + query).content.decode()

    accounts = page("account", f"?q={account.username}")
    assert account.username in accounts
    link = reverse("admin:riskops_account_change", args=[account.pk])
    reads(
        whose,
        {
            "accounts": shows(accounts),
            "by level": link in page("account", f"?risk_score__level__exact={Level.HIGH}"),
            "scores": shows(page("riskscore")),
            "work": account.pk in [one.pk for one in _accounts(analyst)],
        },
    )


@whose_case
def test_what_was_set_by_hand_is_not_shown_either(whose, admin_client_for):
    analyst = StaffFactory(role="risk_analyst")
    account = account_of(analyst, whose)
    colleague = StaffFactory(is_superuser=True)
    override_score(actor=colleague, account=account, score=SCORE, reason="Seen", expires_at=None)
    browser = admin_client_for(analyst)
    text = browser.get(reverse("admin:riskops_riskoverride_changelist")).content.decode()
    reads(whose, {"override": shows(text)})


@whose_case
def test_the_marketplace_shows_no_risk_of_ones_own(whose, as_user, admin_client_for):
    moderator = StaffFactory(role="marketplace_moderator")
    account = seller(moderator, whose)
    product = shop.draft(account)
    finding = {"code": "seller_risk", "severity": "high", "detail": f"{SCORE} (high)", "data": {}}
    waits = {"status": Product.Status.PENDING, "submitted_at": timezone.now()}
    Product.objects.filter(pk=product.pk).update(checks=[finding], **waits)
    live = shop.approved(account)
    revision = ProductRevision.objects.create(
        product=live,
        created_by=account,
        base_version=1,
        **waits,
        patch={"title": "New"},
        base={"title": "Old"},
        checks=[finding],
    )
    client, browser = as_user(moderator), admin_client_for(moderator)

    def page(name, *args):
        return shows(browser.get(reverse(f"admin:{name}", args=args)).content.decode())

    answer = client.get(f"/api/admin/products/{product.pk}").json()
    rows = client.get("/api/admin/products").json()["results"]
    edit = client.get(f"/api/admin/product-revisions/{revision.pk}").json()
    (thing,) = PRODUCTS.rows(moderator).filter(pk=product.pk)
    (edited,) = EDITS.rows(moderator).filter(pk=revision.pk)
    reads(
        whose,
        {
            "answer": answer["seller_risk"] == {"score": SCORE, "level": "high"},
            "finding": answer["checks"] == [finding],
            "rows": all(row["seller_risk"] is not None for row in rows),
            "edit": edit["checks"] == [finding],
            "products": page("marketplace_product_changelist"),
            "product": page("marketplace_product_change", product.pk),
            "edits": page("marketplace_productrevision_changelist"),
            "the edit": page("marketplace_productrevision_change", revision.pk),
            "desk": str(SCORE) in str(PRODUCTS.card(thing).marks),
            "desk of edits": str(SCORE) in str(EDITS.card(edited).marks),
        },
    )


def test_hiding_ones_own_costs_the_same_for_any_number(as_user):
    analyst = StaffFactory(role="risk_analyst")
    client = as_user(analyst)

    def cost():
        with CaptureQueriesContext(connection) as queries:
            client.get("/api/admin/users")
        return len(queries)

    scored(UserFactory())
    cost()
    few = cost()
    for _number in range(5):
        scored(UserFactory())
    assert cost() == few
