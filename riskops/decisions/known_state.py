"""What there is already when a question comes: one statement for all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Max, OuterRef, Subquery

from riskops.decisions.decision_request import DecisionRequest
from riskops.ingest.sightings import ALL, Ids
from riskops.models import AccountEvent, Decision, EventSum, Identifier, SumAspect
from systemadmin.models import User


@dataclass(frozen=True, slots=True)
class KnownState:
    """The account of a question with its score, and what was answered and recorded before."""

    account: User | None
    decision_id: int | None = None
    event_id: int | None = None
    # The moment of the last of its events that retention deleted.
    summed_until: datetime | None = None
    # Numbers of those identifiers of the event that there are.
    identifiers: Ids = field(default_factory=dict)


def look_up(question: DecisionRequest) -> KnownState:
    """Return what there is already of a question."""
    event = question.event
    named = [(name, kind, value) for name, kind in ALL if (value := getattr(event, name))]
    decisions = Decision.objects.filter(source=question.source, external_id=question.external_id)
    events = AccountEvent.objects.filter(source=question.source, external_id=event.external_id)
    sums = EventSum.objects.filter(account_id=OuterRef("pk"), aspect=SumAspect.KIND)
    last = sums.order_by().values("account_id").annotate(last=Max("last_at"))
    found = {
        "decision_found": decisions if question.external_id else decisions.none(),
        "event_found": events if question.happened else events.none(),
        **{
            f"{name}_found": Identifier.objects.filter(kind=kind, value=value)
            for name, kind, value in named
        },
    }
    user = (
        User.objects.filter(pk=event.account_id)
        .select_related("risk_score__ruleset")
        .annotate(
            summed_until=Subquery(last.values("last")),
            **{name: Subquery(rows.order_by().values("pk")[:1]) for name, rows in found.items()},
        )
        .first()
    )
    if user is None:
        # Whoever asked before is answered even when the account has gone meanwhile.
        known = decisions.values_list("pk", flat=True).first() if question.external_id else None
        return KnownState(None, known)
    numbers = {(kind, value): getattr(user, f"{name}_found") for name, kind, value in named}
    return KnownState(
        user,
        user.decision_found,
        user.event_found,
        user.summed_until,
        {key: number for key, number in numbers.items() if number is not None},
    )
