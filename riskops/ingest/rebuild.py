"""Derives facts, sightings and identifiers again from the event log and the sums of old events.

For accounts whose facts are doubted, or after the meaning of a fact changed. Batches arriving
meanwhile wait for the rows they share, and add to what was derived.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from riskops.account_sets import Accounts
from riskops.ingest.kept_facts import FACTS, PASSIVE_KINDS
from riskops.ingest.sightings import (
    COUNTRY_TABLE,
    DEALING_TABLE,
    IDENTIFIER_TABLE,
    OTHERS,
    OWN,
    SIGHTING_TABLE,
    Attributes,
)
from riskops.ingest.store import EVENT_TABLE, FACTS_TABLE
from riskops.models import AccountFacts, EventKind, EventSum, SumAspect
from riskops.scores.facts import derived_facts

Row = tuple[Any, ...]

SUM_TABLE = EventSum._meta.db_table
PASSIVE = ", ".join(str(kind.value) for kind in sorted(PASSIVE_KINDS))


@transaction.atomic
def rebuild_facts(accounts: Accounts) -> int:
    """Derive the facts of some accounts again; return how many rows had to be corrected."""
    _lock(accounts)
    derived, params = derived_facts(accounts, None)
    names = ("account_id", *(fact.column for fact in FACTS))
    corrected = _replace(FACTS_TABLE, ("account_id",), names, derived, params, accounts)
    for table, attributes, aspect in (
        (SIGHTING_TABLE, OWN, SumAspect.OWN),
        (DEALING_TABLE, OTHERS, SumAspect.OTHER),
    ):
        corrected += _replace(
            table,
            ("identifier_id", "account_id"),
            ("identifier_id", "account_id", "first_seen", "last_seen", "hits"),
            *_derived_spans(accounts, attributes, aspect),
            accounts,
        )
    corrected += _replace(
        COUNTRY_TABLE,
        ("account_id", "country"),
        ("account_id", "country", "first_seen", "last_seen", "logins"),
        *_derived_countries(accounts),
        accounts,
    )
    return corrected


def _lock(accounts: Accounts) -> None:
    if connection.vendor == "postgresql":
        # Every batch takes its accounts' facts before anything else that is rebuilt here.
        facts = AccountFacts.objects.filter(accounts.q("account_id")).order_by("account_id")
        list(facts.select_for_update(no_key=True).values_list("pk", flat=True))


def _derived_spans(
    accounts: Accounts, attributes: Attributes, aspect: SumAspect
) -> tuple[str, list[Any]]:
    where, params = accounts.sql("e.account_id")
    parts = [
        f"SELECT e.{attribute}_id AS identifier_id, e.account_id, e.occurred_at AS first_at, "  # noqa: S608
        f"e.occurred_at AS last_at, 1 AS number FROM {EVENT_TABLE} AS e "
        f"WHERE e.{attribute}_id IS NOT NULL AND e.kind NOT IN ({PASSIVE}) AND {where}"
        for attribute, _kind in attributes
    ]
    parts.append(
        "SELECT e.subject, e.account_id, e.first_at, e.last_at, e.number "  # noqa: S608
        f"FROM {SUM_TABLE} AS e WHERE e.aspect = {aspect} AND {where}"
    )
    return (
        "SELECT identifier_id, account_id, MIN(first_at) AS first_seen, "  # noqa: S608
        "MAX(last_at) AS last_seen, SUM(number) AS hits "
        f"FROM ({' UNION ALL '.join(parts)}) AS seen GROUP BY identifier_id, account_id",
        params * len(parts),
    )


def _derived_countries(accounts: Accounts) -> tuple[str, list[Any]]:
    where, params = accounts.sql("e.account_id")
    parts = (
        "SELECT e.account_id, e.country, e.occurred_at AS first_at, e.occurred_at AS last_at, "  # noqa: S608
        f"1 AS number FROM {EVENT_TABLE} AS e WHERE e.kind = {EventKind.LOGIN_OK.value} "
        f"AND e.country <> '' AND {where}",
        "SELECT e.account_id, e.country, e.first_at, e.last_at, e.number "  # noqa: S608
        f"FROM {SUM_TABLE} AS e WHERE e.aspect = {SumAspect.COUNTRY} AND {where}",
    )
    return (
        "SELECT account_id, country, MIN(first_at) AS first_seen, "  # noqa: S608
        "MAX(last_at) AS last_seen, SUM(number) AS logins "
        f"FROM ({' UNION ALL '.join(parts)}) AS seen GROUP BY account_id, country",
        params * len(parts),
    )


def _replace(
    table: str,
    key: Sequence[str],
    columns: Sequence[str],
    derived: str,
    params: Sequence[Any],
    accounts: Accounts,
) -> int:
    """Make a table's rows of these accounts equal to the derived ones, touching only the rest."""
    where, where_params = accounts.sql("account_id")
    names = ", ".join(columns)
    values = [name for name in columns if name not in key]
    keys = ", ".join(key)
    differs = " OR ".join(f"{table}.{name} IS DISTINCT FROM EXCLUDED.{name}" for name in values)
    assign = ", ".join(f"{name} = EXCLUDED.{name}" for name in values)
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE {where} "  # noqa: S608
            f"AND ({keys}) NOT IN (SELECT {keys} FROM ({derived}) AS d)",
            [*where_params, *params],
        )
        corrected = cursor.rowcount
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM ({derived}) AS d "  # noqa: S608
            f"WHERE true ORDER BY {keys} ON CONFLICT ({keys}) DO UPDATE SET {assign} "
            f"WHERE {differs}",
            params,
        )
        return corrected + cursor.rowcount


def rebuild_identifiers() -> int:
    """Count the accounts and dealers of every identifier again; return how many were wrong."""
    spans = (
        f"SELECT identifier_id, 1 AS own, first_seen, last_seen FROM {SIGHTING_TABLE} "  # noqa: S608
        "UNION ALL "
        f"SELECT identifier_id, 0 AS own, first_seen, last_seen FROM {DEALING_TABLE}"
    )
    derived = (
        "SELECT i.id, COALESCE(SUM(s.own), 0) AS accounts, "  # noqa: S608
        "COUNT(s.own) - COALESCE(SUM(s.own), 0) AS dealers, "
        "MIN(s.first_seen) AS first_seen, MAX(s.last_seen) AS last_seen "
        f"FROM {IDENTIFIER_TABLE} AS i LEFT JOIN ({spans}) AS s ON s.identifier_id = i.id "
        "GROUP BY i.id"
    )
    columns = ("accounts", "dealers", "first_seen", "last_seen")
    differs = " OR ".join(f"t.{name} IS DISTINCT FROM d.{name}" for name in columns)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A batch half done would be counted neither here nor by its own addition.
            cursor.execute(f"LOCK TABLE {SIGHTING_TABLE}, {DEALING_TABLE} IN SHARE MODE")
        cursor.execute(
            f"UPDATE {IDENTIFIER_TABLE} AS t SET "  # noqa: S608
            + ", ".join(f"{name} = d.{name}" for name in columns)
            + f" FROM ({derived}) AS d WHERE d.id = t.id AND ({differs})"
        )
        return cursor.rowcount
