"""Made-up accounts and events for `risk.py`, written by the database itself."""

from __future__ import annotations

from django.db import connection
from tqdm import tqdm

from riskops.account_sets import Accounts
from riskops.ingest.rebuild import rebuild_facts, rebuild_identifiers
from riskops.models import (
    EventKind,
)
from riskops.scores.due import account_ranges
from systemadmin.models import User

IS_POSTGRES = connection.vendor == "postgresql"
# Kind and its share in a thousand of the events.
SHARES = (
    (EventKind.LOGIN_OK, 450),
    (EventKind.MESSAGE_SENT, 200),
    (EventKind.CONTENT_POSTED, 100),
    (EventKind.FOLLOW, 80),
    (EventKind.PURCHASE, 50),
    (EventKind.SALE, 40),
    (EventKind.LOGIN_FAILED, 30),
    (EventKind.TRANSFER, 25),
    (EventKind.WALLET_CONNECTED, 10),
    (EventKind.CONTENT_REPORTED, 5),
    (EventKind.TWO_FACTOR_ENABLED, 5),
    (EventKind.DISPUTE_OPENED, 3),
    (EventKind.ACCOUNT_VERIFIED, 2),
)
PART = 500_000
YEAR = 365 * 86400


def execute(sql, params=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else None


def numbers(low, high):
    """Return a FROM item with the numbers from low to high."""
    if IS_POSTGRES:
        return f"generate_series({low}, {high}) AS n(n)"
    return (
        f"(WITH RECURSIVE c(n) AS (SELECT {low} UNION ALL SELECT n + 1 FROM c WHERE n < {high})"
        " SELECT n FROM c) AS n"
    )


def below(limit):
    """Return a random whole number below the limit."""
    return f"floor(random() * {limit})::bigint" if IS_POSTGRES else f"(abs(random()) % {limit})"


def ago(seconds_sql):
    """Return a moment that many seconds ago, to the second."""
    if IS_POSTGRES:
        return f"now() - make_interval(secs => {seconds_sql})"
    return f"datetime('now', '-' || ({seconds_sql}) || ' seconds')"


def make_people(accounts):
    template = User(username="x", password="!")
    columns = [f for f in User._meta.concrete_fields if not f.primary_key]
    own = {
        "username": "'bench' || n",
        "external_id": "'bench' || n",
        "date_joined": ago("86400 * (1 + n %% 900)"),  # doubled: the statement has parameters
    }
    values, params = [], []
    for column in columns:
        if column.name in own:
            values.append(own[column.name])
        else:
            values.append("%s")
            params.append(column.get_db_prep_save(column.value_from_object(template), connection))
    names = ", ".join(f'"{column.column}"' for column in columns)
    table = User._meta.db_table
    execute(
        f"INSERT INTO {table} (id, {names}) SELECT n, {', '.join(values)} "
        f"FROM {numbers(1, accounts)}",
        params,
    )
    now = ago("0")
    for offset, kind in ((0, "ip"), (accounts, "device")):
        value = "'10.' || (n / 65536) || '.' || (n / 256 % 256) || '.' || (n % 256)"
        value = value if kind == "ip" else "'device-' || n"
        execute(
            "INSERT INTO riskops_identifier (id, kind, value, subnet, accounts, dealers, listing,"
            " is_shared, shared_reason, created_at, updated_at)"
            f" SELECT {offset} + n, '{kind}', {value}, '', 0, 0, '', {_false()}, '', {now}, {now}"
            f" FROM {numbers(1, accounts)}"
        )
    if IS_POSTGRES:
        for name in (table, "riskops_identifier"):
            execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {2 * accounts + 1})")


def _false():
    return "false" if IS_POSTGRES else "0"


MONEY = f"{EventKind.PURCHASE.value}, {EventKind.SALE.value}, {EventKind.TRANSFER.value}"
# From 5 to 105, one in five hundred a thousand more, in minor units.
AMOUNT = f"500 + {below(10_000)} + CASE WHEN {below(500)} = 0 THEN 100000 ELSE 0 END"


def make_events(accounts, events):
    """Events of a year; most from an account's own address and device, some from anywhere."""
    bounds, total = [], 0
    for kind, share in SHARES:
        total += share
        bounds.append(f"WHEN r < {total} THEN {kind.value}")
    with tqdm(total=events, unit=" events", leave=False, disable=None) as bar:
        for low in range(1, events + 1, PART):
            high = min(low + PART - 1, events)
            execute(
                "INSERT INTO riskops_accountevent (account_id, kind, occurred_at, received_at,"
                " source, external_id, ip_id, device_id, amount, currency, country)"
                f" SELECT a, k, {ago('s')}, {ago('0')}, 'bench', 'b' || n,"
                f" CASE WHEN w < 8 THEN a ELSE 1 + {below(accounts)} END, {accounts} + a,"
                f" CASE WHEN k IN ({MONEY}) THEN {AMOUNT} END,"
                f" CASE WHEN k IN ({MONEY}) THEN 'EUR' ELSE '' END, ''"
                f" FROM (SELECT n, a, s, w, CASE {' '.join(bounds)} END AS k"
                f" FROM (SELECT n, 1 + {below(accounts)} AS a, {below(total)} AS r,"
                # A log grows in the order of time, give or take an hour.
                f" ({events} - n) * {YEAR}.0 / {events} + {below(3600)} AS s,"
                f" {below(10)} AS w FROM {numbers(low, high)}) AS drawn) AS e"
            )
            bar.update(high - low + 1)


def analyze():
    execute("ANALYZE")
    if IS_POSTGRES:
        execute("VACUUM ANALYZE riskops_accountevent")


def derive(accounts):
    for low, high in account_ranges(20_000):
        rebuild_facts(Accounts(low, high))
    rebuild_identifiers()
