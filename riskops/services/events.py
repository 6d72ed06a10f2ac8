"""The one door for facts: account events come in here, from apps, the API and files alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from riskops.eventcheck import CheckedEvent, EventInput, Refusal, check_event, check_source
from riskops.services import upkeep
from systemadmin import audit
from systemadmin.foundation import configuration
from systemadmin.models import User


@dataclass(slots=True)
class IngestResult:
    """What became of a batch."""

    accepted: int = 0
    duplicates: list[int] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.accepted + len(self.duplicates) + len(self.refused)


def record_events(
    events: Sequence[EventInput], *, source: str, actor: User | None = None
) -> IngestResult:
    """Records a batch of account events with identifiers, sightings and facts, all or nothing.

    Bad rows are refused one by one; rows already recorded (same source and external id) change
    nothing.
    """
    source = check_source(source)
    result = IngestResult()
    good = _check(events, result)
    with transaction.atomic():
        good = _with_account(good, result)
        good = _unknown(good, source, result)
        if good:
            recorded = upkeep.record(good, source=source, received_at=timezone.now())
            result.duplicates += [event.index for event in good if event.index not in recorded]
            result.accepted = len(recorded)
        if actor is not None:
            audit.record(
                "riskops.events.recorded",
                actor=actor,
                metadata={
                    "source": source,
                    "accepted": result.accepted,
                    "duplicates": len(result.duplicates),
                    "refused": len(result.refused),
                },
            )
    result.duplicates.sort()
    result.refused.sort(key=lambda refusal: refusal.index)
    return result


def _check(events: Sequence[EventInput], result: IngestResult) -> list[CheckedEvent]:
    latest = _latest_allowed()
    good: list[CheckedEvent] = []
    seen: set[str] = set()
    for index, event in enumerate(events):
        checked = check_event(index, event, latest)
        if isinstance(checked, Refusal):
            result.refused.append(checked)
        elif checked.external_id in seen:
            result.duplicates.append(index)
        else:
            seen.add(checked.external_id)
            good.append(checked)
    return good


def _latest_allowed() -> datetime:
    skew = int(configuration.setting("riskops.clock_skew_seconds"))
    return timezone.now() + timedelta(seconds=skew)


def _with_account(events: list[CheckedEvent], result: IngestResult) -> list[CheckedEvent]:
    wanted = {event.account_id for event in events}
    known = set(User.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    for event in events:
        if event.account_id not in known:
            result.refused.append(
                Refusal.of(event.index, "account", "unknown_account", event.external_id)
            )
    return [event for event in events if event.account_id in known]


def _unknown(events: list[CheckedEvent], source: str, result: IngestResult) -> list[CheckedEvent]:
    known = upkeep.known_external_ids(source, [event.external_id for event in events])
    result.duplicates += [event.index for event in events if event.external_id in known]
    return [event for event in events if event.external_id not in known]


def event_key(*parts: Any) -> str:
    """An external id out of the parts that make an event unique in its source."""
    return ":".join(str(part) for part in parts)
