"""Record account events: the one way in for apps, the API and files."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from riskops.ingest import event_sums, store
from riskops.ingest.sightings import Ids
from riskops.ingest.validate import (
    CheckedEvent,
    EventInput,
    Refusal,
    check_event,
    check_row,
    check_source,
)
from riskops.models import EventKind
from systemadmin import audit
from systemadmin.foundation import configuration
from systemadmin.member_rows import usual_username
from systemadmin.models import User

logger = logging.getLogger("atalaya.ingest")

# An account without a password nobody can sign in with.
NO_PASSWORD = "!"  # noqa: S105
LONGEST_ACCOUNT_NAME = 128


class Refused(Exception):
    """An event that is not recorded, with the reason."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


@dataclass(slots=True)
class IngestResult:
    """What became of a batch, by the index of each event in it."""

    accepted: int = 0
    duplicates: list[int] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.accepted + len(self.duplicates) + len(self.refused)


@transaction.atomic
def record_events(
    events: Sequence[EventInput], *, source: str, actor: User | None = None
) -> IngestResult:
    """Record a batch of the platform's own events with identifiers, sightings and facts.

    Bad events are refused one by one; events already recorded (same source and external id)
    change nothing. A database error undoes the whole batch.
    """
    batch = _Batch(check_source(source))
    latest = _latest_allowed()
    good = batch.keep(check_event(index, event, latest) for index, event in enumerate(events))
    batch.record(batch.without_repeats(batch.with_account(good)))
    return batch.finish(actor)


@transaction.atomic
def record_rows(
    rows: Sequence[Mapping[str, Any]],
    *,
    source: str,
    actor: User | None = None,
    create_accounts: bool = False,
    keep_outside: bool = False,
) -> IngestResult:
    """Record rows of a file or request; what the database refuses is refused row by row.

    With `create_accounts` an unknown external id becomes a member. With `keep_outside` the wallets
    of rows without an account are kept as the outside reach of those they dealt with.
    """
    batch = _Batch(check_source(source))
    latest = _latest_allowed()
    good = batch.keep(check_row(index, row, latest) for index, row in enumerate(rows))
    _find_accounts(good, create_accounts=create_accounts, actor=actor)
    known = batch.with_account(good)
    if keep_outside:
        batch.record_outside(known)
    batch.record_or_halve(batch.without_repeats(known))
    return batch.finish(actor)


def record_checked(
    event: CheckedEvent, *, source: str, known: Ids, summed_until: datetime | None
) -> store.Written:
    """Record one event in its stored form, of an account that there is.

    `known` are those of its identifiers that there are, `summed_until` is the moment of the last
    pruned event of its account; retention was held back before that was read. Nothing is written
    when a rival was faster. Raises `Refused` for an event from before that moment.
    """
    if summed_until is not None and event.occurred_at <= summed_until:
        raise Refused(Refusal.of(event.index, "occurred_at", "pruned", event.external_id))
    return store.record([event], source=source, received_at=timezone.now(), known=known)


