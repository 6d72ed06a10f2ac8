"""What staff found accounts to be."""

from __future__ import annotations

from riskops.models import RiskOutcome
from riskops.models.scores import Verdict


def is_confirmed_fraud(account_id: int) -> bool:
    """Return whether the latest outcome of an account is confirmed fraud."""
    latest = RiskOutcome.objects.filter(account_id=account_id).order_by("-pk")
    return latest.values_list("verdict", flat=True).first() == Verdict.CONFIRMED_FRAUD
