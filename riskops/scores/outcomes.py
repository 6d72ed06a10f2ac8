"""What staff found an account to be: the feedback that rules are judged by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from riskops import concerned
from riskops.ingest.record import EventInput, event_key, record_events
from riskops.models import EventKind, RiskOutcome, RiskScore
from riskops.models.scores import Verdict
from systemadmin import audit
from systemadmin.models import User
from systemadmin.services.duties import decides

SOURCE = "riskops"
RECORDED = "riskops.outcome.recorded"
EVENT_OF = {
    Verdict.CONFIRMED_FRAUD.value: EventKind.CONFIRMED_FRAUD,
    Verdict.FALSE_POSITIVE.value: EventKind.CONFIRMED_LEGITIMATE,
    Verdict.LEGITIMATE.value: EventKind.CONFIRMED_LEGITIMATE,
}


@decides(
    "riskops.record_outcome", permission="riskops.record_riskoutcome", concerns=concerned.account
)
@transaction.atomic
def record_outcome(
    *, actor: User | None, account: User, verdict: str, note: str = ""
) -> RiskOutcome:
    """Record a verdict with the score of that moment and send it to the engine as an event."""
    score = RiskScore.objects.filter(pk=account.pk).first()
    takes_back = verdict != Verdict.CONFIRMED_FRAUD and is_confirmed_fraud(account.pk)
    outcome = RiskOutcome(
        account=account,
        verdict=verdict,
        note=note,
        actor=actor,
        score=score.score if score else None,
        breakdown=score.breakdown if score else [],
    )
    outcome.full_clean(exclude=["breakdown"])
    outcome.save()
    changes: dict[str, Any] = {"review_since": None}
    if takes_back:
        # What rose by a verdict falls with it: no cool-down holds it.
        changes["hold_until"] = outcome.created_at
    RiskScore.objects.filter(pk=account.pk).update(**changes)
    audit.record(
        RECORDED,
        actor=actor,
        target=account,
        after={"verdict": verdict},
        reason=note,
    )
    send_to_engine([outcome])
    return outcome


def send_to_engine(outcomes: Iterable[RiskOutcome]) -> None:
    """Record stored verdicts as events of the moments at which they were known."""
    events = [
        EventInput(
            kind=EVENT_OF[outcome.verdict],
            account_id=outcome.account_id,
            occurred_at=outcome.created_at,
            external_id=event_key("outcome", outcome.pk),
        )
        for outcome in outcomes
    ]
    record_events(events, source=SOURCE)


def outcomes_of(account_id: int) -> QuerySet[RiskOutcome]:
    """Return what an account was found to be, what was known last first."""
    return RiskOutcome.objects.filter(account_id=account_id).order_by("-created_at", "-pk")


def is_confirmed_fraud(account_id: int) -> bool:
    """Return whether the outcome of an account that was known last is confirmed fraud."""
    latest = outcomes_of(account_id)
    return latest.values_list("verdict", flat=True).first() == Verdict.CONFIRMED_FRAUD
