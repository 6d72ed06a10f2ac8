"""Takes the pictures of docs/images anew, from a demo of its own.

    python docs/take_screenshots.py              # those that the documents show
    python docs/take_screenshots.py --all DIR    # every kind of page, three widths, light and dark

Needs the packages of requirements-dev.txt and Chromium (CHROMIUM names another path). The demo lies
in a temporary directory: neither the database nor the files of this checkout are touched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Error, Page, StorageState, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs/images"
PASSWORD = "atalaya-demo"  # noqa: S105 (published: docs/demo.md)
PORT = 8791
START_SECONDS = 180
STOP_SECONDS = 20
REST_TRIES = 20
FIND_MILLISECONDS = 20_000
IS_TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
# htmx marks what it fetches for; a page that fetches on its own says aria-busy.
AT_REST = "!document.querySelector('.htmx-request, [aria-busy=true]')"
WIDTHS = {1440: 900, 1366: 768, 390: 844}


@dataclass(frozen=True)
class Look:
    """A window: its width, light or dark, and the language of its browser."""

    width: int
    scheme: Literal["light", "dark"]
    locale: str


@dataclass(frozen=True)
class Shot:
    """A page as one person sees it; `first` is a link to follow from there, `keys` are pressed.

    With a locale of its own, or on a phone in the dark, it is for the documents alone.
    """

    name: str
    who: str
    path: str
    first: str = ""
    keys: str = ""
    locale: str = ""
    is_phone: bool = False


SHOTS = (
    Shot("home", "demo_support", "/admin/"),
    Shot("home-risk", "demo_risk", "/admin/"),
    Shot("tickets", "demo_support", "/admin/support/ticket/"),
    Shot("ticket", "demo_support", "/admin/support/ticket/work/", "/admin/support/ticket/"),
    Shot("review", "demo_moderator", "/admin/review/products/"),
    Shot("edits", "demo_moderator", "/admin/review/edits/"),
    Shot("sales", "demo_moderator", "/admin/marketplace/order/reports/"),
    Shot("review-anomalies", "demo_risk", "/admin/review/anomalies/"),
    Shot("account", "demo_risk", "/admin/riskops/account/?o=-3", "/admin/riskops/account/"),
    Shot("decisions", "demo_risk", "/admin/riskops/decision/"),
    Shot("order", "demo_moderator", "/admin/marketplace/order/", "/admin/marketplace/order/"),
    Shot("rules", "demo_moderator", "/admin/marketplace/commissionrule/"),
    Shot("status", "demo_operator", "/admin/status/"),
    Shot("settings", "demo_operator", "/admin/settings/"),
    Shot("people", "demo_operator", "/admin/systemadmin/user/"),
    Shot("preferences", "demo_support", "/admin/preferences/"),
    Shot("pair", "demo_risk", "/admin/riskops/relatedaccount/", "/admin/riskops/relatedaccount/"),
    Shot("payouts", "demo_operator", "/admin/marketplace/payout/"),
    Shot("product", "demo_moderator", "/admin/marketplace/product/", "/admin/marketplace/product/"),
    Shot("report", "demo_support", "/admin/support/ticket/reports/"),
    Shot("backups", "demo_operator", "/admin/systemadmin/backup/"),
    Shot("audit", "demo_operator", "/admin/systemadmin/auditentry/"),
    Shot("search", "demo_moderator", "/admin/search/?q=lamp"),
    Shot("palette", "demo_moderator", "/admin/", keys="Control+k"),
    Shot("keys", "demo_support", "/admin/", keys="?"),
)
# What the documents show, at the width of a small laptop.
SHOWN = {"home", "ticket", "review", "edits", "account", "order", "rules", "status"}
FOR_DOCUMENTS = (
    Shot("home-es", "demo_moderator", "/admin/", locale="es-ES"),
    Shot(
        "ticket-phone", "demo_support", "/admin/support/ticket/work/", "/admin/support/ticket/",
        is_phone=True,
    ),
)  # fmt: skip


def _manage(environment: dict[str, str], *words: str) -> None:
    command = [sys.executable, "manage.py", *words]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


@contextmanager
def _demo() -> Iterator[str]:
    """Yield a server with demo data in a temporary directory; yields its address."""
    with tempfile.TemporaryDirectory() as place:
        environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{place}/demo.sqlite3",
            "VAR_DIR": place,
            "DJANGO_DEBUG": "1",
            "DEMO_MODE": "1",
            "EMAIL_URL": f"filemail://{place}/mail",
            "REDIS_URL": "",
        }
        _manage(environment, "migrate", "--verbosity", "0")
        _manage(environment, "setup")
        _manage(environment, "seed_demo", "--once")
        server = subprocess.Popen(  # noqa: S603
            [sys.executable, "manage.py", "run_local", "--port", str(PORT)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"http://127.0.0.1:{PORT}/api/health")
            yield f"http://localhost:{PORT}"
        finally:
            server.terminate()
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(address: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310
            return
        time.sleep(0.5)
    raise SystemExit(f"{address} does not answer")


class Windows:
    """The windows of one browser: each person signs in once, and looks by many sizes."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser, self.address = browser, address
        self.signed_in: dict[str, StorageState] = {}
        self.pages: dict[tuple[str, Look], Page] = {}

    def page(self, who: str, look: Look) -> Page:
        """Return the window in which somebody looks like this."""
        if (who, look) not in self.pages:
            self.pages[who, look] = self._open(who, look)
        return self.pages[who, look]

    def close(self) -> None:
        """Close every window; who has signed in stays so."""
        for page in self.pages.values():
            page.context.close()
        self.pages = {}

    def _open(self, who: str, look: Look) -> Page:
        window = self.browser.new_context(
            base_url=self.address,
            locale=look.locale,
            color_scheme=look.scheme,
            viewport={"width": look.width, "height": WIDTHS[look.width]},
            reduced_motion="reduce",
            storage_state=self.signed_in.get(who),
        )
        page = window.new_page()
        if who not in self.signed_in:
            page.goto("/admin/login/")
            page.fill("input[name=username]", who)
            page.fill("input[name=password]", PASSWORD)
            page.locator("#login-form [type=submit]").click()
            page.locator("#rail").wait_for()
            self.signed_in[who] = window.storage_state()
        return page


