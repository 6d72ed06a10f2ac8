"""A day at the desks in a real browser: every step at two widths, in light and dark.

Nothing may be blocked by the Content-Security-Policy, no error may reach the console (the `page`
fixture sees to both), nothing may stick out sideways, and axe must find nothing serious.
"""

import re

import pytest
from django.core.management import call_command

from config.tests.browser import show
from marketplace import services as marketplace
from marketplace.models import Product
from marketplace.tests import factories as shop
from riskops.models import Anomaly
from riskops.tests.factories import record
from riskops.tests.test_anomalies import burst
from riskops.tests.worlds import Builder
from support.models import Reply
from support.tests.factories import make_ticket
from systemadmin.foundation import maintenance
from systemadmin.tests.factories import (
    PASSWORD,
    StaffFactory,
    UserFactory,
    totp_code,
    totp_device_for,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

WIDTHS = pytest.mark.parametrize(
    ("width", "height", "scheme"), [(1280, 900, "light"), (390, 844, "dark")]
)


@pytest.fixture(autouse=True)
def required(settings):
    settings.REQUIRE_STAFF_2FA = True


@pytest.fixture
def chief(transactional_db):
    """May do everything, and has an authenticator app."""
    # A test with real transactions starts without what migrations wrote.
    call_command("setup")
    return StaffFactory(username="ana", is_superuser=True)


def press(page, name):
    """Press the button and wait for the page it brings; what is left of this one is not judged."""
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def press_language(page, name):
    """Press it in the bar, or on a phone in the menu of the account."""
    if page.viewport_size["width"] < 720:
        page.locator(".at-menu-me summary").click()
    press(page, name)


def act(page, row, action):
    """Choose a row of a list and an action for it, as a hand would."""
    page.locator("tr", has=page.get_by_role("link", name=row)).get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option(action)
    press(page, "Go")


@WIDTHS
def test_a_day_at_the_desks(page, chief, look, width, height, scheme):
    show(page, width, height, scheme)
    seller, customer = UserFactory.create_batch(2)
    product = shop.draft(seller, title="Olive lamp")
    marketplace.submit_product(actor=seller, product=product)
    ticket = make_ticket(customer, subject="Where is my lamp?")
    record(*burst(customer, "transfer", 10))
    call_command("detect_anomalies", "--all-history")
    anomaly = Anomaly.objects.get()

    # In with the second factor.
    device = totp_device_for(chief)
    page.goto("/admin/login/")
    look("login")
    page.get_by_label("Username:").fill("ana")
    page.get_by_label("Password:").fill(PASSWORD)
    press(page, "Log in")
    look("code")
    page.get_by_label("Code:").fill(totp_code(device))
    press(page, "Log in")
    page.wait_for_url(re.compile(r"/admin/$"))
    page.locator("#home .at-spark").first.wait_for()
    look("home")

    # Both languages.
    press_language(page, "ES")
    page.locator("html[lang=es]").wait_for()
    look("home-es")
    press_language(page, "EN")

    # A product is approved.
    page.goto("/admin/marketplace/product/?status__exact=pending")
    look("queue")
    act(page, "Olive lamp", "approve")
    look("approve")
    press(page, "Approve")
    page.locator(".messagelist .success").wait_for()
    product.refresh_from_db()
    assert product.status == Product.Status.APPROVED

    # A ticket is answered.
    page.goto(f"/admin/support/ticket/{ticket.pk}/change/")
    look("ticket")
    page.locator("#reply-body").fill("It is on its **way**.")
    page.get_by_label("Other ways to send").click()
    page.get_by_role("button", name="Send and stay here").click()
    page.locator("strong", has_text="way").wait_for()
    assert Reply.objects.filter(ticket=ticket, author=chief).count() == 1

    # An anomaly is resolved.
    page.goto("/admin/riskops/anomaly/")
    look("anomalies")
    act(page, anomaly.rule.get_detector_display(), "resolve")
    page.get_by_label("Outcome:").select_option("false_positive")
    look("resolve")
    page.locator("input[name=apply]").click()
    page.locator(".messagelist .success").wait_for()
    anomaly.refresh_from_db()
    assert (anomaly.status, anomaly.resolved_by) == ("resolved", chief)

    # Maintenance, on and off again.
    page.goto("/admin/systemadmin/maintenancewindow/on/")
    look("maintenance")
    page.get_by_label("Message in English:").fill("Back soon")
    press(page, "Switch maintenance on")
    page.get_by_text("Maintenance is on").wait_for()
    page.goto("/admin/systemadmin/maintenancewindow/")
    look("maintenance-on")
    press(page, "Switch maintenance off")
    page.get_by_text("Maintenance is on").wait_for(state="detached")
    assert maintenance.window_in_force() is None


@WIDTHS
def test_the_pages_people_only_read(page, sign_in, chief, look, width, height, scheme):
    show(page, width, height, scheme)
    sign_in(chief)
    for path, name in (
        ("/admin/status/", "status"),
        ("/admin/settings/", "settings"),
        ("/admin/systemadmin/backup/", "backups"),
        ("/admin/systemadmin/alert/", "alerts"),
        ("/admin/systemadmin/auditentry/", "audit"),
        ("/admin/systemadmin/user/", "users"),
        ("/admin/support/ticket/", "tickets"),
        ("/admin/support/ticket/reports/", "support-reports"),
        ("/admin/marketplace/order/reports/", "order-reports"),
        ("/admin/marketplace/commissionrule/", "rules"),
        ("/admin/marketplace/commissionrule/what-if/", "rules-what-if"),
        ("/admin/messaging/messagereport/", "reports"),
        ("/admin/riskops/rulesettrial/calibration/", "calibration"),
    ):
        assert page.goto(path).status == 200
        page.locator("#content").wait_for()
        look(name)


@WIDTHS
def test_who_is_behind_an_account(page, sign_in, chief, look, width, height, scheme):
    show(page, width, height, scheme)
    sign_in(chief)
    world = Builder(21)
    world.people(60)
    ring = world.ring(4)
    world.done()
    call_command("detect_related_accounts")
    page.goto(f"/admin/riskops/account/{ring[0]}/change/")
    look("account")
    page.goto(f"/admin/riskops/account/{ring[0]}/graph/")
    graph = page.locator("#graph[data-ready]")
    graph.wait_for()
    assert int(graph.get_attribute("data-ready")) > 1
    look("graph")
    # With the keyboard alone: to a neighbour, and into its page.
    graph.focus()
    start = page.locator("#graph-status").inner_text()
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
        if page.locator("#graph-status").inner_text() != start:
            break
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"/account/(?!{ring[0]}/)\d+/change/"))

    page.goto("/admin/riskops/rulesettrial/")
    look("what-if")
    page.get_by_role("spinbutton", name="Reported content: Points").fill("25")
    press(page, "Show what would change")
    page.get_by_text("Before and after").wait_for()
    look("what-if-shown")
