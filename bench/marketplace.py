"""Measures the marketplace on PostgreSQL; makes its own rows and removes nothing else.

    DATABASE_URL=postgres://… python bench/marketplace.py [--products 1000000] [--orders 3000000]

The database should be an empty one of its own: it is filled once and used again on the next run.
With --oscar /path/to/python (one that has django-oscar 4.2.1) its catalogue is measured at the
same size right after, in a database of the same name with "_oscar" behind it.
"""

import argparse
import base64
import json
import logging
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DJANGO_DEBUG", "1")
os.environ.setdefault("DATABASE_PERSISTENT", "1")

import django

django.setup()

from databases import set_defaults
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from rest_framework.test import APIClient

from marketplace import services
from marketplace.models import Category, CommissionRule, LedgerAccount, Order, Product
from marketplace.services.order_creation import Item
from systemadmin.models import ApiToken, User

settings.ALLOWED_HOSTS = ["*"]
settings.RATELIMIT_ENABLE = False
logging.disable(logging.ERROR)

MEMBERS, SELLERS, CATEGORIES = 100_000, 10_000, 200
NOUNS = ["lamp", "chair", "table", "vase", "clock", "shelf"]
NOUNS += ["mirror", "carpet", "phone", "laptop", "cable", "guitar"]
WOODS = ["olive", "oak", "walnut", "pine", "steel", "glass", "linen", "wool", "copper", "clay"]

