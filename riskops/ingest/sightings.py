"""Notes which account was seen with which identifier, wallet dealt with and country."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from riskops import bulk
from riskops.bulk import Column
from riskops.ingest.kept_facts import PASSIVE_KINDS
from riskops.ingest.validate import CheckedEvent
from riskops.models import (
    AccountCountry,
    Dealing,
    EventKind,
    Identifier,
    IdentifierKind,
    OutsideDealing,
    Sighting,
)

IDENTIFIER_TABLE = Identifier._meta.db_table
SIGHTING_TABLE = Sighting._meta.db_table
DEALING_TABLE = Dealing._meta.db_table
OUTSIDE_TABLE = OutsideDealing._meta.db_table
COUNTRY_TABLE = AccountCountry._meta.db_table

Key = tuple[str, str]  # kind and value of an identifier
Ids = dict[Key, int]
Attributes = tuple[tuple[str, str], ...]  # attribute of an event, kind of identifier
Pair = tuple[int, int]  # identifier and account

OWN: Attributes = (
    ("ip", IdentifierKind.IP.value),
    ("device", IdentifierKind.DEVICE.value),
    ("wallet", IdentifierKind.WALLET.value),
)
# The wallets it deals with are somebody else's.
OTHERS: Attributes = (("counterparty_wallet", IdentifierKind.WALLET.value),)
ALL: Attributes = (*OWN, *OTHERS)


def numbers_of(event: CheckedEvent, known: Ids) -> tuple[int | None, ...]:
    """Return the numbers of the identifiers that an event names, in the order of `ALL`."""
    return tuple(known.get((kind, getattr(event, name) or "")) for name, kind in ALL)


@dataclass(slots=True)
class Span:
    """First, last and number of times."""

    first: datetime
    last: datetime
    hits: int = 1

    def add(self, moment: datetime) -> None:
        self.first = min(self.first, moment)
        self.last = max(self.last, moment)
        self.hits += 1


def note(events: list[CheckedEvent], ids: Ids) -> tuple[set[int], Counter[int]]:
    """Keep sightings and dealings.

    Return the accounts that were seen with something new, and how many accounts each identifier
    gained.
    """
    own, others = _spans(events, ids, OWN), _spans(events, ids, OTHERS)
    new_own = _upsert(own, SIGHTING_TABLE)
    new_others = _upsert(others, DEALING_TABLE)
    # One statement for both: taken twice, two batches could wait for each other's rows.
    _update_identifiers(own, others, new_own, new_others)
    gained = Counter(identifier for identifier, _ in new_own)
    return {account for _, account in (*new_own, *new_others)}, gained


def _spans(events: list[CheckedEvent], ids: Ids, attributes: Attributes) -> dict[Pair, Span]:
    spans: dict[Pair, Span] = {}
    for event in events:
        if event.kind in PASSIVE_KINDS:
            continue
        moment = event.occurred_at
        for attribute, kind in attributes:
            value = getattr(event, attribute)
            if value:
                pair = (ids[kind, value], event.account_id)
                span = spans.get(pair)
                if span is None:
                    spans[pair] = Span(moment, moment)
                else:
                    span.add(moment)
    return spans


def _upsert(spans: dict[Pair, Span], table: str) -> list[Pair]:
    """Write the spans and return the pairs that are new."""
    pairs = sorted(spans)
    rows = bulk.insert(
        table,
        [
            Column("identifier_id", "bigint", [pair[0] for pair in pairs]),
            Column("account_id", "bigint", [pair[1] for pair in pairs]),
            Column("first_seen", "timestamptz", [spans[pair].first for pair in pairs]),
            Column("last_seen", "timestamptz", [spans[pair].last for pair in pairs]),
            Column("hits", "integer", [spans[pair].hits for pair in pairs]),
        ],
        conflict="identifier_id, account_id",
        update=_span_update(table, "hits"),
        order_by="identifier_id, account_id",
        returning="identifier_id, account_id, hits",
    )
    # A row that existed has more hits now than this batch brought.
    return [(one, two) for one, two, hits in rows if hits == spans[one, two].hits]


def _span_update(table: str, counter: str) -> list[str]:
    return [
        f"first_seen = {bulk.older(f'{table}.first_seen', 'EXCLUDED.first_seen')}",
        f"last_seen = {bulk.newer(f'{table}.last_seen', 'EXCLUDED.last_seen')}",
        f"{counter} = {table}.{counter} + EXCLUDED.{counter}",
    ]


def _update_identifiers(
    own: dict[Pair, Span],
    others: dict[Pair, Span],
    new_own: Iterable[Pair],
    new_others: Iterable[Pair],
) -> None:
    first: dict[int, datetime] = {}
    last: dict[int, datetime] = {}
    for (identifier, _), span in (*own.items(), *others.items()):
        first[identifier] = min(first.get(identifier, span.first), span.first)
        last[identifier] = max(last.get(identifier, span.last), span.last)
    keys = sorted(first)
    accounts = Counter(identifier for identifier, _ in new_own)
    dealers = Counter(identifier for identifier, _ in new_others)
    if connection.vendor == "postgresql":
        # UPDATE … FROM locks in no particular order; the rows are taken in order beforehand.
        locked = Identifier.objects.filter(pk__in=keys).order_by("pk")
        list(locked.select_for_update(no_key=True).values_list("pk", flat=True))
    bulk.update(
        IDENTIFIER_TABLE,
        [
            Column("id", "bigint", keys),
            Column("first_seen", "timestamptz", [first[key] for key in keys]),
            Column("last_seen", "timestamptz", [last[key] for key in keys]),
            Column("accounts", "integer", [accounts[key] for key in keys]),
            Column("dealers", "integer", [dealers[key] for key in keys]),
        ],
        assign=[
            f"first_seen = {bulk.older('t.first_seen', 'v.first_seen')}",
            f"last_seen = {bulk.newer('t.last_seen', 'v.last_seen')}",
            "accounts = t.accounts + v.accounts",
            "dealers = t.dealers + v.dealers",
        ],
        where="t.id = v.id",
    )


def note_outside(dealings: Iterable[tuple[str, str]], ids: Ids) -> None:
    """Keep which wallets (first) dealt with a wallet that belongs to no account (second)."""
    kind = IdentifierKind.WALLET.value
    pairs = sorted({(ids[kind, one], ids[kind, other]) for one, other in dealings if one != other})
    bulk.insert(
        OUTSIDE_TABLE,
        [
            Column("identifier_id", "bigint", [pair[0] for pair in pairs]),
            Column("other_id", "bigint", [pair[1] for pair in pairs]),
        ],
        conflict="identifier_id, other_id",
        order_by="identifier_id, other_id",
    )


def _country_spans(events: list[CheckedEvent]) -> dict[tuple[int, str], Span]:
    """Return the first and last sign-in, and how many, per account and country."""
    spans: dict[tuple[int, str], Span] = {}
    for event in events:
        if event.kind == EventKind.LOGIN_OK and event.country:
            pair = (event.account_id, event.country)
            span = spans.get(pair)
            if span is None:
                spans[pair] = Span(event.occurred_at, event.occurred_at)
            else:
                span.add(event.occurred_at)
    return spans


def note_countries(events: list[CheckedEvent]) -> None:
    """Keep the countries that accounts signed in from."""
    spans = _country_spans(events)
    if not spans:
        return
    pairs = sorted(spans)
    bulk.insert(
        COUNTRY_TABLE,
        [
            Column("account_id", "bigint", [pair[0] for pair in pairs]),
            Column("country", "text", [pair[1] for pair in pairs]),
            Column("first_seen", "timestamptz", [spans[pair].first for pair in pairs]),
            Column("last_seen", "timestamptz", [spans[pair].last for pair in pairs]),
            Column("logins", "integer", [spans[pair].hits for pair in pairs]),
        ],
        conflict="account_id, country",
        update=_span_update(COUNTRY_TABLE, "logins"),
        order_by="account_id, country",
    )
