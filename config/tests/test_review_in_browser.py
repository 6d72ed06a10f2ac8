"""Clicks and page loads of the review desk and of the account page, counted in a real browser."""

import pytest
from django.core.management import call_command
from django.utils import timezone

from marketplace import services as market
from marketplace.models import Order
from marketplace.tests import factories as shop
from riskops.models import Anomaly, AnomalyRule, RelatedAccount
from riskops.scores.calculate import calculate_score
from systemadmin.models import User
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(page, sign_in, transactional_db):
    """`desk(role)`: signed in at a window of 1366 pixels, clicks and loads counted from then on."""
    call_command("setup", verbosity=0)
    page.set_viewport_size({"width": 1366, "height": 768})
    page.clicks = page.loads = 0
    page.loaded = []

    def counted(request):
        # The event "load" can come late, after the page it belongs to was ready.
        if request.is_navigation_request():
            page.loads += 1
            page.loaded.append(f"{request.method} {request.url}")

    def start(role, path):
        user = StaffFactory(role=role)
        sign_in(user)
        assert page.goto(path).status == 200
        page.on("request", counted)
        return user

    return start


def click(page, name):
    page.clicks += 1
    page.get_by_role("button", name=name).first.click()


def pending(title):
    product = shop.draft(UserFactory(), title=title)
    return market.submit_product(actor=product.seller, product=product)


def shown(page, title):
    page.locator("#review-title", has_text=title).wait_for()


def test_new_things_are_counted_without_moving_what_one_reads(page, desk):
    pending("First lamp")
    desk("marketplace_moderator", "/admin/review/products/")
    page.evaluate("sessionStorage.hears = 1")
    page.reload()
    shown(page, "First lamp")
    rows = page.locator("#review-rows .at-item")
    page.locator("#review-rows").hover()
    pending("Second lamp")
    page.locator("#review-new", has_text="1 new").wait_for()
    assert rows.count() == 1
    page.locator("#review-new").click()
    rows.filter(has_text="Second lamp").wait_for()
    assert page.locator("#review-title", has_text="First lamp").is_visible()
    page.evaluate("sessionStorage.clear()")
    page.goto("/admin/preferences/")
    # The tests' SQLite in memory refuses who reads a table while another writes it; a file waits.
    page.complaints[:] = [text for text in page.complaints if "503" not in text]


def test_approving_takes_one_click_and_no_load_and_is_undone_by_z(page, desk):
    first, _second = pending("First lamp"), pending("Second lamp")
    desk("marketplace_moderator", "/admin/review/products/")
    shown(page, "First lamp")
    click(page, "Approve")
    shown(page, "Second lamp")
    assert (page.clicks, page.loads) == (1, 0)
    assert page.evaluate("document.activeElement.id") == "review-title"
    first.refresh_from_db()
    assert first.status == "approved"
    page.keyboard.press("z")
    shown(page, "First lamp")
    first.refresh_from_db()
    assert (first.status, page.loads) == ("pending", 0)


def test_rejecting_with_a_reason_takes_two_clicks_and_no_load(page, desk):
    first, _second = pending("First lamp"), pending("Second lamp")
    desk("marketplace_moderator", "/admin/review/products/")
    # Without a reason the key leads to the place where it is written.
    page.keyboard.press("r")
    assert page.evaluate("document.activeElement.id") == "why"
    page.keyboard.press("Escape")
    page.clicks += 1
    page.locator(".at-pick", has_text="Price unclear").click()
    click(page, "Reject")
    shown(page, "Second lamp")
    assert (page.clicks, page.loads) == (2, 0)
    first.refresh_from_db()
    assert (first.status, first.status_reason) == ("rejected", "Say what the price is for.")


def test_all_by_keys(page, desk):
    first, second, third = (pending(f"Lamp {name}") for name in "ABC")
    desk("marketplace_moderator", "/admin/review/products/")
    page.keyboard.press("j")
    shown(page, "Lamp B")
    page.keyboard.press("k")
    shown(page, "Lamp A")
    page.keyboard.press("a")
    shown(page, "Lamp B")
    page.keyboard.press("1")
    page.keyboard.press("c")
    shown(page, "Lamp C")
    for product in (first, second, third):
        product.refresh_from_db()
    assert [one.status for one in (first, second, third)] == [
        "approved",
        "changes_requested",
        "pending",
    ]
    assert page.loaded == []


def test_a_swapped_link_loads_no_page_from_its_first_moment_on(page, desk):
    for name in "ABC":
        pending(f"Lamp {name}")
    desk("marketplace_moderator", "/admin/review/products/")
    # Presses `k` in the moment in which the second lamp appears, as a fast hand does.
    page.evaluate(
        """() => new MutationObserver((changes, observer) => {
          if (!document.querySelector("#review-title").textContent.includes("Lamp B")) return;
          observer.disconnect();
          document.body.dataset.pressed = "k";
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "k", bubbles: true }));
        }).observe(document.body, { childList: true, subtree: true })"""
    )
    page.keyboard.press("j")
    page.locator("body[data-pressed=k]").wait_for()
    shown(page, "Lamp A")
    assert page.loaded == []