USERS = """
INSERT INTO systemadmin_user (username, password, first_name, last_name, email, is_staff,
    is_active, is_superuser, date_joined, telegram_chat_id, country, language, suspension_reason,
    is_demo)
SELECT 'bench-' || n, '!', '', '', '', false, true, false, now(), '', 'ES', 'en', '', false
FROM generate_series(1, %(members)s::bigint) n
"""
PRODUCTS = """
INSERT INTO marketplace_product (seller_id, category_id, kind, title, description, price,
    currency, shipping_amount, stock, images, attributes, status, status_reason,
    is_paused_by_staff, approved_at, submitted_at, listed_at, reviewed_content, checks, version,
    created_at, updated_at)
SELECT %(user)s + (n * 7919) %% %(sellers)s, %(category)s + (n * 31) %% %(categories)s, 'product',
    initcap((%(woods)s::text[])[1 + n %% 10]) || ' ' || (%(nouns)s::text[])[1 + (n / 10) %% 12]
        || ' item' || n,
    'Made with care and sent within two days.', 500 + (n * 7919) %% 100000, 'EUR', 0, 1000000,
    '[]', '{}', CASE WHEN n %% 50 = 0 THEN 'pending' ELSE 'approved' END, '', false, moment,
    moment, moment, '{}', '[]', 1, moment, moment
FROM (SELECT n, now() - n * interval '20 seconds' AS moment
      FROM generate_series(1, %(products)s::bigint) n) numbered
"""
WORDS = """
INSERT INTO marketplace_productword (product_id, word)
SELECT id, unnest(string_to_array(lower(title), ' ')) FROM marketplace_product
"""
ORDERS = """
INSERT INTO marketplace_order (buyer_id, seller_id, currency, total, commission, tax,
    processing_fee, refunded, refunded_commission, refunded_tax, buyer_fee, refunded_buyer_fee,
    discount, platform_discount, refunded_platform_discount, tax_included, status, reserved_until,
    payment_reference, paid_at, completed_at, closed_at, cancel_reason, version, created_at,
    updated_at)
SELECT %(user)s + %(sellers)s + (n * 104729) %% (%(members)s - %(sellers)s),
    %(user)s + (n * 7919) %% %(sellers)s, 'EUR', 2000, 200, 42, 30, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 'completed', moment,
    '', moment, moment, moment, '', 1, moment, moment
FROM (SELECT n, now() - (%(orders)s - n) * interval '10 seconds' AS moment
      FROM generate_series(1, %(orders)s::bigint) n) numbered
"""
LINES = """
INSERT INTO marketplace_orderline (order_id, product_id, category_id, kind, title, quantity,
    unit_price, shipping, total, has_stock, refunded, refunded_commission, refunded_tax, discount,
    platform_discount, refunded_platform_discount, tax_included, buyer_fee, buyer_fee_tax,
    refunded_shipping, refunded_buyer_fee, refunded_buyer_fee_tax, refunded_quantity,
    restocked_quantity)
SELECT id, %(product)s + (id * 31) %% %(products)s, %(category)s + id %% %(categories)s,
    'product', 'Olive lamp', 1, 2000, 0, 2000, true, 0, 0, 0, 0,
    0, 0, 0, 0, 0,
    0, 0, 0, 0,
    0
FROM marketplace_order
"""
COMMISSIONS = """
INSERT INTO marketplace_commissionline (line_id, rule_id, rule_version, currency, base, captured,
    amount, tax, seller_net, refundable, trace, created_at)
SELECT id, NULL, NULL, 'EUR', 2000, 2000, 200, 42, 1758, 200, '[]', now()
FROM marketplace_orderline
"""
OPENING = """
INSERT INTO marketplace_ledgeraccount (code, seller_id, currency, balance)
SELECT 'seller_payable', seller_id, 'EUR', -sum(total - commission - tax - processing_fee)
FROM marketplace_order GROUP BY seller_id
"""
# One balanced transaction a seller stands for all of the seller's past orders.
BOOKED = """
WITH opening AS (
    INSERT INTO marketplace_ledgertransaction (key, kind, digest, is_demo, posted_at)
    SELECT 'bench:opening:' || seller_id, 'completion', '', false, now()
    FROM marketplace_ledgeraccount WHERE code = 'seller_payable'
    RETURNING id, split_part(key, ':', 3)::bigint AS seller_id
), sums AS (
    SELECT seller_id, sum(total) AS total, sum(commission) AS commission, sum(tax) AS tax,
        sum(processing_fee) AS fee
    FROM marketplace_order GROUP BY seller_id
)
INSERT INTO marketplace_ledgerentry (transaction_id, account_id, currency, amount, is_demo)
SELECT opening.id, account.id, 'EUR', CASE account.code
        WHEN 'cash' THEN total WHEN 'revenue' THEN -commission WHEN 'tax' THEN -tax
        WHEN 'processing' THEN -fee ELSE account.balance END, false
FROM opening JOIN sums USING (seller_id) JOIN LATERAL (
    SELECT * FROM marketplace_ledgeraccount WHERE seller_id = opening.seller_id
    UNION ALL SELECT * FROM marketplace_ledgeraccount WHERE seller_id IS NULL
) account ON account.currency = 'EUR'
    AND account.code IN ('seller_payable', 'cash', 'revenue', 'tax', 'processing')
"""


