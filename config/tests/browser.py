"""Fixtures for tests in a real browser: `page`, and `sign_in(page, user)`.

    @pytest.mark.browser
    @pytest.mark.django_db(transaction=True)
    def test_a_page(page, sign_in, superuser):
        sign_in(superuser)
        page.goto("/admin/")

At the end of each test, anything that the Content-Security-Policy blocked and any error in the
console fails it; `page.complaints` holds them meanwhile.
"""

import asyncio
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_core_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django_otp import DEVICE_ID_SESSION_KEY

from systemadmin.tests.factories import totp_device_for

# The label of Django's own sign beside a filter of choices.
CONTEXT = {"exclude": [[".help-tooltip"]]}
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def shown(loop):
    """Let this thread have Playwright's loop as its running one, for a while."""
    asyncio._set_running_loop(loop)
    try:
        yield
    finally:
        asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def playwright_loop():
    """Playwright and the event loop that it leaves running in this thread.

    The loop is hidden while no page is open: other tests start loops of their own,
    and Python refuses that, as Django refuses the database, where one runs already.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield playwright, loop
        asyncio._set_running_loop(loop)


@pytest.fixture(scope="session")
def chromium(playwright_loop):
    playwright, loop = playwright_loop
    with shown(loop):
        browser = playwright.chromium.launch(
            executable_path=shutil.which(os.environ.get("CHROMIUM", "chromium")), args=FLAGS
        )
    yield browser
    with shown(loop):
        browser.close()


@pytest.fixture
def page(chromium, playwright_loop, live_server, settings, monkeypatch):
    """A fresh browser window on a running server."""
    settings.ALLOWED_HOSTS = ["*"]
    # Playwright's loop runs in this thread, and Django takes that for asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with shown(playwright_loop[1]):
        window = chromium.new_context(base_url=live_server.url, locale="en-GB")
        window.set_default_timeout(15_000)
        # A page that waits for changes asks again and again, also while the tables are emptied
        # behind it; only a test of just that lets it: `sessionStorage.hears = 1`, then a reload.
        window.add_init_script(
            "try { if (!sessionStorage.hears) delete window.EventSource } catch {}"
        )
        page = window.new_page()
        page.complaints = []
        page.on(
            "console",
            lambda message: message.type == "error" and page.complaints.append(message.text),
        )
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        yield page
        complaints = list(page.complaints)
        window.close()
    assert complaints == []


@pytest.fixture
def sign_in(page, live_server):
    """`sign_in(user)`: this window belongs to that account, its second factor passed."""

    def sign_in(user):
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "systemadmin.backends.AccountBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session[DEVICE_ID_SESSION_KEY] = totp_device_for(user).persistent_id
        session.save()
        page.context.add_cookies(
            [
                {
                    "name": settings.SESSION_COOKIE_NAME,
                    "value": session.session_key,
                    "url": live_server.url,
                }
            ]
        )
        return page

    return sign_in


@pytest.fixture
def look(page):
    """`look(name)`: judge the page that is shown, and keep a picture of it when asked to."""
    folder = os.environ.get("SCREENSHOTS")
    faults = []

    def look(name):
        name = f"{name} at {page.viewport_size['width']}"
        # The page scrolls in `main`; what it does not show sideways is cut off there.
        if page.evaluate(
            "[document.documentElement, document.getElementById('main')]"
            ".some((box) => box.scrollWidth > box.clientWidth)"
        ):
            faults.append(f"{name}: wider than the window")
        faults.extend(
            f"{name}: {one['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
            for one in Axe().run(page, context=CONTEXT, options=RULES)["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        )
        if folder:
            page.screenshot(path=str(Path(folder) / f"{name.replace(' at ', '-')}.png"))

    yield look
    # All faults are listed at the end, not only the first.
    assert not faults, "\n".join(faults)


def show(page, width, height, scheme):
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
