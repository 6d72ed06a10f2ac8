"""Service clocks of stored tickets: replay the history, keep the due moments, note breaches."""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from support import sla
from support.business_hours import hours_from_json
from support.events import ticket_target_missed
from support.models import SlaBreach, SlaPolicy, SlaPolicyVersion, Ticket, TicketEvent
from support.services import escalation
from support.services.history import note
from support.sla import Clock, SlaEvent, Targets, Timeline, replay
from systemadmin.foundation.batches import Batch
from systemadmin.models import User

CLOCK_KINDS = (sla.OPENED, sla.CUSTOMER_REPLY, sla.STAFF_REPLY, sla.STATUS, sla.TARGETS)


def timeline_of(ticket: Ticket) -> Timeline:
    """Return every clock of a ticket, computed from its history alone."""
    rows = list(
        TicketEvent.objects.filter(ticket=ticket, kind__in=CLOCK_KINDS)
        .order_by("id")
        .values_list("at", "kind", "data")
    )
    wanted = {data["version"] for _at, _kind, data in rows if data.get("version")}
    terms = dict(SlaPolicyVersion.objects.filter(pk__in=wanted).values_list("pk", "terms"))
    return replay(
        SlaEvent(
            at=at,
            kind=kind,
            status=data.get("to", ""),
            targets=targets_of(terms[data["version"]]) if data.get("version") else None,
        )
        for at, kind, data in rows
    )


def targets_of(terms: dict[str, Any]) -> Targets:
    """Return the promise that stored terms describe."""
    return _targets(json.dumps(terms, sort_keys=True))


@lru_cache(maxsize=500)
def _targets(text: str) -> Targets:
    terms = json.loads(text)

    def span(name: str) -> timedelta | None:
        minutes = terms.get(name)
        return None if minutes is None else timedelta(minutes=minutes)

    return Targets(
        hours=hours_from_json(terms.get("calendar", {})),
        first_response=span("first_response_minutes"),
        next_response=span("next_response_minutes"),
        resolution=span("resolution_minutes"),
    )


def deadlines(timeline: Timeline, reported: Collection[tuple[str, int]]) -> dict[str, Any]:
    """Return what a ticket row keeps of its clocks: a cache that can be checked at any time."""
    first = timeline.latest(sla.FIRST_RESPONSE)
    resolution = timeline.latest(sla.RESOLUTION)
    late = [c.due_at for c in timeline.clocks if c.is_running and c.due_at and c.key in reported]
    return {
        "first_response_due_at": first.due_at if first else None,
        "first_responded_at": first.stopped_at if first else None,
        "first_response_seconds": _seconds(first),
        "next_response_due_at": timeline.due_at(sla.NEXT_RESPONSE),
        "resolution_due_at": resolution.due_at if resolution else None,
        "resolution_seconds": _seconds(resolution),
        "next_due_at": timeline.next_due(reported),
        "overdue_since": min(late, default=None),
    }


def _seconds(clock: Clock | None) -> int | None:
    return int(clock.elapsed.total_seconds()) if clock and clock.stopped_at else None


def refresh(ticket: Ticket, *, now: datetime) -> None:
    """Bring a locked ticket's due moments up to its history, noting new breaches; no save."""
    timeline = timeline_of(ticket)
    reported = set(SlaBreach.objects.filter(ticket=ticket).values_list("clock", "cycle"))
    for clock in timeline.breaches(now):
        if clock.key not in reported:
            _note_breach(ticket, clock, now)
            reported.add(clock.key)
    for name, value in deadlines(timeline, reported).items():
        setattr(ticket, name, value)


def _note_breach(ticket: Ticket, clock: Clock, now: datetime) -> None:
    breach, created = SlaBreach.objects.get_or_create(
        ticket=ticket,
        clock=clock.kind,
        cycle=clock.cycle,
        defaults={
            "due_at": clock.breached_at,
            "detected_at": now,
            "version_id": ticket.sla_version_id,
            "assignee_id": ticket.assignee_id,
        },
    )
    if not created:
        return
    note(ticket, TicketEvent.Kind.BREACH, actor=None, at=now, clock=clock.kind, cycle=clock.cycle)
    ticket_target_missed.send(sender=Ticket, ticket_id=ticket.pk, breach_id=breach.pk)
    if clock.is_running:  # what was answered late needs no one woken up
        escalation.escalate(ticket, breach)


def choose_policy(ticket: Ticket, *, actor: User | None, at: datetime) -> None:
    """Give a ticket the policy its priority and category call for; no save.

    The version in force stays while the policy stays the same: editing a policy changes
    nothing that was promised before.
    """
    found = SlaPolicy.objects.matching(
        priority=ticket.priority, category_id=ticket.category_id
    ).first()
    held = ticket.sla_version.policy_id if ticket.sla_version else None
    if (found.pk if found else None) == held:
        return
    ticket.sla_version = found.current if found else None
    note(
        ticket,
        TicketEvent.Kind.TARGETS,
        actor=actor,
        at=at,
        version=ticket.sla_version_id,
        policy=found.name if found else "",
    )


SWEEP = Batch("support.sweep_sla")


def sweep(*, now: datetime | None = None, batch: int = 200) -> int:
    """Note every promise that has passed since the last sweep; touches only those tickets."""
    swept = 0
    while True:
        moment = now or timezone.now()
        due = SWEEP.due(Ticket.objects.due_for_sweep(moment), batch)
        swept += sum(SWEEP.each(due, partial(_sweep_one, now=moment)))
        if len(due) < batch:
            return swept


@transaction.atomic
def _sweep_one(pk: int, *, now: datetime) -> int:
    # Asked again under the lock: a rival sweep or an answer may have come first.
    ticket = Ticket.objects.select_for_update(of=("self",)).filter(pk=pk, next_due_at__lt=now)
    found = ticket.first()
    if found is None:
        return 0
    refresh(found, now=now)
    found.save(update_fields=[*_KEPT])
    return 1


_KEPT = (
    "first_response_due_at",
    "first_responded_at",
    "first_response_seconds",
    "next_response_due_at",
    "resolution_due_at",
    "resolution_seconds",
    "next_due_at",
    "overdue_since",
)