def fill(products, orders):
    """Insert everything by statement, with triggers and foreign keys asleep."""
    set_defaults()
    root, _made = User.objects.get_or_create(
        username="bench-root", is_staff=True, is_superuser=True
    )
    for number in range(CATEGORIES):
        services.create_category(actor=root, name=f"Bench {number}")
    for number in range(20):
        services.create_rule(
            actor=root,
            name=f"Bench {number}",
            categories=[Category.objects.order_by("id")[number * 3]],
            ppm=50_000 + number * 1000,
            tax_ppm=210_000,
        )
    services.create_rule(
        actor=root, name="Bench all", applies_to_all=True, ppm=100_000, tax_ppm=210_000
    )
    names = {
        "members": MEMBERS,
        "sellers": SELLERS,
        "categories": CATEGORIES,
        "category": Category.objects.order_by("id").first().pk,
        "products": products,
        "orders": orders,
        "woods": WOODS,
        "nouns": NOUNS,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute(USERS, names)
        cursor.execute("SELECT min(id) FROM systemadmin_user WHERE username = 'bench-1'")
        names["user"] = cursor.fetchone()[0]
        for label, statement in (("products", PRODUCTS), ("words", WORDS), ("orders", ORDERS)):
            timed(label, cursor, statement, names)
        cursor.execute("SELECT min(id) FROM marketplace_product")
        names["product"] = cursor.fetchone()[0]
        for label, statement in (("lines", LINES), ("commission lines", COMMISSIONS)):
            timed(label, cursor, statement, names)
        book(cursor, names)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def book(cursor, names):
    """Open the books, so that `check_ledger` finds the generated past in balance."""
    for code in ("cash", "revenue", "tax", "processing"):
        LedgerAccount.objects.get_or_create(code=code, seller=None, currency="EUR")
    timed("accounts", cursor, OPENING, names)
    timed("ledger", cursor, BOOKED, names)


def timed(label, cursor, statement, names):
    """Run one statement and say how long it took."""
    began = time.perf_counter()
    cursor.execute(statement, names)
    print(f"  filled {label}: {time.perf_counter() - began:.0f} s", flush=True)


def measure(label, call, times=200, warm=5):
    """Call and print p50 and p99 in milliseconds."""
    for _ in range(warm):
        call()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    p50, p99 = statistics.median(taken), taken[int(len(taken) * 0.99) - 1]
    print(f"{label:<46} p50 {p50:8.2f} ms   p99 {p99:8.2f} ms", flush=True)
    return {"p50": round(p50, 2), "p99": round(p99, 2)}


def get(client, path):
    """Get a page and insist on 200."""

    def call():
        answer = client.get(path)
        assert answer.status_code == 200, answer.content[:300]
        return answer

    return call


def deep_cursor(client, rows):
    """Return a cursor far down the public list, made as the list itself makes them."""
    row = Product.objects.public().order_by("-listed_at", "-id")[rows]
    page = client.get("/api/products?page_size=1").json()["next"]

    raw = parse_qs(urlsplit(page).query)["cursor"][0]
    payload = json.loads(base64.urlsafe_b64decode(raw))
    payload["v"] = [{"t": row.listed_at.isoformat()}, row.pk]
    return base64.urlsafe_b64encode(json.dumps(payload).encode()).decode()


def reads(results, products):
    """Read the public list, search, detail, and the staff's lists."""
    client, rng = APIClient(), random.Random(1)
    first = Product.objects.order_by("id").first().pk
    category = Category.objects.order_by("id")[7].pk
    results["list"] = measure("product list, first page", get(client, "/api/products"))
    deep = deep_cursor(client, min(500_000, products // 2))
    results["list deep"] = measure(
        f"product list, {min(500_000, products // 2):,} rows down",
        get(client, f"/api/products?cursor={deep}"),
    )
    results["category"] = measure(
        "product list of a category", get(client, f"/api/products?category={category}")
    )
    results["by price"] = measure(
        "product list by price", get(client, "/api/products?currency=EUR&ordering=price")
    )
    for label, text in (
        ("search, one common word", "lamp"),
        ("search, two common words", "olive lamp"),
        ("search, a rare word", f"item{products // 3}"),
        ("search, common and rare", f"lamp item{products // 30 * 10 + 1}"),
    ):
        results[label] = measure(label, get(client, f"/api/products?search={text}"), times=60)
    results["detail"] = measure(
        "product detail",
        lambda: client.get(f"/api/products/{first + rng.randrange(products)}"),
    )


def writes(results, products):
    """Quote, order, payment, completion; and a member's own list among three million."""
    root = User.objects.get(username="bench-root")
    _token, secret = ApiToken.objects.create(user=root, two_factor_at=None)
    staff = APIClient()
    staff.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    settings.REQUIRE_STAFF_2FA = False
    first, rng = Product.objects.order_by("id").first().pk, random.Random(2)

    def product():
        return first + rng.randrange(products) // 50 * 50 + rng.randrange(1, 40)

    def quote():
        answer = staff.post("/api/admin/commissions/quote", {"product": product()})
        assert answer.status_code == 200, answer.content

    results["quote"] = measure("commission quote (21 rules)", quote)
    made = []

    def order():
        answer = staff.post("/api/orders", {"product": product()})
        assert answer.status_code == 201, answer.content
        made.append(answer.json()["id"])

    results["order"] = measure("order creation over HTTP", order)
    keyed = iter(range(10**9))

    def order_with_key():
        answer = staff.post(
            "/api/orders",
            {"product": product()},
            headers={"Idempotency-Key": f"bench-{os.getpid()}-{time.time()}-{next(keyed)}"},
        )
        assert answer.status_code == 201, answer.content

    results["order keyed"] = measure("the same with an Idempotency-Key", order_with_key)
    unpaid, paid = iter(list(made)), iter(list(made))
    times = len(made) - 10

    def step(ids, path):
        answer = staff.post(f"/api/admin/orders/{next(ids)}/{path}")
        assert answer.status_code == 200, answer.content

    results["pay"] = measure("payment", lambda: step(unpaid, "pay"), times=times)
    results["complete"] = measure("completion", lambda: step(paid, "complete"), times=times - 5)
    results["own orders"] = measure("a member's own orders", get(staff, "/api/orders"))
    results["staff orders"] = measure("staff list of orders", get(staff, "/api/admin/orders"))


def buy_for(seconds, products, seed, queue):
    """One process placing orders through the service, each its own transaction."""
    connection.close()
    rng = random.Random(seed)
    buyer = User.objects.get(username=f"bench-{MEMBERS - seed}")
    first = Product.objects.order_by("id").first().pk
    done, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        number = rng.randrange(products) // 50 * 50 + rng.randrange(1, 40)
        services.create_order(actor=buyer, buyer=buyer, items=[Item(first + number)])
        done += 1
    queue.put(done)


def throughput(results, products, seconds=10):
    """Orders per second with as many processes as given."""
    for processes in (1, 2, 4):
        connection.close()
        queue = multiprocessing.Queue()
        workers = [
            multiprocessing.Process(target=buy_for, args=(seconds, products, seed, queue))
            for seed in range(processes)
        ]
        for worker in workers:
            worker.start()
        total = sum(queue.get(timeout=seconds + 60) for _ in workers)
        for worker in workers:
            worker.join()
        results[f"orders/s, {processes}"] = round(total / seconds)
        print(f"orders/s with {processes} processes: {total / seconds:.0f}", flush=True)


def main():
    """Fill when empty, measure, print, and write the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=3_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--oscar", type=Path, help="an interpreter that has django-oscar")
    options = parser.parse_args()
    if connection.vendor != "postgresql":
        sys.exit("Set DATABASE_URL to an empty PostgreSQL database of its own.")
    call_command("migrate", verbosity=0)
    if not CommissionRule.objects.filter(name="Bench all").exists():
        fill(options.products, options.orders)
    products = Product.objects.filter(title__contains=" item").count()
    print(f"{products:,} products, {Order.objects.count():,} orders", flush=True)
    results = {}
    reads(results, products)
    writes(results, products)
    throughput(results, products)
    began = time.perf_counter()
    wrong = services.check_ledger()
    results["check_ledger"] = round(time.perf_counter() - began, 1)
    print(f"check_ledger: {len(wrong)} faults, {results['check_ledger']} s {wrong[:3]}")
    if options.oscar:
        # Its own interpreter: the peer's packages never enter ours.
        database = os.environ["DATABASE_URL"] + "_oscar"
        script = str(ROOT / "bench" / "marketplace_oscar.py")
        subprocess.run(
            [str(options.oscar), script, "--products", str(options.products)],
            env={**os.environ, "DATABASE_URL": database},
            check=True,
        )
    else:
        print("django-oscar: skipped, name its interpreter with --oscar")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
