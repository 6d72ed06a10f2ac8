"""Tells the risk engine what happened; the only place here that knows its interface."""

from collections.abc import Sequence
from typing import Any

from marketplace.services import clock
from riskops.models import RiskScore
from riskops.models.scores import Level
from riskops.services import EventInput, record_events

SOURCE = "marketplace"


def report_risk_event(
    kind: str,
    *,
    account_id: int,
    external_id: str,
    amount: int | None = None,
    currency: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Record one account event in the caller's transaction; a repeated one changes nothing."""
    event = EventInput(
        kind=kind,
        account_id=account_id,
        occurred_at=clock.now(),
        external_id=external_id,
        amount=amount,
        currency=currency,
        data=data,
    )
    record_all([event])


def record_all(events: Sequence[EventInput]) -> None:
    """Record many account events; repeated ones change nothing."""
    if events:
        record_events(events, source=SOURCE)


def seller_risk(user_ids: list[int]) -> dict[int, dict[str, Any]]:
    """Return {user: {score, level}} of the sellers that have a score, in one query."""
    found = RiskScore.objects.filter(account_id__in=user_ids).values_list(
        "account_id", "score", "level"
    )
    return {pk: {"score": score, "level": Level(level).code} for pk, score, level in found}
