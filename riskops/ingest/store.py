"""Writes a batch of checked events and keeps identifiers, sightings and facts in step with it.

A handful of statements a batch whatever its size. Every statement takes its rows in key order
and every batch takes the tables in the same order, so parallel batches never wait in a circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from riskops import bulk
from riskops.bulk import Column
from riskops.ingest import sightings
from riskops.ingest.junk import JUNK_REASON, junk_reason, own_proxies
from riskops.ingest.kept_facts import FACTS, Fact
from riskops.ingest.parse import subnet_of
from riskops.ingest.sightings import ALL, IDENTIFIER_TABLE, Ids, Key, numbers_of
from riskops.ingest.validate import CheckedEvent
from riskops.models import AccountEvent, AccountFacts, PendingLink, PendingScore
from riskops.models.events import EventKind
from riskops.scores.neighbours import accounts_beside
from riskops.scores.sharing import accounts_sharing

EVENT_TABLE = AccountEvent._meta.db_table
FACTS_TABLE = AccountFacts._meta.db_table
PENDING_TABLE = PendingScore._meta.db_table
# Fraud, found or taken back, weighs on those who may be the same person.
VERDICT_KINDS = (EventKind.CONFIRMED_FRAUD.value, EventKind.CONFIRMED_LEGITIMATE.value)
PENDING_LINK_TABLE = PendingLink._meta.db_table


def known_external_ids(source: str, external_ids: Sequence[str]) -> set[str]:
    """Return which of these are recorded already."""
    rows = bulk.select(
        "v.external_id",
        [
            Column("source", "text", [source] * len(external_ids)),
            Column("external_id", "text", external_ids),
        ],
        join=f"{EVENT_TABLE} AS t ON t.source = v.source AND t.external_id = v.external_id",
    )
    return {row[0] for row in rows}


@dataclass(frozen=True, slots=True)
class Written:
    """Keys of new events by their index, and numbers of the identifiers that they name."""

    events: dict[int, int]
    identifiers: Ids


def record(
    events: list[CheckedEvent],
    *,
    source: str,
    received_at: datetime,
    known: Ids | None = None,
) -> Written:
    """Write new events with everything kept about them; `known` are identifiers found already."""
    events = sorted(events, key=lambda event: event.external_id)
    ids = identifier_ids(events, received_at, known)
    written = _insert_events(events, ids, source, received_at)
    if len(written) < len(events):  # another batch was faster with the same events
        events = [event for event in events if event.external_id in written]
    _upsert_facts(events)
    with_news, gained = sightings.note(events, ids)
    sightings.note_countries(events)
    judged = {event.account_id for event in events if event.kind in VERDICT_KINDS}
    touched = {event.account_id for event in events}
    beside = accounts_beside(judged) if judged else set()
    mark_pending(touched | beside | accounts_sharing(gained))
    mark_pending(with_news, PENDING_LINK_TABLE)
    return Written({event.index: written[event.external_id] for event in events}, ids)


def record_outside(
    strangers: Sequence[CheckedEvent], others: Sequence[CheckedEvent], now: datetime
) -> None:
    """Keep whom wallets dealt with by transfers of wallets that belong to no account.

    `others` are the batch's events with an account: all new identifiers are made in one statement,
    in order, so that two batches never wait for each other's.
    """
    dealings = [
        (event.counterparty_wallet, event.wallet)
        for event in strangers
        if event.wallet and event.counterparty_wallet
    ]
    if dealings:
        ids = identifier_ids([*strangers, *others], now)
        sightings.note_outside(dealings, ids)


def identifier_ids(events: Sequence[CheckedEvent], now: datetime, known: Ids | None = None) -> Ids:
    """Return ids of all identifiers the events mention; new ones are created without accounts."""
    keys: set[Key] = set()
    for attribute, kind in ALL:
        keys.update((kind, v) for event in events if (v := getattr(event, attribute)))
    wanted = sorted(keys)
    ids = _find(wanted) if known is None else dict(known)
    missing = [key for key in wanted if key not in ids]
    if missing:
        _create(missing, now)
        ids |= _find(missing)
    return ids


def identifiers_of(event: CheckedEvent) -> tuple[int | None, ...]:
    """Return numbers of the identifiers an event names, in the order of `ALL`; None for unknown."""
    named = {(kind, value) for name, kind in ALL if (value := getattr(event, name))}
    return numbers_of(event, _find(sorted(named)))


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


def _create(keys: Sequence[Key], now: datetime) -> None:
    moments = [now] * len(keys)
    proxies = own_proxies()
    junk = [junk_reason(kind, value, proxies) for kind, value in keys]
    bulk.insert(
        IDENTIFIER_TABLE,
        [
            Column("kind", "text", [kind for kind, _ in keys]),
            Column("value", "text", [value for _, value in keys]),
            Column("subnet", "text", [subnet_of(v) if k == "ip" else "" for k, v in keys]),
            Column("created_at", "timestamptz", moments),
            Column("updated_at", "timestamptz", moments),
            Column("accounts", "integer", [0] * len(keys)),
            Column("dealers", "integer", [0] * len(keys)),
            Column("is_shared", "boolean", [reason != "" for reason in junk]),
            Column("listing", "text", [""] * len(keys)),
            Column("shared_reason", "text", [JUNK_REASON + r if r else "" for r in junk]),
        ],
        conflict="kind, value",
        order_by="kind, value",
    )


# What a checked event holds under the name of its column.
EVENT_COLUMNS = (
    ("account_id", "bigint"),
    ("kind", "smallint"),
    ("occurred_at", "timestamptz"),
    ("external_id", "text"),
    ("amount", "bigint"),
    ("currency", "text"),
    ("country", "text"),
    ("data", "jsonb"),
)


def _insert_events(
    events: list[CheckedEvent], ids: Ids, source: str, received_at: datetime
) -> dict[str, int]:
    size = len(events)

    def references(attribute: str, kind: str) -> list[int | None]:
        values = [getattr(event, attribute) for event in events]
        return [ids[kind, value] if value else None for value in values]

    rows = bulk.insert(
        EVENT_TABLE,
        [
            Column("received_at", "timestamptz", [received_at] * size),
            Column("source", "text", [source] * size),
            *(
                Column(name, column_type, [getattr(event, name) for event in events])
                for name, column_type in EVENT_COLUMNS
            ),
            *(
                Column(f"{attribute}_id", "bigint", references(attribute, kind))
                for attribute, kind in ALL
            ),
        ],
        conflict="source, external_id",
        order_by="external_id",
        returning="external_id, id",
    )
    return dict(rows)


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
    """Return what a batch adds to one fact of one account."""
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


def mark_pending(account_ids: Iterable[int], table: str = PENDING_TABLE) -> None:
    """Note accounts whose score (or links) must be calculated again."""
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