def _take(page: Page, shot: Shot, file: Path) -> str:
    """Save a picture; return what is wrong with the page, or nothing."""
    answer = page.goto(shot.path)
    if shot.first and answer and answer.ok:
        link = page.locator(f"#main a[href*='{shot.first}'][href*='/change/']").first
        answer = page.goto(str(link.get_attribute("href", timeout=FIND_MILLISECONDS)))
    if not answer or not answer.ok:
        return f"answers {answer.status if answer else 'nothing'}"
    page.locator("#main").wait_for(timeout=FIND_MILLISECONDS)
    if shot.keys:
        page.keyboard.press(shot.keys)
        page.locator("dialog[open]").wait_for(timeout=FIND_MILLISECONDS)
    _wait_for_rest(page)
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file)
    return "scrolls sideways" if page.evaluate(IS_TOO_WIDE) else ""


def _wait_for_rest(page: Page) -> None:
    """Wait until nothing is fetched or drawn; the stream of changes stays open, so not idle."""
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready.then(() => null)")
    # Asked again and again: waiting inside the page would need eval, which its policy forbids.
    for _try in range(REST_TRIES):
        page.wait_for_timeout(250)
        if page.evaluate(AT_REST):
            break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--all", type=Path, metavar="DIR", help="every kind of page into DIR")
    parser.add_argument("--spanish", action="store_true", help="in Spanish")
    parser.add_argument("--only", metavar="NAME", action="append", help="only pages of this name")
    parser.add_argument("--at", metavar="ADDRESS", help="of a demo that runs already")
    asked = parser.parse_args()
    plans = _every(asked) if asked.all else _for_documents(asked)
    demo = nullcontext(asked.at) if asked.at else _demo()
    with demo as address, sync_playwright() as playwright:
        path = shutil.which(os.environ.get("CHROMIUM", "chromium"))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        failed = _take_all(Windows(browser, address), plans)
        browser.close()
    if failed:
        raise SystemExit(1)


def _every(asked: argparse.Namespace) -> list[tuple[Look, Shot, Path]]:
    locale = "es-ES" if asked.spanish else "en-GB"
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    looks = [Look(width, scheme, locale) for width, scheme in product(WIDTHS, schemes)]
    return [
        (look, shot, asked.all / f"{shot.name}-{look.width}-{look.scheme}.png")
        for look in looks
        for shot in SHOTS
        if not asked.only or shot.name in asked.only
    ]


def _for_documents(asked: argparse.Namespace) -> list[tuple[Look, Shot, Path]]:
    return [
        (
            Look(390, "dark", "en-GB")
            if shot.is_phone
            else Look(1366, "light", shot.locale or "en-GB"),
            shot,
            IMAGES / f"{shot.name}.png",
        )
        for shot in (*(one for one in SHOTS if one.name in SHOWN), *FOR_DOCUMENTS)
        if not asked.only or shot.name in asked.only
    ]


def _take_all(windows: Windows, plans: list[tuple[Look, Shot, Path]]) -> bool:
    """Take the pictures; return whether any page was not right."""
    failed, before = False, None
    for look, shot, file in plans:
        if look != before:
            windows.close()
        before = look
        try:
            wrong = _take(windows.page(shot.who, look), shot, file)
        except Error as error:
            wrong = error.message.partition("\n")[0]
        failed |= bool(wrong)
        sys.stdout.write(f"{file} {wrong}\n")
        sys.stdout.flush()
    windows.close()
    return failed


if __name__ == "__main__":
    main()
