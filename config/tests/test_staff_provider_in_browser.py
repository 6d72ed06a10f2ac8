"""The whole walk of staff through a certified identity provider, in a real browser."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command

from config.tests.clients import run
from systemadmin.models import EncryptedTotpDevice, StaffIdentity
from systemadmin.services import staff_provider
from systemadmin.tests.factories import totp_code
from systemadmin.tests.ports import free_port

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.django_db(transaction=True)]
SOURCES = Path(django_settings.BASE_DIR) / "systemadmin" / "tests" / "certified_provider"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The provider with what it needs, installed."""
    folder = tmp_path_factory.mktemp("provider")
    for path in SOURCES.iterdir():
        shutil.copy(path, folder)
    run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], folder)
    return folder


@pytest.fixture
def provider(package, live_server, settings, transactional_db):
    call_command("setup", verbosity=0)
    port, here = free_port(), live_server.url
    process = subprocess.Popen(
        ["node", "server.mjs", str(port), f"{here}/admin/login/provider/callback/",
         f"{here}/admin/login/"],
        cwd=package, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout.readline().strip() == "ready"
    settings.STAFF_OIDC_ISSUER = f"http://127.0.0.1:{port}"
    settings.STAFF_OIDC_CLIENT_ID = "atalaya"
    settings.STAFF_OIDC_CLIENT_SECRET = "a-secret-of-the-client"
    settings.STAFF_OIDC_LABEL = "Acme SSO"
    settings.STAFF_OIDC_ROLES = {"staff-ops": "operator"}
    settings.STAFF_OIDC_CREATE_ACCOUNTS = True
    settings.OUTGOING_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.PUBLIC_URL = here
    settings.REQUIRE_STAFF_2FA = True
    settings.STAFF_LOCAL_SIGN_IN = False
    staff_provider.discovery.forget()
    staff_provider.provider_keys.document.forget()
    yield process
    process.terminate()
    process.wait(10)
    process.stdout.close()
    staff_provider.discovery.forget()
    staff_provider.provider_keys.document.forget()


@pytest.fixture(autouse=True)
def nothing_from_elsewhere(page):
    """The provider's own pages name a font of another site."""
    page.route(re.compile("^https:"), lambda route: route.fulfill(body="", content_type="text/css"))


def pass_the_provider(page):
    """Sign in and consent on the provider's own pages."""
    page.locator("input[name=login]").fill("ana")
    page.locator("input[name=password]").fill("anything")
    page.locator("button[type=submit]").click()
    page.get_by_role("button", name="Continue").click()


def test_from_the_button_to_signing_out_there(page, provider):
    page.goto("/admin/systemadmin/user/")
    page.get_by_role("link", name="Sign in with Acme SSO").click()
    pass_the_provider(page)
    # A new account: its groups gave a role, and its second factor is set up here.
    page.get_by_role("button", name="Set up an authenticator app").click()
    identity = StaffIdentity.objects.select_related("user").get()
    assert identity.subject == identity.user.username == "ana"
    device = EncryptedTotpDevice.objects.get(user=identity.user)
    page.get_by_label("Code that the app shows:").fill(totp_code(device, step=-1))
    page.get_by_role("button", name="Turn on").click()
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url(re.compile(r"/admin/$"))

    page.locator(".at-menu-me summary").click()
    page.get_by_role("button", name="Log out").click()
    # The provider asks whether to sign out there too, and leads back.
    page.wait_for_url(re.compile(r"/session/end"))
    page.get_by_role("button", name=re.compile("Yes")).click()
    page.wait_for_url(re.compile(r"/admin/login/"))

    # Signed out there as well: it asks who it is. The code is asked here.
    page.goto("/admin/login/?next=/admin/systemadmin/user/")
    page.get_by_role("link", name="Sign in with Acme SSO").click()
    pass_the_provider(page)
    page.get_by_label("Code:").fill(totp_code(device))
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile(r"/admin/systemadmin/user/$"))


def test_cancelling_there_leads_to_a_page_that_says_so(page, provider):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/admin/")
    page.get_by_role("link", name="Sign in with Acme SSO").click()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_text("did not let you in, or you cancelled").wait_for()
    # The answer of a refusal is a 403, which the console of the browser reports.
    page.complaints.clear()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("link", name="Back to the sign-in page").click()
    page.get_by_text("Emergency account").wait_for()
