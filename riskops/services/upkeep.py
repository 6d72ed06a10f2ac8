"""Writes a batch of checked events and keeps identifiers, sightings and facts in step with it.

A handful of statements a batch whatever its size. Every statement takes its rows in key order
and every batch takes the tables in the same order, so parallel batches never wait in a circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from riskops import bulk
from riskops.bulk import Column
from riskops.eventcheck import CheckedEvent, subnet_of
from riskops.factspec import FACTS, PASSIVE_KINDS, Fact
from riskops.models import (
    AccountCountry,
    AccountEvent,
    AccountFacts,
    Dealing,
    EventKind,
    Identifier,
    IdentifierKind,
    PendingLink,
    PendingScore,
    Sighting,
)

EVENT_TABLE = AccountEvent._meta.db_table
IDENTIFIER_TABLE = Identifier._meta.db_table
SIGHTING_TABLE = Sighting._meta.db_table
DEALING_TABLE = Dealing._meta.db_table
FACTS_TABLE = AccountFacts._meta.db_table
COUNTRY_TABLE = AccountCountry._meta.db_table
PENDING_TABLE = PendingScore._meta.db_table
PENDING_LINK_TABLE = PendingLink._meta.db_table

Key = tuple[str, str]  # kind and value of an identifier
Ids = dict[Key, int]

# Attribute of an event, kind of identifier. The first three are the account's own.
OWN = (
    ("ip", IdentifierKind.IP.value),
    ("device", IdentifierKind.DEVICE.value),
    ("wallet", IdentifierKind.WALLET.value),
)
# The wallets it deals with are somebody else's.
OTHERS = (("counterparty_wallet", IdentifierKind.WALLET.value),)
ALL = (*OWN, *OTHERS)


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


def known_external_ids(source: str, external_ids: Sequence[str]) -> set[str]:
    """Which of these are recorded already."""
    rows = bulk.select(
        "v.external_id",
        [
            Column("source", "text", [source] * len(external_ids)),
            Column("external_id", "text", external_ids),
        ],
        join=f"{EVENT_TABLE} AS t ON t.source = v.source AND t.external_id = v.external_id",
    )
    return {row[0] for row in rows}


def record(events: list[CheckedEvent], *, source: str, received_at: datetime) -> set[int]:
    """Writes new events with everything kept about them; returns the indexes written."""
    events = sorted(events, key=lambda event: event.external_id)
    ids = identifier_ids(events)
    written = _insert_events(events, ids, source, received_at)
    if len(written) < len(events):  # another batch was faster with the same events
        events = [event for event in events if event.external_id in written]
    with_news = _upsert_spans(events, ids, OWN, SIGHTING_TABLE, "accounts")
    with_news |= _upsert_spans(events, ids, OTHERS, DEALING_TABLE, "dealers")
    _upsert_facts(events)
    _upsert_countries(events)
    mark_pending({event.account_id for event in events})
    mark_pending(with_news, PENDING_LINK_TABLE)
    return {event.index for event in events}


def identifier_ids(events: Iterable[CheckedEvent]) -> Ids:
    """Ids of every identifier the events mention; new ones are created without accounts yet."""
    spans: dict[Key, Span] = {}
    for event in events:
        moment = event.occurred_at
        for attribute, kind in ALL:
            value = getattr(event, attribute)
            if value:
                span = spans.get((kind, value))
                if span is None:
                    spans[kind, value] = Span(moment, moment)
                else:
                    span.add(moment)
    keys = sorted(spans)
    ids = _find(keys)
    missing = [key for key in keys if key not in ids]
    if missing:
        _create(missing, spans)
        ids |= _find(missing)
    return ids


def _find(keys: Sequence[Key]) -> Ids:
    rows = (
        bulk.select(
            "t.kind, t.value, t.id",
            [
                Column("kind", "text", [key[0] for key in keys]),
                Column("value", "text", [key[1] for key in keys]),
            ],
            join=f"{IDENTIFIER_TABLE} AS t ON t.kind = v.kind AND t.value = v.value",
        )
        if keys
        else []
    )
    return {(kind, value): pk for kind, value, pk in rows}


def _create(keys: Sequence[Key], spans: dict[Key, Span]) -> None:
    moments = [spans[key].first for key in keys]
    empty = [""] * len(keys)
    bulk.insert(
        IDENTIFIER_TABLE,
        [
            Column("kind", "text", [kind for kind, _ in keys]),
            Column("value", "text", [value for _, value in keys]),
            Column("subnet", "text", [subnet_of(v) if k == "ip" else "" for k, v in keys]),
            Column("first_seen", "timestamptz", moments),
            Column("last_seen", "timestamptz", [spans[key].last for key in keys]),
            Column("created_at", "timestamptz", moments),
            Column("updated_at", "timestamptz", moments),
            Column("accounts", "integer", [0] * len(keys)),
            Column("dealers", "integer", [0] * len(keys)),
            Column("is_shared", "boolean", [False] * len(keys)),
            Column("listing", "text", empty),
            Column("shared_reason", "text", empty),
        ],
        conflict="kind, value",
        order_by="kind, value",
    )


def _insert_events(
    events: list[CheckedEvent], ids: Ids, source: str, received_at: datetime
) -> set[str]:
    size = len(events)

    def references(attribute: str, kind: str) -> list[int | None]:
        values = [getattr(event, attribute) for event in events]
        return [ids[kind, value] if value else None for value in values]

    rows = bulk.insert(
        EVENT_TABLE,
        [
            Column("account_id", "bigint", [event.account_id for event in events]),
            Column("kind", "smallint", [event.kind for event in events]),
            Column("occurred_at", "timestamptz", [event.occurred_at for event in events]),
            Column("received_at", "timestamptz", [received_at] * size),
            Column("source", "text", [source] * size),
            Column("external_id", "text", [event.external_id for event in events]),
            *(
                Column(f"{attribute}_id", "bigint", references(attribute, kind))
                for attribute, kind in ALL
            ),
            Column("amount", "bigint", [event.amount for event in events]),
            Column("currency", "text", [event.currency for event in events]),
            Column("country", "text", [event.country for event in events]),
            Column("data", "jsonb", [event.data for event in events]),
        ],
        conflict="source, external_id",
        order_by="external_id",
        returning="external_id",
    )
    return {row[0] for row in rows}


def _upsert_spans(
    events: list[CheckedEvent],
    ids: Ids,
    attributes: tuple[tuple[str, str], ...],
    table: str,
    counter: str,
) -> set[int]:
    """Notes which account was seen with what, counts the accounts that are new there."""
    spans = _spans(events, ids, attributes)
    if not spans:
        return set()
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
    new = [row[:2] for row in rows if row[2] == spans[row[0], row[1]].hits]
    fresh: dict[int, int] = defaultdict(int)
    for identifier, _ in new:
        fresh[identifier] += 1
    _update_identifiers(spans, fresh, counter)
    return {account for _, account in new}


def _spans(
    events: list[CheckedEvent], ids: Ids, attributes: tuple[tuple[str, str], ...]
) -> dict[tuple[int, int], Span]:
    spans: dict[tuple[int, int], Span] = {}
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


def _span_update(table: str, counter: str) -> list[str]:
    return [
        f"first_seen = {bulk.older(f'{table}.first_seen', 'EXCLUDED.first_seen')}",
        f"last_seen = {bulk.newer(f'{table}.last_seen', 'EXCLUDED.last_seen')}",
        f"{counter} = {table}.{counter} + EXCLUDED.{counter}",
    ]


def _update_identifiers(
    spans: dict[tuple[int, int], Span], fresh: dict[int, int], counter: str
) -> None:
    first: dict[int, datetime] = {}
    last: dict[int, datetime] = {}
    for (identifier, _), span in spans.items():
        first[identifier] = min(first.get(identifier, span.first), span.first)
        last[identifier] = max(last.get(identifier, span.last), span.last)
    keys = sorted(first)
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
            Column("fresh", "integer", [fresh[key] for key in keys]),
        ],
        assign=[
            f"first_seen = {bulk.older('t.first_seen', 'v.first_seen')}",
            f"last_seen = {bulk.newer('t.last_seen', 'v.last_seen')}",
            f"{counter} = t.{counter} + v.fresh",
        ],
        where="t.id = v.id",
    )


def _upsert_facts(events: list[CheckedEvent]) -> None:
    moments: dict[int, dict[int, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        moments[event.account_id][event.kind].append(event.occurred_at)
    accounts = sorted(moments)
    columns = [Column("account_id", "bigint", accounts)]
    for fact in FACTS:
        type_ = "integer" if fact.how == "count" else "timestamptz"
        values = [_fact_of(fact, moments[account]) for account in accounts]
        columns.append(Column(fact.column, type_, values))
    bulk.insert(
        FACTS_TABLE,
        columns,
        conflict="account_id",
        update=[_fact_update(fact) for fact in FACTS],
        order_by="account_id",
    )


def _fact_of(fact: Fact, by_kind: dict[int, list[datetime]]) -> int | datetime | None:
    """What a batch adds to one fact of one account."""
    if fact.kind is None:
        found = [moment for moments in by_kind.values() for moment in moments]
    else:
        found = by_kind.get(fact.kind, [])
    if fact.how == "count":
        return len(found)
    if not found:
        return None
    return min(found) if fact.how == "first" else max(found)


def _fact_update(fact: Fact) -> str:
    stored, added = f"{FACTS_TABLE}.{fact.column}", f"EXCLUDED.{fact.column}"
    if fact.how == "count":
        return f"{fact.column} = {stored} + {added}"
    merged = bulk.older(stored, added) if fact.how == "first" else bulk.newer(stored, added)
    return f"{fact.column} = {merged}"


def _upsert_countries(events: list[CheckedEvent]) -> None:
    spans: dict[tuple[int, str], Span] = {}
    for event in events:
        if event.kind == EventKind.LOGIN_OK and event.country:
            pair = (event.account_id, event.country)
            span = spans.get(pair)
            if span is None:
                spans[pair] = Span(event.occurred_at, event.occurred_at)
            else:
                span.add(event.occurred_at)
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


def mark_pending(account_ids: Iterable[int], table: str = PENDING_TABLE) -> None:
    """Notes accounts whose score (or links) must be looked at again."""
    accounts = sorted(account_ids)
    bulk.insert(
        table,
        [
            Column("account_id", "bigint", accounts),
            Column("touches", "integer", [1] * len(accounts)),
        ],
        conflict="account_id",
        update=[f"touches = {table}.touches + 1"],
        order_by="account_id",
    )
