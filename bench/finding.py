"""Links, clusters and anomalies at size, each beside a yardstick measured in the same run.

Fills a database of its own as `bench/risk.py` does, adds public places that thousands of accounts
were seen at and a few rings, and measures. PostgreSQL only.

    DATABASE_URL=postgres://… python bench/finding.py                 50,000 accounts, 1 M events
    DATABASE_URL=postgres://… python bench/finding.py --full          1 M accounts, 20 M events
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from datetime import timedelta

import risk  # sets Django up
from django.db import connection
from django.utils import timezone
from risk import execute, say, timed

from riskops.anomalies.detection import detect_history, detect_since
from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all, detect_for
from riskops.models import (
    AccountCluster,
    AccountEvent,
    AccountFacts,
    EventKind,
    RelatedAccount,
    Sighting,
)
from riskops.querysets.account import links_of
from systemadmin.models import User

HUBS = 40
RINGS = 2_000
RING_SIZE = 5
CROWD_CAP = 50


def make_places(accounts):
    """Hubs: forty addresses that up to a tenth of the accounts were seen at, unevenly."""
    top = accounts // 10
    for number in range(HUBS):
        crowd = max(top // (number + 1), CROWD_CAP * 2)
        execute(
            "INSERT INTO riskops_accountevent (account_id, kind, occurred_at, received_at, source,"
            " external_id, ip_id, device_id, currency, country)"
            f" SELECT DISTINCT ON (a) a, {EventKind.LOGIN_OK.value},"
            " now() - make_interval(secs => s), now(), 'bench', 'hub' || %s || '-' || a, %s, NULL,"
            f" '', '' FROM (SELECT 1 + floor(random() * {accounts})::bigint AS a,"
            f" floor(random() * 31536000) AS s FROM generate_series(1, {crowd})) AS e",
            [number, 1 + number],
        )
    # Rings: five accounts on the device of the first.
    rings = min(RINGS, accounts // 100)
    execute(
        "INSERT INTO riskops_accountevent (account_id, kind, occurred_at, received_at, source,"
        " external_id, ip_id, device_id, currency, country)"
        f" SELECT r * 50 + m, {EventKind.LOGIN_OK.value}, now() - make_interval(days => t), now(),"
        f" 'bench', 'ring' || r || '-' || m || '-' || t, NULL, {accounts} + r * 50 + 1, '', ''"
        f" FROM generate_series(1, {rings}) r, generate_series(1, {RING_SIZE}) m,"
        " generate_series(1, 10) t"
    )


# Kind, how many, within how many seconds, with how many devices: what the shipped rules look for.
BURSTS = (
    (EventKind.LOGIN_FAILED, 12, 300, 1),
    (EventKind.PURCHASE, 12, 300, 1),
    (EventKind.CONTENT_POSTED, 25, 300, 1),
    (EventKind.LOGIN_OK, 5, 36_000, 5),
)


def make_bursts(accounts):
    """One account in 250 does too much at once, a quarter of them each kind of thing."""
    for number, (kind, count, seconds, devices) in enumerate(BURSTS):
        execute(
            "INSERT INTO riskops_accountevent (account_id, kind, occurred_at, received_at, source,"
            " external_id, ip_id, device_id, currency, country)"
            f" SELECT a, {kind.value}, now() - make_interval(secs => (a * 7919::bigint) %% 31000000"
            f" + m * {seconds // count}), now(), 'bench', 'burst' || {number} || '-' || a || '-'"
            f" || m, a, {accounts} + 1 + (a + m %% {devices}) %% {accounts}, '', ''"
            f" FROM generate_series({1 + number}, {accounts}, 1000) a,"
            f" generate_series(1, {count}) m",
            [],
        )


def fill(options):
    accounts = options.accounts
    say(f"{accounts:,} accounts made", timed(lambda: risk.make_people(accounts))[0])
    say(
        f"{options.events:,} events made",
        timed(lambda: risk.make_events(accounts, options.events))[0],
    )
    make_places(accounts)
    make_bursts(accounts)
    risk.analyze()
    say("facts derived from the raw log", timed(lambda: risk.derive(accounts))[0])
    risk.analyze()


def calls(label, function, people):
    """Call once for each, a look-up by primary key in turn: p50, p99 and the ratio of the p99s.

    In turn, because a machine that slows down for a second must slow both.
    """
    look_ups, taken = [], []
    for user in people:
        began = time.perf_counter()
        User.objects.get(pk=user.pk)
        between = time.perf_counter()
        function(user)
        look_ups.append((between - began) * 1000)
        taken.append((time.perf_counter() - between) * 1000)
    base, p99 = percentile(look_ups, 0.99), percentile(taken, 0.99)
    print(
        f"{label:<58} p50 {statistics.median(taken):7.2f} ms   p99 {p99:7.2f} ms"
        f"   p99 {p99 / base:.1f} x the look-up's {base:.2f}",
        flush=True,
    )


def percentile(taken, share):
    return sorted(taken)[int((len(taken) - 1) * share)]


SELF_JOIN = """
SELECT count(*) FROM (
    SELECT DISTINCT a.account_id AS low, b.account_id AS high
    FROM riskops_sighting a
    JOIN riskops_identifier i ON i.id = a.identifier_id AND i.accounts BETWEEN 2 AND {cap}
    JOIN riskops_sighting b ON b.identifier_id = a.identifier_id AND b.account_id > a.account_id
) AS pairs
"""


def bench_detection():
    join, rows = timed(lambda: execute(SELF_JOIN.format(cap=CROWD_CAP)))
    say("yardstick: the bare capped self-join of sightings in SQL", join, f"{rows[0][0]:,} pairs")
    first, summary = timed(detect_all)
    say(
        "full detection, first",
        first,
        f"{first / join:.2f} x the self-join, {summary.added:,} links",
    )
    again, summary = timed(detect_all)
    say("full detection, again", again, f"{again / join:.2f} x, {summary.changed} changed")
    clusters, _ = timed(rebuild_clusters)
    largest = AccountCluster.objects.order_by("-size").values_list("size", flat=True).first()
    say(
        "clusters rebuilt",
        clusters,
        f"{AccountCluster.objects.count():,} clusters, the largest of {largest}",
    )
    execute("ANALYZE")


def _links(user):
    return links_of(user, unmasked=True)


def bench_one(accounts, times):
    rng = random.Random(5)
    some = [rng.randrange(1, accounts + 1) for _ in range(times)]
    everyone = User.objects.in_bulk(some)
    for user in list(everyone.values())[:20]:
        _links(user)
    # The look-up reads pages that in_bulk just read; the first pass may have to fetch its own.
    for again in ("", ", again"):
        calls(f"related accounts of one account{again}", _links, list(everyone.values()))
    widest = execute(
        "SELECT account_id FROM riskops_sighting GROUP BY 1 ORDER BY count(*) DESC LIMIT 200"
    )
    most = execute(
        "SELECT account FROM (SELECT low_id AS account FROM riskops_relatedaccount UNION ALL"
        " SELECT high_id FROM riskops_relatedaccount) AS ends GROUP BY 1"
        " ORDER BY count(*) DESC LIMIT 200"
    )
    hubs = Sighting.objects.filter(identifier__accounts__gt=CROWD_CAP).order_by("-identifier_id")
    on_hubs = list(hubs.values_list("account_id", flat=True)[:200])
    for label, ids in (
        ("the widest (most identifiers)", [row[0] for row in widest]),
        ("those with most links", [row[0] for row in most]),
        ("those seen at hubs", on_hubs),
    ):
        users = list(User.objects.filter(pk__in=ids))
        calls(f"  {label}", _links, users)
    fifty = list(everyone.values())[:50]
    calls("links of one account calculated anew", lambda user: detect_for([user.pk]), fifty)


def bench_anomalies():
    scan, _ = timed(
        lambda: execute(
            "SELECT count(*), max(occurred_at), max(account_id), max(ip_id)"
            " FROM riskops_accountevent WHERE occurred_at IS NOT NULL"
        ),
        3,
    )
    say("yardstick: a bare scan of the log", scan)
    since = timezone.now() - timedelta(days=1)
    day = AccountEvent.objects.filter(occurred_at__gt=since).count()
    for label in ("first", "again"):
        spent, summary = timed(lambda: detect_since(since))
        say(f"anomalies of the last day, {label}", spent, f"{day:,} events, {summary.hits} hits")
    for label in ("first", "again"):
        spent, summary = timed(detect_history)
        say(
            f"anomalies of the whole log, {label}",
            spent,
            f"{spent / scan:.1f} x the scan, {summary.hits:,} hits",
        )


def main():
    """Fill, measure, and drop the database afterwards, unless it is to be kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--accounts", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--full", action="store_true", help="1 M accounts, 20 M events")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--keep", action="store_true", help="keep the database")
    parser.add_argument("--use-kept", action="store_true", help="use the one kept before")
    options = parser.parse_args()
    if options.full:
        options.accounts, options.events = 1_000_000, 20_000_000
    name = connection.creation.create_test_db(
        verbosity=0, autoclobber=True, serialize=False, keepdb=options.use_kept
    )
    try:
        print(f"{connection.vendor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        if not options.use_kept or not AccountFacts.objects.exists():
            fill(options)
        bench_detection()
        bench_one(options.accounts, options.calls)
        bench_anomalies()
        print(f"links: {RelatedAccount.objects.count():,}")
    finally:
        if not options.keep:
            connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
