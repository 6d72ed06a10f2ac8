"""Reads of the event log as columns, for detection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
from django.db import connection
from django.db.models import BooleanField, F, Sum
from django.db.models.expressions import RawSQL

from riskops.account_sets import Accounts
from riskops.anomalies.login_risk import LEAST_BITS, LISTED_BITS, TAKEOVER_BITS, least_logins
from riskops.anomalies.windows import EventTable, Ints
from riskops.columns import Read, fetch, moment
from riskops.models import (
    AccountCountry,
    AccountEvent,
    AccountFacts,
    EventKind,
    Identifier,
    Sighting,
)
from riskops.scores.facts import from_micros, to_micros

EVENTS = AccountEvent._meta.db_table
FACTS = AccountFacts._meta.db_table
COUNTRIES = AccountCountry._meta.db_table
IDENTIFIERS = Identifier._meta.db_table
SIGHTINGS = Sighting._meta.db_table

# What detectors look at; the rest of the log is not read.
TRANSACTIONS = (EventKind.TRANSFER.value, EventKind.PURCHASE.value)
CONTENT = (EventKind.CONTENT_POSTED.value, EventKind.MESSAGE_SENT.value)
WATCHED = (
    *TRANSACTIONS,
    EventKind.CONTENT_POSTED.value,
    EventKind.FOLLOW.value,
    EventKind.LOGIN_OK.value,
    EventKind.LOGIN_FAILED.value,
)


def letters_sql(column: str, number: int) -> str:
    """Return a short code as a number, the same on both databases."""
    call = "ASCII" if connection.vendor == "postgresql" else "UNICODE"
    parts = [
        f"COALESCE({call}(SUBSTR({column}, {i + 1}, 1)), 0) * {256 ** (number - 1 - i)}"
        for i in range(number)
    ]
    # Most events tell none, and an empty text is told apart faster than taken apart.
    return f"(CASE WHEN {column} = '' THEN 0 ELSE {' + '.join(parts)} END)"


def read_events(
    since: Mapping[int, int],
    end: int,
    accounts: Accounts | None = None,
    *,
    logins_at_least: int = 0,
) -> EventTable:
    """Return events from a moment per kind until before `end`, of everyone or of some accounts."""
    where, params = ("", []) if accounts is None else accounts.sql("e.account_id")
    joined = ""
    if logins_at_least:
        joined = f" JOIN {FACTS} AS f ON f.account_id = e.account_id AND f.logins >= %s"
    columns = (
        Read("id", "e.id"),
        Read("account", "e.account_id"),
        Read("kind", "e.kind"),
        moment("at", "e.occurred_at"),
        Read("amount", "e.amount"),
        Read("currency", letters_sql("e.currency", 3)),
        Read("country", letters_sql("e.country", 2)),
        Read("ip", "e.ip_id"),
        Read("device", "e.device_id"),
    )
    moments = sorted(set(since.values()))
    wanted, starts = [], []
    for start in moments:
        kinds = ", ".join(str(int(kind)) for kind, at in since.items() if at == start)
        wanted.append(f"(e.kind IN ({kinds}) AND e.occurred_at >= %s)")
        starts.append(from_micros(start))
    tail = (
        f"FROM {EVENTS} AS e{joined} WHERE e.occurred_at >= %s AND e.occurred_at < %s "
        f"AND ({' OR '.join(wanted)}){' AND ' + where if where else ''}"
    )
    head = [logins_at_least] if logins_at_least else []
    return EventTable.sorted(
        fetch(columns, tail, [*head, starts[0], from_micros(end), *starts, *params])
    )


def listed_among(identifiers: Ints) -> Ints:
    """Return those of some addresses that are on a list of VPNs, proxies, Tor exits or hosting."""
    columns = (Read("ip", "i.id"),)
    listed = fetch(columns, f"FROM {IDENTIFIERS} AS i WHERE i.listing <> ''", ())["ip"]
    return np.intersect1d(listed, identifiers)


def read_daily_totals(since: int, until: int, near: tuple[int, int] = (0, 0)) -> dict[str, Ints]:
    """Return what each account moved on each UTC day in each currency, where it moved something.

    Columns account, currency, day, total, and how many of the amounts lie from the first to below
    the second of `near`.
    """
    day = (
        "(e.occurred_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01'"
        if connection.vendor == "postgresql"
        else "CAST(JULIANDAY(DATE(e.occurred_at)) - 2440587.5 AS INTEGER)"
    )
    columns = (
        Read("account", "t.account_id"),
        Read("currency", letters_sql("t.currency", 3)),
        Read("day", "t.day"),
        Read("total", "t.total"),
        Read("near", "t.near"),
    )
    close = "COUNT(*) FILTER (WHERE ABS(e.amount) >= %s AND ABS(e.amount) < %s)"
    kinds = ", ".join(map(str, TRANSACTIONS))
    tail = (
        f"FROM (SELECT e.account_id, e.currency, {day} AS day, SUM(ABS(e.amount)) AS total, "  # noqa: S608
        f"{close} AS near FROM {EVENTS} AS e "
        f"WHERE e.kind IN ({kinds}) AND e.amount <> 0 AND e.currency <> '' "
        "AND e.occurred_at >= %s AND e.occurred_at < %s GROUP BY e.account_id, e.currency, 3) AS t"
    )
    return fetch(columns, tail, [*near, from_micros(since), from_micros(until)])


def transactions_known() -> int:
    """Return how many transfers and purchases there are."""
    total = AccountFacts.objects.aggregate(total=Sum(F("transfers") + F("purchases")))["total"]
    return int(total or 0)


def read_content(
    start: int, end: int, accounts: Accounts | None = None
) -> tuple[Ints, Ints, Ints, Ints]:
    """Account, time, id and a digest of what was posted or sent, where the source tells it."""
    rows = AccountEvent.objects.filter(
        kind__in=CONTENT,
        occurred_at__gte=from_micros(start),
        occurred_at__lt=from_micros(end),
        data__isnull=False,
    )
    if accounts is not None:
        chosen = accounts.sql(f"{EVENTS}.account_id")
        rows = rows.filter(RawSQL(*chosen, output_field=BooleanField()))  # noqa: S611
    found: list[tuple[int, int, int, int]] = []
    for account, at, pk, data in rows.values_list("account_id", "occurred_at", "id", "data"):
        digest = content_digest(data)
        if digest:
            found.append((account, to_micros(at), pk, digest))
    columns = np.array(found, dtype=np.int64).reshape(-1, 4).T
    return columns[0], columns[1], columns[2], columns[3]


def content_digest(data: object) -> int:
    """Return a number for the content an event tells of: its `digest`, or its `text`."""
    if isinstance(data, str):
        data = json.loads(data)
    if not isinstance(data, dict):
        return 0
    value = data.get("digest") or data.get("text")
    if not isinstance(value, str) or not value.strip():
        return 0
    plain = " ".join(value.casefold().split())
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=7).digest(), "big")


def read_countries(accounts: Accounts | None, since: int, until: int) -> tuple[Ints, Ints, Ints]:
    """Account, country and first login there, of accounts with a country new in the range."""
    if accounts is None:
        where = (
            f"c.account_id IN (SELECT n.account_id FROM {COUNTRIES} AS n "  # noqa: S608
            "WHERE n.first_seen >= %s AND n.first_seen < %s)"
        )
        params: list = [from_micros(since), from_micros(until)]
    else:
        where, params = accounts.sql("c.account_id")
    columns = (
        Read("account", "c.account_id"),
        Read("country", letters_sql("c.country", 2)),
        moment("first", "c.first_seen"),
    )
    found = fetch(columns, f"FROM {COUNTRIES} AS c WHERE {where}", params)
    return found["account"], found["country"], found["first"]


def _may_surprise(bits: float) -> str:
    """Return SQL: whether a login may hold so many bits, were each of its values everybody's.

    `login_risk.feature_bits` grows with the share of those who show a value, so that a share of one
    bounds it by log2((logins + 1) / (own + 1)). Powers instead of logarithms: SQLite has none.
    """
    most, least = ("GREATEST", "LEAST") if connection.vendor == "postgresql" else ("MAX", "MIN")
    factors = [
        f"CASE WHEN {told} THEN {most}({2.0**LEAST_BITS}, (f.logins + 1.0) / (1 + "
        f"CASE WHEN {row}.first_seen < e.occurred_at THEN {least}({own}, f.logins) ELSE 0 END)) "
        "ELSE 1.0 END"
        for told, row, own in (
            ("e.ip_id IS NOT NULL", "g", "g.hits"),
            ("e.device_id IS NOT NULL", "h", "h.hits"),
            ("e.country <> ''", "c", "c.logins"),
        )
    ]
    told = " + ".join(
        f"CASE WHEN {condition} THEN 1 ELSE 0 END"
        for condition in ("e.ip_id IS NOT NULL", "e.device_id IS NOT NULL", "e.country <> ''")
    )
    # First by what needs no other row, for most logins are too few already.
    few = " ".join(f"WHEN {n} THEN {least_logins(bits, n)}" for n in (1, 2, 3))
    enough = f"f.logins >= CASE {told} {few} ELSE {least_logins(bits, 1)} END"
    listed = f"CASE WHEN i.listing <> '' THEN {2.0**LISTED_BITS} ELSE 1.0 END"
    takeover = (
        "CASE WHEN g.first_seen >= e.occurred_at AND h.first_seen >= e.occurred_at "
        f"THEN {2.0**TAKEOVER_BITS} ELSE 1.0 END"
    )
    # A little less, for what floating point rounds.
    return f"{enough} AND {' * '.join([*factors, takeover, listed])} >= {2.0**bits * (1 - 1e-9)!r}"


def read_logins(
    start: int, end: int, accounts: Accounts | None, logins_at_least: int, bits: float
) -> dict[str, Ints]:
    """Return logins that may hold so many bits of surprise, with what the account showed before."""
    where, params = ("", []) if accounts is None else accounts.sql("e.account_id")
    columns = (
        Read("id", "e.id"),
        Read("account", "e.account_id"),
        moment("at", "e.occurred_at"),
        Read("logins", "f.logins"),
        Read("ip", "e.ip_id"),
        Read("device", "e.device_id"),
        Read("country", letters_sql("e.country", 2)),
        moment("ip_first", "g.first_seen"),
        Read("ip_own", "g.hits"),
        Read("ip_crowd", "i.accounts"),
        Read("listed", "CASE WHEN i.listing <> '' THEN 1 ELSE 0 END"),
        moment("device_first", "h.first_seen"),
        Read("device_own", "h.hits"),
        Read("device_crowd", "j.accounts"),
        moment("country_first", "c.first_seen"),
        Read("country_own", "c.logins"),
    )
    tail = (
        f"FROM {EVENTS} AS e JOIN {FACTS} AS f ON f.account_id = e.account_id "
        f"LEFT JOIN {IDENTIFIERS} AS i ON i.id = e.ip_id "
        f"LEFT JOIN {SIGHTINGS} AS g ON g.identifier_id = e.ip_id AND g.account_id = e.account_id "
        f"LEFT JOIN {IDENTIFIERS} AS j ON j.id = e.device_id "
        f"LEFT JOIN {SIGHTINGS} AS h ON h.identifier_id = e.device_id "
        "AND h.account_id = e.account_id "
        f"LEFT JOIN {COUNTRIES} AS c ON c.account_id = e.account_id AND c.country = e.country "
        f"WHERE e.occurred_at >= %s AND e.occurred_at < %s AND e.kind = {EventKind.LOGIN_OK.value} "
        f"AND f.logins > %s AND {_may_surprise(bits)}"
        f"{' AND ' + where if where else ''} ORDER BY e.id"
    )
    return fetch(columns, tail, [from_micros(start), from_micros(end), logins_at_least, *params])


def accounts_known() -> int:
    """Return how many accounts there is anything known of."""
    return AccountFacts.objects.count()


def country_shares() -> dict[int, float]:
    """Return the share of each country among all logins that tell one."""
    columns = (
        Read("country", letters_sql("c.country", 2)),
        Read("logins", "SUM(c.logins)"),
    )
    found = fetch(columns, f"FROM {COUNTRIES} AS c GROUP BY c.country", ())
    total = max(int(found["logins"].sum()), 1)
    return {
        code: number / total
        for code, number in zip(found["country"].tolist(), found["logins"].tolist(), strict=True)
    }


def familiar_subnets(pairs: Sequence[tuple[int, int, int]]) -> set[tuple[int, int]]:
    """Of (account, address, before when), those where the account knew the subnet before."""
    accounts = {account for account, _, _ in pairs}
    subnet = dict(
        Identifier.objects.filter(pk__in={ip for _, ip, _ in pairs}).values_list("pk", "subnet")
    )
    first: dict[tuple[int, str], int] = {}
    rows = Sighting.objects.filter(
        account_id__in=accounts, identifier__subnet__in=set(subnet.values()) - {""}
    )
    for account, net, seen in rows.values_list("account_id", "identifier__subnet", "first_seen"):
        at = to_micros(seen)
        first[account, net] = min(first.get((account, net), at), at)
    never = np.iinfo(np.int64).max
    return {
        (account, ip)
        for account, ip, at in pairs
        if first.get((account, subnet.get(ip, "")), never) < at
    }


def slices_of_time(start: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield consecutive spans of at most so many events each."""
    while start < end:
        edge = (
            AccountEvent.objects.filter(
                occurred_at__gte=from_micros(start), occurred_at__lt=from_micros(end)
            )
            .order_by("occurred_at")
            .values_list("occurred_at", flat=True)[most : most + 1]
        )
        found: datetime | None = next(iter(edge), None)
        stop = end if found is None else max(to_micros(found), start + 1)
        yield start, stop
        start = stop
