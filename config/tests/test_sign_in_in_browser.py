"""Signing in with a second factor, in a real browser at two widths, with nothing blocked."""

import re

import pytest

from systemadmin.models import EncryptedTotpDevice
from systemadmin.tests.factories import PASSWORD, StaffFactory, totp_code

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def required(settings):
    settings.REQUIRE_STAFF_2FA = True


@pytest.fixture
def ana(transactional_db):
    from django.core.management import call_command

    # A test with real transactions starts without what migrations wrote.
    call_command("setup")
    return StaffFactory(username="ana", role="operator")


def give_password(page):
    page.goto("/admin/login/")
    page.get_by_label("Username:").fill("ana")
    page.get_by_label("Password:").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("width", [1280, 390])
def test_from_enrolment_to_the_next_sign_in(page, ana, width):
    page.set_viewport_size({"width": width, "height": 844})
    give_password(page)
    page.get_by_role("button", name="Set up an authenticator app").click()
    box = page.locator(".atalaya-qr svg").bounding_box()
    assert 100 < box["width"] == box["height"] <= width
    device = EncryptedTotpDevice.objects.get(user=ana)
    page.get_by_label("Code that the app shows:").fill(totp_code(device, step=-1))
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator(".atalaya-codes code").all_inner_texts()
    assert len(codes) == 10
    page.get_by_role("link", name="I have kept them").click()
    page.locator(".at-menu-me summary").click()
    page.get_by_role("button", name="Log out").click()

    give_password(page)
    page.get_by_label("Code:").fill(totp_code(device))
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile(r"/admin/$"))
    # Nothing sticks out sideways, whatever the width.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_language_switch(page, sign_in, ana):
    sign_in(ana)
    page.goto("/admin/")
    page.get_by_role("button", name="ES", exact=True).click()
    assert page.locator("html").get_attribute("lang") == "es"
    page.get_by_role("button", name="EN", exact=True).click()
    assert page.locator("html").get_attribute("lang") == "en"


def test_the_page_of_sessions_ends_one(page, sign_in, ana, as_user):
    sign_in(ana)
    member = StaffFactory(username="bea", role="support_agent")
    client = as_user(member)
    page.goto(f"/admin/systemadmin/user/{member.pk}/access/")
    page.get_by_role("button", name="End", exact=True).click()
    page.get_by_text("The session has ended.").wait_for()
    assert client.get("/api/auth/me").status_code == 401
