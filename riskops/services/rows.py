"""Records events that come as rows: finds, and if asked creates, their accounts first."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction

from riskops.eventcheck import EventInput, Refusal
from riskops.eventrows import ParsedRow, parse_row
from riskops.services.events import IngestResult, record_events
from systemadmin import audit
from systemadmin.models import User

logger = logging.getLogger("atalaya.ingest")

# An account without a password nobody can sign in with.
NO_PASSWORD = "!"  # noqa: S105


@transaction.atomic
def record_rows(
    rows: Sequence[Mapping[str, Any]],
    *,
    source: str,
    actor: User | None = None,
    create_accounts: bool = False,
) -> IngestResult:
    """Records rows with per-row refusals; the indexes of the result are those of the rows."""
    refused: list[Refusal] = []
    parsed: list[ParsedRow] = []
    for index, row in enumerate(rows):
        found = parse_row(index, row)
        if isinstance(found, Refusal):
            refused.append(found)
        else:
            parsed.append(found)
    parsed = _find_accounts(parsed, refused, create_accounts=create_accounts, actor=actor)
    result = _record([row.event for row in parsed], source=source, actor=actor)
    places = [row.index for row in parsed]
    result.duplicates = [places[index] for index in result.duplicates]
    result.refused = refused + [
        Refusal(places[r.index], r.field, r.code, r.detail, r.external_id) for r in result.refused
    ]
    result.refused.sort(key=lambda refusal: refusal.index)
    return result


def _record(events: list[EventInput], *, source: str, actor: User | None) -> IngestResult:
    """Record all at once; when the database refuses, halve until only the rows that raise are left.

    They are refused like any other bad row; the error itself is in the log.
    """
    try:
        with transaction.atomic():
            return record_events(events, source=source, actor=actor)
    except DatabaseError:
        logger.warning("rows could not be recorded together", exc_info=True)
    if len(events) == 1:
        return IngestResult(refused=[Refusal.of(0, "row", "not_recorded", events[0].external_id)])
    middle = len(events) // 2
    first = _record(events[:middle], source=source, actor=actor)
    second = _record(events[middle:], source=source, actor=actor)
    first.accepted += second.accepted
    first.duplicates += [middle + index for index in second.duplicates]
    first.refused += [replace(one, index=middle + one.index) for one in second.refused]
    return first


def _find_accounts(
    parsed: list[ParsedRow],
    refused: list[Refusal],
    *,
    create_accounts: bool,
    actor: User | None,
) -> list[ParsedRow]:
    wanted = {row.account_external_id for row in parsed if not row.event.account_id}
    known = _known(wanted)
    if create_accounts and (missing := wanted - set(known)):
        known |= _create(missing, parsed, actor)
    found = []
    for row in parsed:
        if not row.event.account_id:
            row.event.account_id = known.get(row.account_external_id, 0)
        if row.event.account_id:
            found.append(row)
        else:
            field = "account_external_id"
            refused.append(Refusal.of(row.index, field, "unknown_account", row.event.external_id))
    return found


def _known(external_ids: set[str]) -> dict[str, int]:
    rows = User.objects.filter(external_id__in=external_ids)
    return dict(rows.values_list("external_id", "pk"))


def _create(missing: set[str], parsed: list[ParsedRow], actor: User | None) -> dict[str, int]:
    """Members for external ids nobody has; what cannot be a name is left out and refused."""
    joined: dict[str, datetime] = {}
    for row in parsed:
        moment = row.event.occurred_at
        if row.account_external_id in missing and _sound(row.event, row.account_external_id):
            before = joined.get(row.account_external_id, moment)
            joined[row.account_external_id] = min(before, moment)
    User.objects.bulk_create(
        [
            User(username=name, external_id=name, password=NO_PASSWORD, date_joined=joined[name])
            for name in sorted(joined)
        ],
        ignore_conflicts=True,
        batch_size=1000,
    )
    created = _known(set(joined))
    audit.record("riskops.accounts.created", actor=actor, metadata={"accounts": len(created)})
    return created


def _sound(event: EventInput, name: str) -> bool:
    moment = event.occurred_at
    return (
        len(name) <= 128 and name.isprintable() and bool(name.strip()) and moment.tzinfo is not None
    )