def test_an_anomaly_takes_one_click(page, desk):
    now = timezone.now()
    for severity in ("high", "low"):
        Anomaly.objects.create(
            rule=AnomalyRule.objects.first()
            or AnomalyRule.objects.create(code="many", detector="many_devices", severity="low"),
            account=UserFactory(),
            severity=severity,
            first_hit_at=now,
            last_hit_at=now,
        )
    desk("risk_analyst", "/admin/review/anomalies/")
    click(page, "False positive")
    page.locator(".at-toast").wait_for()
    assert (page.clicks, page.loads) == (1, 0)
    assert Anomaly.objects.get(severity="high").outcome == "false_positive"


def test_a_pair_takes_one_click_at_the_desk_and_on_the_account_page(page, desk):
    people = sorted(UserFactory().pk for _ in range(3))
    pairs = [
        RelatedAccount.objects.create(low_id=people[0], high_id=other, strength=strength)
        for other, strength in ((people[1], 90), (people[2], 50))
    ]
    desk("risk_analyst", "/admin/review/pairs/")
    click(page, "Confirm link")
    page.locator(".at-toast").wait_for()
    assert (page.clicks, page.loads) == (1, 0)
    pairs[0].refresh_from_db()
    assert pairs[0].status == "confirmed"
    page.goto(f"/admin/riskops/account/{people[0]}/change/")
    page.clicks = page.loads = 0
    click(page, "Not the same")
    page.get_by_text("Take the verdict back").nth(1).wait_for()
    assert (page.clicks, page.loads) == (1, 0)
    pairs[1].refresh_from_db()
    assert pairs[1].status == "dismissed"


def test_suspending_from_the_account_takes_two_clicks_and_no_load(page, desk):
    user = UserFactory()
    calculate_score(account=user)
    desk("risk_analyst", f"/admin/riskops/account/{user.pk}/change/")
    page.clicks += 1
    page.locator("summary", has_text="Suspend").click()
    page.locator(".at-act[open] :focus").wait_for()
    page.keyboard.type("Shared wallet")
    click(page, "Suspend")
    page.get_by_text("Shared wallet").wait_for()
    assert (page.clicks, page.loads) == (2, 0)
    assert User.objects.get(pk=user.pk).is_suspended


@pytest.mark.parametrize(
    ("language", "typed", "said"), [("en", "95.50", "95.50"), ("es", "95,5", "95,50")]
)
def test_a_refund_is_typed_in_euros_and_said_before_it_is_done(page, desk, language, typed, said):
    order = shop.paid(shop.approved(price=258_00), buyer=UserFactory())
    user = desk("marketplace_moderator", "/admin/")
    User.objects.filter(pk=user.pk).update(language=language)
    page.context.add_cookies(
        [{"name": "django_language", "value": language, "url": page.url.partition("/admin")[0]}]
    )
    page.goto(f"/admin/marketplace/order/{order.pk}/change/")
    page.locator("[data-open='#refund']").click()
    dialog = page.locator("#refund")
    amount = dialog.locator("#refund-amount")
    send = dialog.locator("button[data-needs-amount]")
    amount.fill("259")
    assert send.is_disabled()
    assert dialog.locator("[data-amount-error]").is_visible()
    amount.fill(typed)
    assert send.is_enabled()
    assert f"{said} EUR" in send.inner_text()
    assert f"{said} EUR" in dialog.locator("[data-amount-says]").inner_text()
    send.click()
    page.locator(".at-notice-good").first.wait_for()
    assert Order.objects.get(pk=order.pk).refunded == 95_50


def test_a_refund_of_one_unit_is_chosen_and_its_sum_said(page, desk):
    order = shop.paid(
        shop.approved(price=12_50, shipping_amount=4_00), buyer=UserFactory(), quantity=2
    )
    line = order.lines.get().pk
    desk("marketplace_moderator", f"/admin/marketplace/order/{order.pk}/change/")
    page.locator("[data-open='#refund']").click()
    dialog = page.locator("#refund")
    send = dialog.locator("button[data-needs-amount]")
    units = dialog.locator(f"#refund-units-{line}")
    units.select_option("1")
    assert "12.50 EUR" in send.inner_text()
    dialog.locator("#refund-shipping").check()
    assert "16.50 EUR" in dialog.locator("[data-amount-says]").inner_text()
    units.select_option("0")
    dialog.locator("#refund-shipping").uncheck()
    assert "29.00 EUR" in send.inner_text()
    units.select_option("1")
    send.click()
    page.locator(".at-notice-good").first.wait_for()
    found = Order.objects.get(pk=order.pk)
    assert (found.refunded, found.lines.get().refunded_quantity) == (12_50, 1)


def test_a_key_that_is_held_or_pressed_again_decides_no_dispute(page, desk):
    """What cannot be undone is done by Enter, on the button that the question puts in focus."""
    order = shop.paid(shop.approved())
    dispute = market.open_dispute(actor=order.buyer, order=order, reason="not_received", body="No.")
    desk("marketplace_moderator", "/admin/review/disputes/")
    page.locator("#decide").wait_for()
    held = "(key) => document.body.dispatchEvent(new KeyboardEvent('keydown', key))"
    page.keyboard.press("s")
    page.locator("#consequence").wait_for()
    page.keyboard.press("s")
    for _time in range(5):
        page.evaluate(held, {"key": "s", "repeat": True, "bubbles": True})
    page.wait_for_timeout(300)
    dispute.refresh_from_db()
    assert dispute.status == "open"
    page.keyboard.press("Enter")
    page.locator("#consequence").wait_for(state="detached")
    dispute.refresh_from_db()
    assert dispute.status == "resolved_seller"
