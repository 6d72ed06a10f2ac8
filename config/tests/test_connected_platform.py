"""The example platform of docs/connect.md on real processes, of which the web process is killed."""

import importlib.util
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import httpx
import psutil
import pytest
from django.conf import settings as django_settings
from django.core.management import call_command

from marketplace.services import check_ledger
from marketplace.services.payment_hooks import save_payment_hook
from marketplace.tests import factories as shop_factories
from systemadmin.models import ApiToken, SystemConfig
from systemadmin.tests.backups.conftest import (  # noqa: F401 - fixtures
    own_database,
    own_place,
    template,
    used_databases,
)
from systemadmin.tests.factories import StaffFactory
from systemadmin.tests.ports import free_port

pytestmark = pytest.mark.slow
EXAMPLES = Path(django_settings.BASE_DIR) / "docs" / "examples"
STRIPE_SECRET = "whsec_" + "recorded" * 4
PERMISSIONS = (
    "systemadmin.manage_members",
    "systemadmin.view_user",
    "systemadmin.view_publishedevent",
    "systemadmin.view_personal_data",
    "systemadmin.add_webhookendpoint",
    "marketplace.push_product",
    "marketplace.import_order",
    "riskops.ingest_events",
    "riskops.calculate_riskscore",
)


def example(name):
    """The module of an example, read as the reader runs it."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Site:
    """Atalaya: a web server that is killed, and a worker that is not."""

    def __init__(self, database, environment):
        self.environment = database.environment(**environment)
        self.port, self.running = free_port(), []
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, *module):
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            env=self.environment,
            cwd=django_settings.BASE_DIR,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def serve(self):
        arguments = ["--interface", "rsgi", "--host", "127.0.0.1", "--port", str(self.port)]
        arguments += ["--workers", "1", "--log-level", "error"]
        self.web = self.start("config.serve", *arguments, "config.wsgi:application")

    def kill(self, process):
        """End a process and all it started, at once, as a power cut does.

        The supervisor first, or it would start again what ends below it; a queue cluster has a
        session of its own, so killing the group is not enough.
        """
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(process.pid)
            family = [top, *top.children(recursive=True)]
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        process.wait(30)

    def kill_and_serve(self):
        self.kill(self.web)
        self.serve()

    def is_up(self):
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/api/health", timeout=5).is_success
        return False

    def stop(self):
        for process in self.running:
            self.kill(process)


def until(happened, what):
    """Wait for a state; how long is only how long a broken one may take to be noticed."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError(f"it never happened: {what}")


class Running(threading.Thread):
    """Does something beside the test; `done()` raises what it raised."""

    def __init__(self, act):
        super().__init__(daemon=True)
        self.act, self.failure = act, None
        self.start()

    def run(self):
        try:
            self.act()
        except Exception as failure:
            self.failure = failure

    def done(self):
        self.join(150)
        assert not self.is_alive(), "it did not end"
        if self.failure:
            raise self.failure


@pytest.fixture
def world(own_database):  # noqa: F811
    """People, a shelf, a key, the hook of Stripe and the settings that connect.md names."""
    call_command("setup", verbosity=0)
    boss = StaffFactory(username="boss", is_superuser=True)
    shelf = shop_factories.category("Bicycles")
    shop_factories.rule(name="Ten percent", ppm=100_000)
    SystemConfig.objects.create(key="webhooks.private_addresses", value=True)
    SystemConfig.objects.create(key="duties.single_person", value=True)
    save_payment_hook(actor=boss, name="stripe", scheme="stripe", secret=STRIPE_SECRET)
    key = StringIO()
    arguments = [part for one in PERMISSIONS for part in ("--permission", one)]
    call_command(
        "service_key", "create", "platform", "--owner", "boss", *arguments,
        stdout=key, stderr=StringIO(),
    )  # fmt: skip
    _token, secret = ApiToken.objects.create(user=boss)
    return key.getvalue().strip(), secret, shelf.pk


@pytest.fixture
def site(own_database, world):  # noqa: F811
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    made = Site(
        own_database,
        {
            "PLATFORM_ISSUER": issuer,
            "PLATFORM_AUDIENCE": "atalaya",
            "PLATFORM_JWKS_URL": f"{issuer}/jwks.json",
            "PLATFORM_SCOPES": "tickets:read,tickets:write",
            "OUTGOING_PRIVATE_HOSTS": "127.0.0.1",
            "REQUIRE_STAFF_2FA": 0,
            "WEB_THREADS": 4,
            "QUEUE_WORKERS": 1,
        },
    )
    made.platform_port = port
    try:
        made.serve()
        made.start("config.work")
        until(made.is_up, "the web server answers")
        yield made
    finally:
        made.stop()


def listings(shelf):
    return [
        {
            "external_id": f"listing-{number}", "seller": f"ext:u-{number}", "category": shelf,
            "title": f"Bicycle {number}", "price": 100_00, "currency": "EUR",
        }
        for number in range(6)
    ]  # fmt: skip


def orders():
    moment = datetime.now(UTC) - timedelta(hours=1)
    return [
        {
            "external_id": f"order-{number}", "buyer": f"ext:u-{50 + number}", "currency": "EUR",
            "ordered_at": moment.isoformat(), "total": 105_00,
            "lines": [
                {
                    "product": f"ext:listing-{number % 5}", "quantity": 1,
                    "unit_price": 100_00, "shipping": 5_00,
                }
            ],
        }
        for number in range(10)
    ]  # fmt: skip


