"""The pages of the admin with a million tickets, products, members and orders, on PostgreSQL.

    DATABASE_URL=postgres://… python bench/admin.py [--rows 1000000] [--rounds 5]

The database should be an empty one of its own: it is filled once, by the statements of
`bench/marketplace.py` and `bench/support.py`, and used again on the next run. A superuser opens
every list of the admin, each of its filters, orders and searches, and the pages of its first, a
middle and its last object, and every page of the menu. Each page is opened once and then measured
for some rounds, through the whole stack in one process, with the queries that it made.
"""

import argparse
import importlib.util
import os
import re
import statistics
import sys
import time
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import ModuleType
from urllib.parse import urlencode, urljoin, urlsplit

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DJANGO_DEBUG", "1")
os.environ.setdefault("DATABASE_PERSISTENT", "1")

import django

django.setup()

from django.contrib import admin
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_otp import DEVICE_ID_SESSION_KEY

from marketplace.models import Order
from systemadmin.models import User
from systemadmin.tests.factories import totp_device_for

GOAL = 300  # milliseconds
LINK = re.compile(r'href="([^"#]+)"')
# What people type: a frequent word, a rare one, a number, a part of a name, an address.
SEARCHES = ("lamp", "bench-77", "4711", "item500000", "member77@example.test")
# Addresses that do something or are no page of the place.
ASIDE = re.compile(r"/(logout|add|delete|password_change|jsi18n|export|download)\b|/autocomplete/")


@dataclass
class Page:
    """One address: how long it took each round, and how many queries it made."""

    kind: str
    path: str
    taken: list[float] = field(default_factory=list)
    queries: int = 0
    status: int = 0

    @property
    def slow(self) -> float:
        """The time in milliseconds that nineteen rounds in twenty stay under."""
        ordered = sorted(self.taken)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def measurement(name: str) -> ModuleType:
    """Return another measurement of this folder; two of them are called as applications are."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fill(rows: int) -> None:
    """Make members, products, orders and tickets, unless an earlier run did."""
    call_command("migrate", verbosity=0)
    market_rows, support_rows = measurement("marketplace"), measurement("support")
    market_rows.MEMBERS = rows
    if not Order.objects.exists():
        market_rows.fill(rows, rows)
    support_rows.fill(rows)


def signed_in() -> Client:
    """Return a superuser's browser, its second factor passed."""
    user = User.objects.get(username="bench-root")
    device = totp_device_for(user)
    client = Client()
    client.force_login(user, backend="systemadmin.backends.AccountBackend")
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    return client


def opened(client: Client, path: str) -> tuple[int, str]:
    """Return the status and the text of a page; streams are not read."""
    answer = client.get(path)
    text = "" if answer.streaming else answer.content.decode(errors="replace")
    return answer.status_code, text


def links_of(text: str, base: str) -> list[str]:
    """Return the addresses that a page links to, as paths from the root, each once."""
    found = (urljoin(base, unescape(link)) for link in LINK.findall(text))
    return list(dict.fromkeys(link for link in found if link.startswith("/admin/")))


def pages_of_list(client: Client, model: type, most: int) -> list[Page]:
    """Return the list of a model, its filters and orders, its searches, and three objects."""
    meta = model._meta  # type: ignore[attr-defined]
    base = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    status, text = opened(client, base)
    if status != 200:
        return [Page("list", base)]
    own = [link for link in links_of(text, base) if urlsplit(link).path == base and "?" in link]
    pages = [Page("list", base), *(Page("filter or order", link) for link in own[:most])]
    if admin.site._registry[model].search_fields:
        pages += [Page("search", f"{base}?{urlencode({'q': words})}") for words in SEARCHES]
    keys = model._default_manager.order_by("pk").values_list("pk", flat=True)  # type: ignore[attr-defined]
    first, last = keys.first(), keys.last()
    if first is None:
        return pages
    chosen = [first, last]
    if isinstance(first, int):
        chosen.append(keys.filter(pk__gte=(first + last) // 2).first())
    name = f"admin:{meta.app_label}_{meta.model_name}_change"
    return pages + [Page("object", reverse(name, args=[key])) for key in dict.fromkeys(chosen)]


def all_pages(client: Client, most: int) -> list[Page]:
    """Return every page to measure, each address once."""
    home = reverse("admin:index")
    _status, text = opened(client, home)
    menu = [link for link in links_of(text, home) if not ASIDE.search(link)]
    pages = [Page("menu", home), *(Page("menu", link) for link in menu)]
    for model in sorted(admin.site._registry, key=lambda model: model._meta.label):
        pages += pages_of_list(client, model, most)
    return list({page.path: page for page in reversed(pages)}.values())[::-1]


def measure(client: Client, page: Page, rounds: int) -> None:
    """Open a page once to fill caches and count queries, then time it."""
    try:
        with CaptureQueriesContext(connection) as queries:
            page.status, _text = opened(client, page.path)
        page.queries = len(queries)
        for _round in range(rounds):
            began = time.perf_counter()
            opened(client, page.path)
            page.taken.append((time.perf_counter() - began) * 1000)
    except OperationalError as error:
        page.taken.append(float("inf"))
        print(f"  {page.path}: {str(error).splitlines()[0]}", flush=True)


def report(pages: list[Page]) -> None:
    """Print a line a kind, and every page above the goal."""
    print(f"{'':<18}{'pages':>7}{'p50 ms':>9}{'p95 ms':>9}{'slowest':>9}{'queries':>9}{'above':>7}")
    for kind in dict.fromkeys(page.kind for page in pages):
        print(line_of(kind, [page for page in pages if page.kind == kind]))
    for page in sorted(pages, key=lambda page: -page.slow):
        if page.slow > GOAL or page.status >= 400:
            print(f"  {page.slow:>8.0f} ms  {page.queries:>3} queries  {page.status}  {page.path}")


def line_of(kind: str, pages: list[Page]) -> str:
    """Return what the pages of a kind took, all rounds of all of them together."""
    every = sorted(taken for page in pages for taken in page.taken)
    return (
        f"{kind:<18}{len(pages):>7}{statistics.median(every):>9.0f}"
        f"{every[int(len(every) * 0.95)]:>9.0f}{every[-1]:>9.0f}"
        f"{max(page.queries for page in pages):>9}{sum(page.slow > GOAL for page in pages):>7}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=int, default=80, help="filters and orders of one list")
    options = parser.parse_args()
    fill(options.rows)
    client = signed_in()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '20s'")
    pages = all_pages(client, options.most)
    for page in pages:
        measure(client, page, options.rounds)
    report(pages)
    return 0


if __name__ == "__main__":
    sys.exit(main())
