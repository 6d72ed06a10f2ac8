"""The admin: every page opens, every action calls its service, refusals are told per row."""

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from marketplace import services
from marketplace.admin.order_overview import order_overview
from marketplace.models import (
    Category,
    CommissionRule,
    LedgerAccount,
    Order,
    Payout,
    Product,
    ProductRevision,
    ReasonTemplate,
)
from marketplace.tests import factories
from systemadmin.foundation.testing import assert_constant_queries
from systemadmin.models import AuditEntry
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture
def browser(admin_client_for, superuser):
    return admin_client_for(superuser)


@pytest.fixture
def moderator(admin_client_for, staff):
    return admin_client_for(staff("marketplace_moderator"))


def page(model, name="changelist", *args):
    return reverse(f"admin:marketplace_{model}_{name}", args=args)


def act(client, model, action, *objects, **data):
    """Choose rows, choose the action, fill the page that follows."""
    body = {"action": action, "_selected_action": [one.pk for one in objects], **data}
    if data:
        body["apply"] = "1"
    return client.post(page(model), body, follow=True)


def told(response):
    """Messages above the page and errors in its form."""
    form = response.context.get("adminform")
    errors = form.form.errors.values() if form else []
    return [str(message) for message in response.context["messages"]] + [
        text for texts in errors for text in texts
    ]


@pytest.fixture
def shop(db):
    """One of everything."""
    factories.rule(name="All", ppm=100_000, tax_ppm=210_000)
    seller = UserFactory()
    product = factories.approved(seller, price=20_00, stock=None)
    services.update_product(
        actor=seller, product=product, price=60_00, description="Something else, quite new."
    )
    order = factories.completed(product)
    dispute = services.open_dispute(
        actor=order.buyer, order=order, reason="damaged", body="Broken."
    )
    services.refund_order(actor=None, order=factories.completed(product), amount=1_00)
    payout = services.create_payout(actor=factories.root(), seller=seller, currency="EUR")
    factories.paid(product)
    ReasonTemplate.objects.create(code="t", action="reject", title="T", body="Because.")
    return {
        "product": product,
        "order": order,
        "dispute": dispute,
        "payout": payout,
        "productrevision": ProductRevision.objects.get(),
        "category": Category.objects.first(),
        "commissionrule": CommissionRule.objects.first(),
        "commissionline": order.lines.get().commission,
        "ledgertransaction": order.ledger_transactions.first(),
        "ledgeraccount": LedgerAccount.objects.first(),
        "reasontemplate": ReasonTemplate.objects.get(),
    }


def test_every_list_and_page_opens(browser, shop):
    for model, obj in shop.items():
        assert browser.get(page(model)).status_code == 200, model
        assert browser.get(page(model, "change", obj.pk)).status_code == 200, model
    for model in ("category", "commissionrule", "reasontemplate"):
        assert browser.get(page(model, "add")).status_code == 200, model
    for name in ("reports", "commissionrule_order", "commissionrule_whatif"):
        assert browser.get(reverse(f"admin:marketplace_{name}")).status_code == 200, name


def test_pages_hold_no_inline_style_or_script(browser, shop):
    for url in (
        page("product", "change", shop["product"].pk),
        page("productrevision", "change", shop["productrevision"].pk),
        reverse("admin:marketplace_reports"),
        reverse("admin:marketplace_commissionrule_whatif"),
    ):
        text = browser.get(url).content.decode().split("<body", 1)[1]
        assert " style=" not in text
        assert " onclick=" not in text
        assert "<script>" not in text


def test_queue_shows_age_risk_and_findings(moderator, settings):
    from systemadmin.services import change_settings

    change_settings(actor=factories.root(), values={"marketplace.forbidden_words": ["replica"]})
    product = factories.draft(title="Replica of a watch")
    services.submit_product(actor=product.seller, product=product)
    Product.objects.filter(pk=product.pk).update(
        submitted_at=timezone.now() - timezone.timedelta(hours=30)
    )
    text = moderator.get(page("product"), {"status__exact": "pending"}).content.decode()
    assert "1\xa0day, 6\xa0hours" in text
    assert "forbidden words" in text


