"""Figures of the risk desk."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from riskops.models import AccountEvent, RiskOutcome, RiskScore, RiskScoreHistory
from riskops.models.scores import Level, Verdict
from systemadmin.foundation.sockets import Stat


def high_risk_accounts(start: datetime, end: datetime) -> int:
    """Accounts that stand at high or critical now."""
    return RiskScore.objects.filter(level__gte=Level.HIGH).count()


def score_changes(start: datetime, end: datetime) -> int:
    """Changes of scores noted in the time."""
    return RiskScoreHistory.objects.filter(at__gte=start, at__lt=end).count()


def confirmed_fraud(start: datetime, end: datetime) -> int:
    """Accounts that staff found to be fraud in the time."""
    found = RiskOutcome.objects.filter(created_at__gte=start, created_at__lt=end)
    return found.filter(verdict=Verdict.CONFIRMED_FRAUD).values("account").distinct().count()


def active_accounts(start: datetime, end: datetime) -> int:
    """Accounts with an event in the time."""
    events = AccountEvent.objects.filter(occurred_at__gte=start, occurred_at__lt=end)
    return events.values("account").distinct().count()


STATS = [
    Stat(
        code="high_risk_accounts",
        title=_("Accounts at high or critical risk"),
        section="overview",
        compute=high_risk_accounts,
    ),
    Stat(
        code="risk_score_changes",
        title=_("Changes of risk scores"),
        section="users",
        compute=score_changes,
    ),
    Stat(
        code="confirmed_fraud",
        title=_("Accounts confirmed as fraud"),
        section="users",
        compute=confirmed_fraud,
    ),
    Stat(
        code="accounts_with_events",
        title=_("Accounts with events"),
        section="users",
        compute=active_accounts,
    ),
]
