"""Tells the risk engine what happened; the only place here that knows its interface."""

from collections.abc import Sequence
from typing import Any

from marketplace.models import Order
from marketplace.services import clock
from riskops.models import RiskScore
from riskops.models.scores import Level
from riskops.querysets import shown_scores
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


def events_of(order: Order) -> list[EventInput]:
    """Return the purchase and the sale of an order that came with its whole story."""
    steps = (
        ("purchase", "paid", order.paid_at, order.buyer_id, {"seller": order.seller_id}),
        ("sale", "completed", order.completed_at, order.seller_id, {"buyer": order.buyer_id}),
    )
    return [
        EventInput(
            kind=kind,
            account_id=account_id,
            occurred_at=at,
            external_id=f"order-{order.pk}-{step}",
            amount=order.total,
            currency=order.currency,
            data={"order": order.pk, **other},
        )
        for kind, step, at, account_id, other in steps
        if at is not None
    ]


def seller_risk(user_ids: list[int], viewer: Any = None) -> dict[int, dict[str, Any]]:
    """Return {user: {score, level}} of the sellers that have a score, in one query.

    A viewer's own accounts are left out. Without one it is for the checks, which see everybody.
    """
    scores = RiskScore.objects.all() if viewer is None else shown_scores(viewer)
    found = scores.filter(account_id__in=user_ids).values_list("account_id", "score", "level")
    return {pk: {"score": score, "level": Level(level).code} for pk, score, level in found}


def shown_checks(checks: list[dict[str, Any]], *, is_own: bool) -> list[dict[str, Any]]:
    """Return what the checks found; of one's own product without the seller's risk."""
    return [one for one in checks if not (is_own and one["code"] == "seller_risk")]