def test_approve_with_page_and_refusal_per_row(moderator):
    waiting = factories.draft()
    services.submit_product(actor=waiting.seller, product=waiting)
    draft = factories.draft()
    asked = act(moderator, "product", "approve", waiting, draft)
    assert b"This will be done to" in asked.content
    waiting.refresh_from_db()
    assert waiting.status == "pending"
    done = act(moderator, "product", "approve", waiting, draft, reason="")
    waiting.refresh_from_db()
    assert waiting.status == "approved"
    assert any(str(draft) in text for text in told(done))


@pytest.mark.parametrize(
    ("action", "status"),
    [("reject", "rejected"), ("request_changes", "changes_requested"), ("remove", "removed")],
)
def test_decisions_need_a_reason(moderator, action, status):
    product = factories.draft()
    services.submit_product(actor=product.seller, product=product)
    asked = act(moderator, "product", action, product, reason=" ")
    assert b"Say why" in asked.content
    template = ReasonTemplate.objects.create(code="x", action="reject", title="X", body="Because.")
    act(moderator, "product", action, product, template=template.pk)
    product.refresh_from_db()
    assert (product.status, product.status_reason) == (status, "Because.")


def test_pause_and_resume(moderator):
    product = factories.approved()
    act(moderator, "product", "pause", product, reason="Recall")
    product.refresh_from_db()
    assert (product.status, product.is_paused_by_staff) == ("paused", True)
    act(moderator, "product", "resume", product)
    product.refresh_from_db()
    assert product.status == "approved"


def test_diff_and_decision_about_an_edit(moderator, shop):
    revision = shop["productrevision"]
    text = moderator.get(page("productrevision", "change", revision.pk)).content.decode()
    assert "<del>20.00 EUR</del>" in text or "<del>20.00</del>" in text
    assert "<ins>" in text
    act(moderator, "productrevision", "approve", revision)
    shop["product"].refresh_from_db()
    assert shop["product"].price == 60_00


def test_diff_escapes_what_sellers_write(moderator):
    product = factories.approved(price=20_00)
    services.update_product(
        actor=product.seller, product=product, description="<script>alert(1)</script> new text"
    )
    revision = ProductRevision.objects.get()
    text = moderator.get(page("productrevision", "change", revision.pk)).content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_agents_without_permission_have_no_actions(admin_client_for, staff):
    product = factories.draft()
    services.submit_product(actor=product.seller, product=product)
    agent = admin_client_for(staff("support_agent"))
    assert b'value="approve"' not in agent.get(page("product")).content
    act(agent, "product", "approve", product, reason="")
    product.refresh_from_db()
    assert product.status == "pending"


def test_order_actions(browser):
    order = factories.order()
    act(browser, "order", "pay", order, reference="p1", processing_fee="0.10")
    act(browser, "order", "complete", order)
    act(browser, "order", "refund", order, amount="5", reason="Scratch")
    order.refresh_from_db()
    assert (order.status, order.refunded, order.processing_fee) == ("completed", 5_00, 10)
    unpaid = factories.order()
    act(browser, "order", "cancel", unpaid, note="Never mind")
    unpaid.refresh_from_db()
    assert (unpaid.status, unpaid.cancel_reason) == ("cancelled", "Never mind")


def test_the_page_of_an_order_begins_with_who_and_how_much(browser):
    seller = UserFactory(first_name="Bruno", last_name="Romero")
    order = factories.paid(factories.approved(seller))
    answer = browser.get(reverse("admin:marketplace_order_change", args=[order.pk]))
    head, _, rest = answer.content.decode().partition("Every field")
    assert f"Order #{order.pk}" in head
    assert "Bruno Romero" in head
    assert reverse("admin:riskops_account_change", args=[seller.pk]) in head
    amounts = dict(answer.context["overview"]["amounts"])
    assert amounts["Total"] == "20.00 EUR"
    assert amounts["Refunded"] == "0.00 EUR"
    assert "Discount by the platform" not in amounts
    assert "Discount by the platform" in rest


def test_dispute_actions(moderator, shop):
    dispute = shop["dispute"]
    act(moderator, "dispute", "reply", dispute, body="Please send a photo.")
    assert dispute.messages.last().body == "Please send a photo."
    act(moderator, "dispute", "resolve_for_buyer", dispute, refund_amount="3.00", note="Partly")
    dispute.refresh_from_db()
    assert (dispute.status, dispute.refund_amount) == ("resolved_buyer", 3_00)


