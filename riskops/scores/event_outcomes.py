"""Take in what became of events and counterparties, in batches, with the time it became known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from riskops import bulk
from riskops.bulk import Column
from riskops.ingest.parse import RefusedField, check_names, read_moment, read_text, read_wallet
from riskops.ingest.store import mark_pending
from riskops.ingest.validate import Refusal, check_source
from riskops.models import AccountEvent, EventOutcome, Identifier, IdentifierKind, Sighting
from systemadmin import audit
from systemadmin.models import User
from systemadmin.services.duties import accounts_of

TABLE = EventOutcome._meta.db_table
EVENTS = AccountEvent._meta.db_table
IDENTIFIERS = Identifier._meta.db_table
ACCOUNT = "account_external_id"
FIELDS = frozenset({"event", "counterparty", ACCOUNT, "fraud", "known_at"})
# A counterparty as such stands under this and its own name.
COUNTERPARTY = "counterparty:"
# Numbers equal truths.
TRUTH: Mapping[Any, bool] = {True: True, False: False, "1": True, "0": False}


@dataclass(slots=True)
class OutcomesTaken:
    """What became of a batch of outcomes."""

    recorded: int = 0
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Row:
    index: int
    event: str
    counterparty: str
    fraud: bool
    known_at: datetime
    is_dated: bool

    @property
    def key(self) -> str:
        return self.event or f"{COUNTERPARTY}{self.counterparty}"


@dataclass(frozen=True, slots=True)
class _About:
    """Whom a row is about."""

    account: int | None
    counterparty: int | None
    occurred_at: datetime


@transaction.atomic
def record_event_outcomes(
    rows: Sequence[Any],
    *,
    source: str,
    actor: User | None = None,
    known_after: timedelta | None = None,
) -> OutcomesTaken:
    """Record outcomes of events of a source, or of counterparties; what is said later counts.

    Bad rows are refused one by one, and so are those about accounts of the actor's or their
    wallets. A counterparty as such is bad from the time that is known.
    What has no time was known `known_after` its event, or else now.
    """
    check_source(source)
    taken = OutcomesTaken()
    latest = _latest(rows, taken.refused)
    about = _about(list(latest.values()), source)
    known = _of_known_subjects(latest, about, taken.refused)
    if actor is not None:
        known = _of_others(known, about, actor, taken.refused)
    if known_after is not None:
        known = [_dated(row, about[row.key].occurred_at + known_after) for row in known]
    _write(known, about, source)
    taken.recorded = len(known)
    mark_pending({about[row.key].account or 0 for row in known} - {0})
    if actor is not None:
        audit.record(
            "riskops.event_outcomes.recorded",
            actor=actor,
            metadata={
                "source": source,
                "recorded": taken.recorded,
                "refused": len(taken.refused),
            },
        )
    return taken


def _of_known_subjects(
    rows: Mapping[str, _Row], about: Mapping[str, _About], refused: list[Refusal]
) -> list[_Row]:
    """Return the rows whose subject is stored, in order; others are added to the refused ones."""
    for row in rows.values():
        if row.key not in about:
            name = "event" if row.event else "counterparty"
            refused.append(Refusal.of(row.index, name, f"unknown_{name}", row.event))
    return [row for key, row in sorted(rows.items()) if key in about]


def _of_others(
    rows: Sequence[_Row], about: Mapping[str, _About], actor: User, refused: list[Refusal]
) -> list[_Row]:
    """Return the rows about other people; those about the actor are added to the refused ones."""
    own = accounts_of(actor.pk)
    wallets = {about[row.key].counterparty for row in rows} - {None}
    seen = Sighting.objects.filter(account__in=own, identifier__in=wallets)
    own_wallets = set(seen.values_list("identifier_id", flat=True))
    found = []
    for row in rows:
        subject = about[row.key]
        if subject.account in own or subject.counterparty in own_wallets:
            name = "event" if row.event else "counterparty"
            refused.append(Refusal.of(row.index, name, "own_interest", row.event))
        else:
            found.append(row)
    return found


def _latest(rows: Sequence[Any], refused: list[Refusal]) -> dict[str, _Row]:
    """Read rows, the last of each subject; those at fault are added to the refused ones."""
    latest: dict[str, _Row] = {}
    for index, row in enumerate(rows):
        try:
            read = _read(index, row)
        except RefusedField as fault:
            refused.append(Refusal.of(index, fault.field, fault.code))
        else:
            latest[read.key] = read
    return latest


def _read(index: int, row: Any) -> _Row:
    check_names(row, FIELDS)
    event, wallet = row.get("event"), row.get("counterparty")
    if bool(event) == bool(wallet):
        raise RefusedField("event", "one_of_two")
    is_fraud = read_truth(row.get("fraud"))
    known_at = row.get("known_at")
    now = timezone.now()
    return _Row(
        index,
        read_text("event", event) if event else "",
        (read_wallet("counterparty", wallet) or "") if wallet else "",
        is_fraud,
        read_known_at(known_at, now) if known_at not in (None, "") else now,
        known_at not in (None, ""),
    )


def _dated(row: _Row, moment: datetime) -> _Row:
    return row if row.is_dated else replace(row, known_at=min(moment, row.known_at))


def read_truth(value: Any) -> bool:
    """Return a truth as files and JSON write it; raises `RefusedField`."""
    if not isinstance(value, str | int) or value not in TRUTH:
        raise RefusedField("fraud", "not_a_truth")
    return TRUTH[value]


def read_known_at(value: Any, now: datetime) -> datetime:
    """Return the moment at which something became known; raises `RefusedField`."""
    try:
        return read_moment(value, now)
    except RefusedField as refused:
        raise RefusedField("known_at", refused.code) from refused


def _about(rows: Sequence[_Row], source: str) -> dict[str, _About]:
    events = [row.event for row in rows if row.event]
    found = {
        key: _About(account, counterparty, _aware(moment))
        for key, account, counterparty, moment in bulk.select(
            "t.external_id, t.account_id, t.counterparty_wallet_id, t.occurred_at",
            [
                Column("source", "text", [source] * len(events)),
                Column("external_id", "text", events),
            ],
            join=f"{EVENTS} AS t ON t.source = v.source AND t.external_id = v.external_id",
        )
    }
    wallets = {row.counterparty: row for row in rows if row.counterparty}
    known = Identifier.objects.filter(kind=IdentifierKind.WALLET, value__in=wallets)
    for pk, value in known.values_list("pk", "value"):
        row = wallets[value]
        found[row.key] = _About(None, pk, row.known_at)
    return found


def _aware(moment: Any) -> datetime:
    """Return a moment as the driver gives it: SQLite has texts."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return found if timezone.is_aware(found) else found.replace(tzinfo=UTC)


def _write(rows: Sequence[_Row], about: Mapping[str, _About], source: str) -> None:
    now = timezone.now()
    bulk.insert(
        TABLE,
        [
            Column("source", "text", [source] * len(rows)),
            Column("external_id", "text", [row.key for row in rows]),
            Column("account_id", "bigint", [about[row.key].account for row in rows]),
            Column("counterparty_id", "bigint", [about[row.key].counterparty for row in rows]),
            Column("occurred_at", "timestamptz", [about[row.key].occurred_at for row in rows]),
            Column("is_fraud", "boolean", [row.fraud for row in rows]),
            Column("known_at", "timestamptz", [row.known_at for row in rows]),
            Column("recorded_at", "timestamptz", [now] * len(rows)),
        ],
        conflict="source, external_id",
        update=[
            "is_fraud = EXCLUDED.is_fraud",
            "known_at = EXCLUDED.known_at",
            "recorded_at = EXCLUDED.recorded_at",
        ],
        order_by="external_id",
    )