class _Batch:
    """A batch on its way in: each event ends as recorded, duplicate or refused."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.result = IngestResult()
        self.strangers: list[CheckedEvent] = []  # of accounts that nobody has

    def keep(self, checked: Iterable[CheckedEvent | Refusal]) -> list[CheckedEvent]:
        good = []
        for event in checked:
            if isinstance(event, Refusal):
                self.result.refused.append(event)
            else:
                good.append(event)
        return good

    def with_account(self, events: list[CheckedEvent]) -> list[CheckedEvent]:
        wanted = {event.account_id for event in events}
        known = set(User.objects.filter(pk__in=wanted).values_list("pk", flat=True))
        for event in events:
            if event.account_id not in known:
                self.strangers.append(event)
                name = "account_external_id" if event.account_external_id else "account"
                self.refuse(event, name, "unknown_account")
        return [event for event in events if event.account_id in known]

    def record_outside(self, known: list[CheckedEvent]) -> None:
        transfers = [event for event in self.strangers if event.kind == EventKind.TRANSFER]
        with transaction.atomic():
            store.record_outside(transfers, known, timezone.now())

    def without_repeats(self, events: list[CheckedEvent]) -> list[CheckedEvent]:
        first: dict[str, CheckedEvent] = {}
        for event in events:
            if event.external_id in first:
                self.result.duplicates.append(event.index)
            else:
                first[event.external_id] = event
        return list(first.values())

    def record(self, events: list[CheckedEvent]) -> None:
        event_sums.hold_back_retention()
        known = store.known_external_ids(self.source, [event.external_id for event in events])
        late = self._pruned([event for event in events if event.external_id not in known])
        fresh = [e for e in events if e.external_id not in known and e.index not in late]
        recorded = (
            store.record(fresh, source=self.source, received_at=timezone.now()).events
            if fresh
            else {}
        )
        for event in events:
            if event.index in late:
                self.refuse(event, "occurred_at", "pruned")
        self.result.accepted += len(recorded)
        self.result.duplicates += [
            e.index for e in events if e.index not in recorded and e.index not in late
        ]

    def _pruned(self, events: list[CheckedEvent]) -> set[int]:
        """Indexes of events from before the last pruned one of their account.

        Which of them were recorded is not known any more, and one counted twice stays wrong.
        """
        until = event_sums.summed_until([event.account_id for event in events])
        return {
            event.index
            for event in events
            if event.account_id in until and event.occurred_at <= until[event.account_id]
        }

    def record_or_halve(self, events: list[CheckedEvent]) -> None:
        """Record all at once; when the database refuses, halve until the bad rows are alone.

        They are refused like any other bad row; the error itself is in the log.
        """
        try:
            with transaction.atomic():
                return self.record(events)
        except DatabaseError:
            logger.warning("rows could not be recorded together", exc_info=True)
        if len(events) == 1:
            return self.refuse(events[0], "row", "not_recorded")
        middle = len(events) // 2
        self.record_or_halve(events[:middle])
        self.record_or_halve(events[middle:])
        return None

    def refuse(self, event: CheckedEvent, name: str, code: str) -> None:
        self.result.refused.append(Refusal.of(event.index, name, code, event.external_id))

    def finish(self, actor: User | None) -> IngestResult:
        result = self.result
        result.duplicates.sort()
        result.refused.sort(key=lambda refusal: refusal.index)
        if actor is not None:
            audit.record(
                "riskops.events.recorded",
                actor=actor,
                metadata={
                    "source": self.source,
                    "accepted": result.accepted,
                    "duplicates": len(result.duplicates),
                    "refused": len(result.refused),
                },
            )
        return result


def _latest_allowed() -> datetime:
    skew = int(configuration.setting("riskops.clock_skew_seconds"))
    return timezone.now() + timedelta(seconds=skew)


def _find_accounts(
    events: list[CheckedEvent], *, create_accounts: bool, actor: User | None
) -> None:
    """Give events named by an external id their account; 0 where nobody has it."""
    wanted = {event.account_external_id for event in events if event.account_external_id}
    if not wanted:
        return
    known = _accounts_named(wanted)
    if create_accounts and (missing := wanted - set(known)):
        known |= _create_accounts(missing, events, actor)
    for event in events:
        if event.account_external_id:
            event.account_id = known.get(event.account_external_id, 0)


def _accounts_named(external_ids: set[str]) -> dict[str, int]:
    rows = User.objects.filter(external_id__in=external_ids)
    return dict(rows.values_list("external_id", "pk"))


def _create_accounts(
    missing: set[str], events: list[CheckedEvent], actor: User | None
) -> dict[str, int]:
    """Create a member for each unknown external id; what cannot be a name is left out."""
    joined: dict[str, datetime] = {}
    for event in events:
        name = event.account_external_id
        if name in missing and is_valid_account_name(name):
            joined[name] = min(joined.get(name, event.occurred_at), event.occurred_at)
    taken = {name.lower() for name in User.objects.named(joined).values_list("username", flat=True)}
    accounts = []
    for name in sorted(joined):
        # External ids may differ in capitals only; names must not.
        username = usual_username(name, is_taken=True) if name.lower() in taken else name
        taken.add(name.lower())
        accounts.append(
            User(
                username=username,
                external_id=name,
                password=NO_PASSWORD,
                date_joined=joined[name],
            )
        )
    User.objects.bulk_create(
        accounts,
        ignore_conflicts=True,
        batch_size=1000,
    )
    created = _accounts_named(set(joined))
    audit.record("riskops.accounts.created", actor=actor, metadata={"accounts": len(created)})
    return created


def is_valid_account_name(name: str) -> bool:
    """Return whether an external id can be the name of a member."""
    return len(name) <= LONGEST_ACCOUNT_NAME and name.isprintable() and bool(name.strip())


def event_key(*parts: Any) -> str:
    """Return an external id made of the parts that make an event unique in its source."""
    return ":".join(str(part) for part in parts)