def test_payout_actions(browser):
    seller = factories.completed().seller
    account = LedgerAccount.objects.get(seller=seller, code="seller_payable")
    act(browser, "ledgeraccount", "pay_out", account)
    payout = Payout.objects.get()
    act(browser, "payout", "mark_failed", payout, reason="IBAN")
    act(browser, "payout", "retry", payout)
    act(browser, "payout", "mark_paid", payout, reference="SEPA-1")
    payout.refresh_from_db()
    assert (payout.status, payout.attempts, payout.reference) == ("paid", 2, "SEPA-1")


def test_categories_are_saved_by_the_service(browser):
    browser.post(page("category", "add"), {"name": "Garden", "slug": "garden", "position": 1})
    garden = Category.objects.get()
    assert garden.path == f"/{garden.pk}/"
    answer = browser.post(
        page("category", "change", garden.pk),
        {"name": "Garden", "slug": "garden", "position": 1, "parent": garden.pk},
        follow=True,
    )
    assert any("below itself" in text for text in told(answer))
    browser.post(page("category", "delete", garden.pk), {"post": "yes"})
    assert not Category.objects.exists()


def refund(client, order, **data):
    body = {"object_action": "refund", "object_version": order.version}
    body |= {f"refund-{name}": value for name, value in data.items()}
    address = reverse("admin:marketplace_order_change", args=[order.pk])
    return client.post(address, body, follow=True).content.decode()


def test_a_refund_names_units_and_shipping_and_what_happens_to_the_stock(browser):
    product = factories.approved(price=10_00, shipping_amount=3_00, stock=5)
    order = factories.completed(product, quantity=3)
    line = order.lines.get().pk
    shown = browser.get(reverse("admin:marketplace_order_change", args=[order.pk]))
    assert "2 units, 20.00 EUR" in shown.content.decode()
    assert "The shipping, 3.00 EUR" in shown.content.decode()
    wrong = refund(browser, order, amount="9.99", **{f"units-{line}": "1"})
    assert "What you chose comes to 10.00 EUR. Write that amount." in wrong
    assert 'value="1" data-sum="10.00" selected' in wrong
    refund(browser, order, amount="10.00", stock="back", **{f"units-{line}": "1"})
    product.refresh_from_db()
    order.refresh_from_db()
    assert (product.stock, order.refunded, order.lines.get().refunded_quantity) == (3, 10_00, 1)
    refund(browser, order, amount="23.00", shipping="on", **{f"units-{line}": "2"})
    order.refresh_from_db()
    product.refresh_from_db()
    assert (product.stock, order.status, order.lines.get().refunded_quantity) == (3, "refunded", 3)
    assert order.lines.get().refunded_shipping == 3_00


def test_258_refunds_258_euros_in_both_languages(browser, settings):
    for typed, language, expected in (
        ("258", "en", 258_00),
        ("258.00", "en", 258_00),
        ("258,00", "es", 258_00),
        ("1.258,5", "es", 1_258_50),
        ("1,258.50", "en", 1_258_50),
    ):
        order = factories.completed(factories.approved(price=2_000_00))
        browser.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        act(browser, "order", "refund", order, amount=typed, reason="")
        order.refresh_from_db()
        assert order.refunded == expected, (typed, language)
    yen = factories.completed(factories.approved(price=2_000, currency="JPY"))
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    act(browser, "order", "refund", yen, amount="25.5", reason="")
    yen.refresh_from_db()
    assert yen.refunded == 0


def test_what_if(browser, shop):
    rule = factories.rule(name="Twenty", ppm=200_000, is_active=False)
    today = timezone.now().date()
    answer = browser.get(
        reverse("admin:marketplace_commissionrule_whatif"),
        {"start": today, "end": today + timezone.timedelta(days=1), "rule": rule.pk},
    )
    row = answer.context["result"]["currencies"][0]
    assert (row["lines"], row["changed"]) == (3, 3)
    assert row["difference"].startswith("6.00")


def test_reports_need_their_permission(admin_client_for, staff, shop):
    agent = admin_client_for(staff("support_agent"))
    assert agent.get(reverse("admin:marketplace_reports")).status_code == 403
    operator = admin_client_for(staff("operator"))
    assert b"<svg" in operator.get(reverse("admin:marketplace_reports")).content
    text = operator.get(reverse("admin:marketplace_reports_csv")).getvalue().decode()
    assert text.splitlines()[0].startswith("period,seller_name,category_name,currency")