def rows_of(atalaya, path):
    """Every row of a list."""
    found, path = [], f"{path}{'&' if '?' in path else '?'}page_size=100"
    while path:
        page = atalaya.call("GET", path)
        found += page["results"]
        path = (page["next"] or "").partition("/api/")[2]
    return found


def test_both_sides_hold_the_same_although_one_was_killed(site, world):
    key, staff_token, shelf = world
    examples = example("marketplace")
    platform = examples.Marketplace(site.url, key, site.platform_port)
    staff = examples.Atalaya(site.url, staff_token)
    stripe = example("stripe_events").StripeEvents(f"{site.url}/api/hooks/stripe", STRIPE_SECRET)
    platform.connect()

    # A hundred members, and the web process killed on the way.
    members = [{"external_id": f"u-{n}", "first_name": f"Member {n}"} for n in range(100)]
    sending = Running(lambda: platform.send_members(members))
    until(lambda: platform.members, "the first members are in")
    site.kill_and_serve()
    sending.done()

    # Listings and their verdicts.
    platform.send_listings(listings(shelf))
    for product in rows_of(staff, "admin/products?status=pending"):
        verdict = "reject" if product["title"] == "Bicycle 5" else "approve"
        body = {"reason": "Not a bicycle."} if verdict == "reject" else None
        staff.call("POST", f"admin/products/{product['id']}/{verdict}", body)
    verdicts = {f"listing-{n}": "rejected" if n == 5 else "approved" for n in range(6)}
    until(lambda: states(platform.listings) == verdicts, "the verdicts are here")
    assert platform.listings["listing-5"]["reason"] == "Not a bicycle."

    # Orders, paid by Stripe, and the web process killed again.
    taken = orders()
    platform.send_orders(taken)
    paying = Running(lambda: [stripe.paid(f"order-{n}", 105_00) for n in range(10)])
    until(lambda: "paid" in states(platform.orders).values(), "the first payment is here")
    site.kill_and_serve()
    paying.done()
    platform.send_orders(taken)  # sent again, it changes nothing
    stripe.paid("order-3", 105_00)
    stripe.refunded("order-1", 105_00, 30_00)
    stripe.disputed("order-2", 105_00)

    # Tickets of members who have no password here.
    for number in range(3):
        platform.open_ticket(f"u-{number}", f"Question {number}", "Where is my parcel?")
    ticket = rows_of(staff, "admin/tickets?status=new")[0]
    staff.call(
        "POST", f"admin/tickets/{ticket['id']}/reply", {"body": "Here.", "status": "resolved"}
    )

    # Risk: a first score, what happened, and the level that it leads to.
    platform.recalculate("u-60")
    platform.report(
        [
            {
                "kind": "confirmed_fraud", "account": "ext:u-60", "external_id": "fraud-1",
                "occurred_at": (datetime.now(UTC) - timedelta(minutes=5)).isoformat(),
            }
        ]
    )  # fmt: skip
    platform.recalculate("u-60")

    settled = dict.fromkeys((f"order-{n}" for n in range(10)), "paid") | {"order-2": "disputed"}
    until(lambda: states(platform.orders) == settled, "all orders are settled")
    until(lambda: platform.orders["order-1"]["refunded"] == 30_00, "the refund is here")
    until(lambda: "resolved" in states(platform.tickets).values(), "the ticket's answer is here")
    until(lambda: "u-60" in platform.levels, "the level of risk is here")
    assert both_sides(platform, staff) == []
    assert check_ledger() == []


def states(rows):
    return {name: row["status"] for name, row in rows.items()}


def both_sides(platform, staff):
    """Where the two sides differ, by webhook and by the log read from its beginning."""
    by_webhook = [dict(rows) for rows in (platform.listings, platform.orders, platform.tickets)]
    levels = dict(platform.levels)
    for rows in (platform.listings, platform.orders, platform.tickets, platform.levels):
        rows.clear()
    platform.catch_up()
    by_log = [platform.listings, platform.orders, platform.tickets]
    wrong = [pair for pair in zip(by_webhook, by_log, strict=True) if pair[0] != pair[1]]
    wrong += [] if levels == platform.levels else [(levels, platform.levels)]

    products = rows_of(staff, "admin/products")
    theirs = {one["external_id"]: one["status"] for one in products}
    wrong += differing(states(platform.listings), theirs)
    taken = rows_of(staff, "admin/orders")
    theirs = {one["external_id"]: (one["status"], one["total"], one["refunded"]) for one in taken}
    ours = {k: (o["status"], o["total"], o["refunded"]) for k, o in platform.orders.items()}
    wrong += differing(ours, theirs)
    theirs = {one["number"]: one["status"] for one in rows_of(staff, "admin/tickets")}
    wrong += differing(states(platform.tickets), theirs)
    people = [one["external_id"] for one in rows_of(staff, "admin/users")]
    wrong += differing(dict.fromkeys(platform.members), dict.fromkeys(filter(None, people)))
    score = staff.call("GET", "admin/users/ext:u-60/risk-score")
    wrong += differing(platform.levels["u-60"]["level"], score["level"])
    return wrong


def differing(ours, theirs):
    return [] if ours == theirs else [(ours, theirs)]
