"""Events in, scores out: how fast, beside what a bare scan, one SQL statement and a loop need.

Makes a database of its own, fills it with made-up accounts and events, and prints every figure
as a ratio to a yardstick measured in the same run, so that a slow machine does not matter.

    python bench/risk.py                       20,000 accounts, 400,000 events
    python bench/risk.py --full                1,000,000 accounts, 20,000,000 events
    DATABASE_URL=postgres://… python bench/risk.py --accounts 100000 --events 2000000
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DJANGO_SECRET_KEY", "bench" * 10)
os.environ.setdefault("DATABASE_PERSISTENT", "1")
os.environ.setdefault("LOG_DIR", "")

import django

django.setup()

import psutil
from django.db import connection, transaction
from django.utils import timezone
from risk_data import (
    IS_POSTGRES,
    SHARES,
    analyze,
    derive,
    execute,
    make_events,
    make_people,
)
from risk_statement import record_in_one_statement

from riskops.models import (
    AccountEvent,
    AccountFacts,
    EventKind,
    RiskScore,
    RiskScoreHistory,
)
from riskops.models.scores import Cause
from riskops.scores.calculate import calculate_score
from riskops.scores.recompute import CHUNK, recompute_touched, start_run, total_of, work_on
from riskops.scores.rulesets import current_ruleset, draft_ruleset, publish_ruleset
from riskops.services import EventInput, record_events
from systemadmin.models import User


def timed(call, times=1):
    """Return the best of some runs in seconds, and what the last one gave back."""
    best, found = None, None
    for _ in range(times):
        started = time.perf_counter()
        found = call()
        spent = time.perf_counter() - started
        best = spent if best is None else min(best, spent)
    return best, found


def say(label, seconds, note=""):
    print(f"{label:<58}{seconds:>10.2f} s   {note}", flush=True)


# -- what is measured ------------------------------------------------------------


class Memory:
    """Resident memory after each chunk: it may grow to a chunk's size, not with their number."""

    def __init__(self):
        self.process = psutil.Process()
        self.seen = []

    def note(self, _part):
        self.seen.append(self.process.memory_info().rss / 2**20)

    def report(self):
        if len(self.seen) < 4:
            return "too few chunks to tell"
        early = max(self.seen[: max(len(self.seen) // 4, 2)])
        return f"{early:.0f} MB after a quarter of the chunks, {max(self.seen):.0f} MB at the end"


def recompute(memory=None, chunk=CHUNK):
    run = start_run(cause=Cause.SCHEDULE, chunk_size=chunk)
    work_on(run, progress=memory.note if memory else lambda part: None)
    return total_of(run)


def naive_score(account):
    """Score as one writes it first: a query for everything, for each account."""
    now = timezone.now()
    events = AccountEvent.objects.filter(account=account)
    day, week, quarter = (now - timedelta(days=d) for d in (1, 7, 90))
    recent = events.filter(occurred_at__gt=day)
    kinds = EventKind
    points = 15 * (recent.values("ip").distinct().count() > 3)
    wallets = events.filter(kind=kinds.WALLET_CONNECTED, occurred_at__gt=week)
    points += 20 * (wallets.count() > 2)
    reports = events.filter(kind=kinds.CONTENT_REPORTED, occurred_at__gt=quarter).count()
    points += min(40, 10 * reports)
    points += min(25, 5 * recent.filter(kind=kinds.LOGIN_FAILED).count())
    points -= 20 * events.filter(kind=kinds.TWO_FACTOR_ENABLED).exists()
    points -= 15 * events.filter(kind=kinds.ACCOUNT_VERIFIED).exists()
    trouble = (kinds.CONTENT_REPORTED, kinds.DISPUTE_OPENED)
    clean = not events.filter(kind__in=trouble, occurred_at__gt=quarter).exists()
    trades = events.filter(kind__in=(kinds.PURCHASE, kinds.SALE)).count()
    points -= 10 * clean + min(15, trades // 10)
    points -= min(20, 5 * (now - account.date_joined).days // 365)
    score = max(0, min(100, points))
    RiskScore.objects.filter(pk=account.pk).exclude(score=score).first()
    return score


def sample(accounts, size):
    rng = random.Random(1)
    ids = [rng.randrange(1, accounts + 1) for _ in range(size)]
    return list(User.objects.filter(pk__in=ids))


def batch(accounts, number, size, rng):
    """Return a batch of events as an app would send it."""
    now = timezone.now()
    kinds = [kind for kind, share in SHARES for _ in range(share)]
    events = []
    for i in range(size):
        account = rng.randrange(1, accounts + 1)
        at_home = rng.random() < 0.8
        ip = account if at_home else rng.randrange(1, accounts + 1)
        events.append(
            EventInput(
                kind=rng.choice(kinds),
                account_id=account,
                occurred_at=now - timedelta(seconds=rng.randrange(3600)),
                external_id=f"n{number}-{i}",
                ip=f"10.{ip // 65536}.{ip // 256 % 256}.{ip % 256}",
                device=f"device-{account}",
            )
        )
    return events


def measure_ingest(accounts, batches, size):
    rng = random.Random(2)
    theirs = [batch(accounts, f"s{i}", size, rng) for i in range(batches)]
    ours = [batch(accounts, f"o{i}", size, rng) for i in range(batches)]
    # Alternately, so that what else happens on the machine hits both.
    spent = {"ours": 0.0, "theirs": 0.0}
    for mine, other in zip(ours, theirs, strict=True):
        if IS_POSTGRES:
            spent["theirs"] += timed(lambda other=other: record_in_one_statement(other, "one"))[0]
        spent["ours"] += timed(lambda mine=mine: record_events(mine, source="ours"))[0]
    rate = batches * size / spent["ours"]
    say(f"ingest, {batches} batches of {size}", spent["ours"], f"{rate:,.0f} events/s")
    if IS_POSTGRES:
        other_rate = batches * size / spent["theirs"]
        say(
            "  the same upkeep in one SQL statement a batch",
            spent["theirs"],
            f"{other_rate:,.0f} events/s; ours runs at {rate / other_rate:.2f} x its rate",
        )
    return rate


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--full", action="store_true", help="1 M accounts, 20 M events")
    parser.add_argument("--chunk", type=int, default=CHUNK, help="accounts a chunk")
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--keep", action="store_true", help="keep the database")
    parser.add_argument("--use-kept", action="store_true", help="use the one kept before")
    options = parser.parse_args()
    if options.full:
        options.accounts, options.events = 1_000_000, 20_000_000
    name = connection.creation.create_test_db(
        verbosity=0, autoclobber=True, serialize=False, keepdb=options.use_kept
    )
    try:
        bench(options)
    finally:
        if not options.keep:
            connection.creation.destroy_test_db(name, verbosity=0)


def fill(options):
    accounts = options.accounts
    say(f"{accounts:,} accounts made", timed(lambda: make_people(accounts))[0])
    say(
        f"{options.events:,} events made",
        timed(lambda: make_events(accounts, options.events))[0],
    )
    analyze()
    say("facts derived from the raw log", timed(lambda: derive(accounts))[0])
    analyze()


def bench(options):
    print(f"{connection.vendor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    accounts = options.accounts
    if not options.use_kept or not AccountFacts.objects.exists():
        fill(options)
    current_ruleset()
    count, _ = timed(lambda: execute("SELECT COUNT(*) FROM riskops_accountevent"), 3)
    say("yardstick: SELECT count(*) over the events", count)
    bench_recompute(options.chunk, count)
    bench_loop(accounts)
    bench_incremental(accounts)
    measure_ingest(accounts, options.batches, 1000)


def bench_recompute(chunk, count):
    memory = Memory()
    first, total = timed(lambda: recompute(memory, chunk))
    say("first recompute of all", first, f"{first / count:.1f} x count(*), {total.written} written")
    print(f"  memory: {memory.report()}")
    analyze()
    again, total = timed(lambda: recompute(chunk=chunk), 2)
    say("recompute of all", again, f"{again / count:.1f} x count(*), {total.written} written")
    bench_recompute.seconds = again
    draft = draft_ruleset(
        actor=None, definition={"factors": [{"code": "completed_trades", "points": -2}]}
    )
    with transaction.atomic():
        publish_ruleset(actor=None, ruleset=draft)
    rules, total = timed(lambda: recompute(chunk=chunk))
    say(
        "recompute of all under new rules",
        rules,
        f"{rules / count:.1f} x count(*), {total.written} written",
    )
    print(f"  history rows: {RiskScoreHistory.objects.count():,}")


def bench_loop(accounts):
    people = sample(accounts, 200)
    naive, _ = timed(lambda: [naive_score(person) for person in people])
    whole = naive / len(people) * accounts
    ratio = whole / bench_recompute.seconds
    say(
        "naive loop, a query for everything (extrapolated)",
        whole,
        f"recompute of all is {ratio:,.0f} x faster",
    )
    single, _ = timed(lambda: [calculate_score(account=person) for person in people])
    say("our calculation of one account", single / len(people))


def bench_incremental(accounts):
    rng = random.Random(3)
    recompute_touched()
    for number in range(3):
        record_events(batch(accounts, f"h{number}", 1000, rng), source="hour")
    touched, total = timed(recompute_touched)
    say("incremental run over the accounts of an hour", touched, f"{total.scored} accounts")


if __name__ == "__main__":
    main()