def test_lists_do_not_grow_in_queries(browser):
    factories.completed()

    def grow():
        for _ in range(8):
            factories.completed(factories.approved(UserFactory()))
            product = factories.draft(UserFactory())
            services.submit_product(actor=product.seller, product=product)

    for model in ("product", "order", "ledgertransaction", "ledgeraccount", "commissionline"):
        assert_constant_queries(lambda name=model: browser.get(page(name)), grow)
    assert Order.objects.count() > 30


def test_what_is_in_use_is_said_to_be_when_deleted_in_bulk(browser, shop):
    used = [shop["category"], Category.objects.create(name="Free", slug="free", path="/999/")]
    body = {"action": "delete_selected", "_selected_action": [one.pk for one in used]}
    answer = browser.post(page("category"), {**body, "post": "yes"}, follow=True)
    assert answer.status_code == 200
    assert list(Category.objects.filter(pk__in=[one.pk for one in used])) == used[:1]


class TestPageOfAnOrder:
    """Who, what happened and what can be begun stand on the page of the order."""

    def text(self, client, order):
        return client.get(page("order", "change", order.pk)).content.decode()

    def test_it_tells_what_happened_in_order(self, shop):
        refunded = Order.objects.get(refunded=1_00)
        root = factories.root()
        steps = order_overview(refunded, root)["steps"]
        assert [str(step["title"]) for step in steps] == [
            "Ordered",
            "Paid",
            "Completed",
            "Refunded: 1.00 EUR",
        ]
        steps = order_overview(shop["dispute"].order, root)["steps"]
        assert [str(step["title"]) for step in steps][-2:] == ["Dispute opened", "Dispute decided"]
        assert steps[-1]["at"] is None

    def test_a_ticket_about_it_begins_with_account_and_subject(self, browser, shop):
        order = shop["order"]
        found = re.findall(r'href="(/admin/support/ticket/add/[^"]+)"', self.text(browser, order))
        assert len(found) == 2
        form = browser.get(html.unescape(found[0])).content.decode()
        assert f'value="{order.buyer.username}"' in form
        assert f'value="Order #{order.pk}"' in form

    def test_a_dispute_is_opened_for_the_buyer(self, admin_client_for, staff, shop):
        person = staff("marketplace_moderator")
        moderator = admin_client_for(person)
        order = factories.paid(shop["product"])
        answer = act(
            moderator, "order", "open_dispute", order,
            party="buyer", reason="damaged", body="Broken in the post.",
        )  # fmt: skip
        assert "1 done." in told(answer)
        dispute = order.disputes.get()
        assert (dispute.opened_by, dispute.reason) == (order.buyer, "damaged")
        assert dispute.messages.get().author == person
        order.refresh_from_db()
        assert order.status == "disputed"
        entry = AuditEntry.objects.get(
            action="marketplace.order.dispute_opened", target_id=order.pk
        )
        assert entry.actor == person

    def test_its_queries_do_not_grow_with_what_happened(self, browser, shop):
        order = Order.objects.get(refunded=1_00)
        url = page("order", "change", order.pk)

        def more():
            services.refund_order(actor=None, order=order, amount=1_00)

        assert_constant_queries(lambda: browser.get(url), more)


class TestSearchOfOrders:
    """By number or whole reference, each by its index."""

    LIST = "/admin/marketplace/order/"

    def found(self, browser, text):
        return [order.pk for order in browser.get(self.LIST, {"q": text}).context["cl"].result_list]

    def test_an_order_is_found_by_number_reference_and_external_id(self, browser):
        orders = [factories.order(factories.approved()) for _ in range(3)]
        Order.objects.filter(pk=orders[1].pk).update(
            payment_reference="pi_77", external_id="shop-77"
        )
        for text in (str(orders[0].pk), f"#{orders[0].pk}", f" {orders[0].pk} "):
            assert self.found(browser, text) == [orders[0].pk]
        assert self.found(browser, "pi_77") == self.found(browser, "shop-77") == [orders[1].pk]
        for text in ("lamp", "9" * 40, "-1", "²", "pi_7", "1e3"):
            assert self.found(browser, text) == []
        assert len(self.found(browser, "")) == 3

    def test_no_number_is_compared_as_a_text(self, browser):
        with CaptureQueriesContext(connection) as queries:
            self.found(browser, "4711")
        assert not [query for query in queries if "UPPER" in query["sql"]]
