"""A decision in the moment over HTTP, beside the least that Django and DRF do; and back-tests.

    DATABASE_URL=postgres://… python bench/decisions.py [--accounts 100000] [--events 3000000]

Makes a database of its own with a month of made-up events, scores everyone, serves the product by
granian with one process of four threads, and asks for decisions about new events, each of an
account of its own, in turns with an empty endpoint (`bench/bare_site.py`). Then rules are tried on
the month by `manage.py backtest_decisions`. REDIS_URL counts the limits.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from databases import empty_database
from throughput import ROOT, run, serving

BENCH = Path(__file__).resolve().parent
MONTH = 30 * 86_400
PATH = "/api/risk/decisions"
# Rules that a shop has: lists and scores are shipped, these are measures and conditions beside.
MAKE = """
from django.contrib.auth.models import Permission
from riskops.decisions.lists import add_list_entry
from riskops.decisions.rules import create_decision_rule
from systemadmin.models import ApiToken, User
from systemadmin.services import change_settings
change_settings(actor=None, values={"ratelimit.riskops.decide": "10000000/m",
    "risk.decision_timeout_ms": 5000, "blocking.flood_per_minute": 1_000_000})
def counted(value, window, **measure):
    return {"field": "measure", "op": "at_least", "value": value, "window": window,
            "measure": {"kinds": ["purchase", "sale", "transfer"], **measure}}
rules = [
    ("velocity", [counted(5, 3600, aggregate="count")]),
    ("total", [counted(50_000, 86_400, aggregate="sum")]),
    ("habit", [counted(500, 86_400, aggregate="habit", past=29 * 86_400)]),
    ("new-device", [{"field": "new", "op": "is", "value": "device"},
                    {"field": "amount", "op": "at_least", "value": 10_000}]),
    ("large", [{"field": "amount", "op": "at_least", "value": 100_000}]),
    ("risky", [{"field": "score", "op": "at_least", "value": 30}, counted(2, 86_400,
               aggregate="distinct", field="ip")]),
]
for number, (code, conditions) in enumerate(rules):
    create_decision_rule(actor=None, values={"code": code, "title": code, "outcome": "review",
        "kinds": ["purchase", "sale", "transfer"], "conditions": conditions,
        "priority": 60 + number, "is_shadow": False})
for number in range(2000):
    add_list_entry(actor=None, list="watch", kind="device", value=f"bad-{number}", reason="bench")
user = User.objects.create_user(username="caller")
user.user_permissions.add(Permission.objects.get(codename="make_decision"))
print(ApiToken.objects.create(user=user)[1])
"""
_numbers = itertools.count()


def fill(accounts: int, events: int) -> None:
    """In the database of the environment: people, a month of events, facts and scores."""
    import risk

    risk.YEAR = MONTH
    risk.make_people(accounts)
    risk.make_events(accounts, events)
    risk.analyze()
    risk.derive(accounts)
    risk.recompute()
    risk.analyze()


def question(accounts: int, dice: random.Random) -> bytes:
    """Return a purchase of some account, mostly from its own address and device."""
    account = dice.randrange(1, accounts + 1)
    device = f"device-{account}" if dice.random() < 0.9 else f"other-{dice.randrange(10**6)}"
    event = {
        "kind": "purchase",
        "account": account,
        "occurred_at": datetime.now(UTC).isoformat(),
        "external_id": f"q{next(_numbers)}-{secrets.token_hex(4)}",
        "ip": f"10.{account // 65536}.{account // 256 % 256}.{account % 256}",
        "device": device,
        "amount": dice.randrange(500, 20_000),
        "currency": "EUR",
        "data": {"card": f"fp{account}", "email": f"a{account}@example.test"},
    }
    return json.dumps({"source": "bench", "event": event}).encode()


def call(port, path, headers, bodies, seconds, callers):
    """Return the milliseconds of every call; one body per call, or GET without."""
    taken: list[list[float]] = [[] for _ in range(callers)]
    until = time.perf_counter() + seconds

    def work(number):
        there = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        dice = random.Random(f"{number}{until}")
        while time.perf_counter() < until:
            body = bodies(dice) if bodies else None
            began = time.perf_counter()
            there.request("POST" if body else "GET", path, body=body, headers=headers)
            answer = there.getresponse()
            text = answer.read()
            taken[number].append((time.perf_counter() - began) * 1000)
            assert answer.status == 200, text
            assert b'"is_default":true' not in text, text
        there.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for mine in taken for one in mine]


def show(label, taken, seconds):
    every = sorted(taken)
    p50, p99 = statistics.median(every), every[int((len(every) - 1) * 0.99)]
    rate = len(every) / seconds
    print(f"  {label:<44}{rate:8.0f} /s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms", flush=True)


def measure(ports, token, bare_token, options):
    json_type = {"Content-Type": "application/json"}
    ours = {"Authorization": f"Bearer {token}", **json_type}
    bare = {"Authorization": f"Token {bare_token}"}
    accounts = options.accounts
    for callers in (1, 4):
        print(f"{callers} at once, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        found: dict[str, list[float]] = {"floor: an empty endpoint": [], "a decision": []}
        for turn in range(options.turns + 1):
            for label, port, path, who, bodies in (
                ("floor: an empty endpoint", ports[1], "/count", bare, None),
                ("a decision", ports[0], PATH, ours, lambda dice: question(accounts, dice)),
            ):
                taken = call(port, path, who, bodies, options.seconds, callers)
                if turn:  # the first one warms up
                    found[label] += taken
        for label, taken in found.items():
            show(label, taken, options.seconds * options.turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--seconds", type=float, default=5, help="of each turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.accounts, options.events)
        return
    server = os.environ["DATABASE_URL"]
    with (
        tempfile.TemporaryDirectory(prefix="decisions-") as place,
        empty_database(server, "decisions_bench") as url,
        empty_database(server, "decisions_bench_bare") as bare_url,
    ):
        variables = {
            **os.environ,
            "DATABASE_URL": url,
            "DJANGO_DEBUG": "0",
            "DJANGO_SECRET_KEY": secrets.token_urlsafe(64),
            "BACKUP_PASSPHRASE": secrets.token_urlsafe(32),
            "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
            "DJANGO_TLS": "0",
            "VAR_DIR": place,
            "BARE_URL": bare_url,
        }
        started = time.perf_counter()
        run(["manage.py", "migrate", "--verbosity", "0"], variables)
        size = ["--accounts", str(options.accounts), "--events", str(options.events)]
        run([str(BENCH / "decisions.py"), "--fill", *size], variables)
        print(f"{options.accounts:,} accounts, {options.events:,} events in 30 days:"
              f" {time.perf_counter() - started:.0f} s to make", flush=True)  # fmt: skip
        token = run(["manage.py", "shell", "--no-imports", "-c", MAKE], variables)
        bare_token = run([str(BENCH / "bare_site.py")], variables)
        with (
            serving("config.wsgi:application", variables) as port,
            serving("bare_site:application", variables) as bare_port,
        ):
            measure((port, bare_port), token, bare_token, options)
        print("back-tests over the month", flush=True)
        subprocess.run(
            [sys.executable, "manage.py", "backtest_decisions"],
            cwd=ROOT,
            env=variables,
            check=True,
        )


if __name__ == "__main__":
    main()
