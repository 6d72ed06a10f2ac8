"""Retention of the event log: events are added to sums of their account before they are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from riskops import bulk
from riskops.account_sets import Accounts
from riskops.ingest.kept_facts import PASSIVE_KINDS
from riskops.ingest.sightings import OTHERS, OWN, Attributes
from riskops.models import AccountEvent, EventKind, EventSum, SumAspect
from systemadmin.foundation.locks import advisory_key

EVENT_TABLE = AccountEvent._meta.db_table
SUM_TABLE = EventSum._meta.db_table
LOCK = "riskops:event-retention"


def add_to_sums(keys: Sequence[int]) -> None:
    """Add events to the sums of their accounts; they are deleted in the same transaction.

    Waits for batches of events that are being recorded: one that looked whether an event is known
    before this transaction, and writes it after, would count it twice.
    """
    wait_for_recording()
    where, params = Accounts.listed(keys).sql("e.id")
    parts = [
        f"SELECT account_id, {SumAspect.KIND} AS aspect, CAST(kind AS bigint) AS subject, "  # noqa: S608
        "'' AS country, occurred_at FROM gone",
        *_identifiers(OWN, SumAspect.OWN),
        *_identifiers(OTHERS, SumAspect.OTHER),
        f"SELECT account_id, {SumAspect.COUNTRY}, 0, country, occurred_at FROM gone "  # noqa: S608
        f"WHERE kind = {EventKind.LOGIN_OK.value} AND country <> ''",
    ]
    sql = (
        f"WITH gone AS (SELECT * FROM {EVENT_TABLE} AS e WHERE {where}) "  # noqa: S608
        f"INSERT INTO {SUM_TABLE} "
        "(account_id, aspect, subject, country, number, first_at, last_at) "
        "SELECT account_id, aspect, subject, country, COUNT(*), MIN(occurred_at), "
        f"MAX(occurred_at) FROM ({' UNION ALL '.join(parts)}) AS part "
        "GROUP BY account_id, aspect, subject, country "
        "ORDER BY account_id, aspect, subject, country "
        "ON CONFLICT (account_id, aspect, subject, country) DO UPDATE SET "
        f"number = {SUM_TABLE}.number + EXCLUDED.number, "
        f"first_at = {bulk.older(f'{SUM_TABLE}.first_at', 'EXCLUDED.first_at')}, "
        f"last_at = {bulk.newer(f'{SUM_TABLE}.last_at', 'EXCLUDED.last_at')}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _identifiers(attributes: Attributes, aspect: SumAspect) -> list[str]:
    passive = ", ".join(str(kind.value) for kind in sorted(PASSIVE_KINDS))
    return [
        f"SELECT account_id, {aspect}, {name}_id, '', occurred_at FROM gone "  # noqa: S608
        f"WHERE {name}_id IS NOT NULL AND kind NOT IN ({passive})"
        for name, _kind in attributes
    ]


def wait_for_recording() -> None:
    """Hold back batches of events, once those under way have ended, until the transaction ends."""
    _lock("pg_advisory_xact_lock")


def hold_back_retention() -> None:
    """Keep events from being pruned until the transaction ends; batches do not wait for batches."""
    _lock("pg_advisory_xact_lock_shared")


def holding_back_retention() -> str:
    """Return the same as a statement for PostgreSQL, to be run with another one."""
    return f"SELECT pg_advisory_xact_lock_shared({advisory_key(LOCK)})"


def _lock(function: str) -> None:
    # On SQLite a write transaction is alone from its beginning.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [advisory_key(LOCK)])


def summed_until(account_ids: Sequence[int]) -> dict[int, Any]:
    """Return for each account whose events were pruned the moment of the last one that was."""
    sums = EventSum.objects.filter(aspect=SumAspect.KIND, account_id__in=account_ids)
    found: dict[int, Any] = {}
    for account, last in sums.values_list("account_id", "last_at"):
        found[account] = max(found.get(account, last), last)
    return found
