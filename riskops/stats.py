"""Figures of the risk desk."""

from __future__ import annotations

from datetime import datetime, tzinfo

from django.db.models import Count, Sum
from django.utils.translation import gettext_lazy as _

from riskops.models import AccountEvent, Anomaly, RiskOutcome, RiskScore, RiskScoreHistory
from riskops.models.scores import Level, Verdict
from systemadmin.foundation.plugins import Stat
from systemadmin.foundation.series import between, per_bucket


def high_risk_accounts(start: datetime, end: datetime) -> int:
    """Return accounts that stand at high or critical now."""
    return RiskScore.objects.filter(level__gte=Level.HIGH).count()


def accounts_by_level(start: datetime, end: datetime) -> dict[str, int]:
    """Return accounts by the level they stand at now, every level named."""
    counted = dict(RiskScore.objects.order_by().values_list("level").annotate(Count("pk")))
    return {level.code: counted.get(level.value, 0) for level in Level}


def anomalies_found(start: datetime, end: datetime) -> int:
    """Return anomalies detected in the time."""
    return between(Anomaly.objects.all(), "detected_at", start, end).count()


def anomalies_found_series(
    start: datetime, end: datetime, granularity: str, tz: tzinfo
) -> list[tuple[datetime, int]]:
    """Return anomalies detected, per bucket."""
    return per_bucket(Anomaly.objects.all(), "detected_at", start, end, granularity, tz)


def score_changes(start: datetime, end: datetime) -> int:
    """Return the changes of scores noted in the time; of old days each row stands for several."""
    noted = RiskScoreHistory.objects.filter(at__gte=start, at__lt=end)
    return int(noted.aggregate(number=Sum("changes", default=0))["number"])


def confirmed_fraud(start: datetime, end: datetime) -> int:
    """Return accounts that staff found to be fraud in the time."""
    found = RiskOutcome.objects.filter(created_at__gte=start, created_at__lt=end)
    return found.filter(verdict=Verdict.CONFIRMED_FRAUD).values("account").distinct().count()


def active_accounts(start: datetime, end: datetime) -> int:
    """Return accounts with an event in the time."""
    events = AccountEvent.objects.filter(occurred_at__gte=start, occurred_at__lt=end)
    return events.values("account").distinct().count()


STATS = [
    Stat(
        code="high_risk_accounts",
        title=_("Accounts at high or critical risk"),
        section="overview",
        compute=high_risk_accounts,
        is_of_now=True,
    ),
    Stat(
        code="anomalies_found",
        title=_("Anomalies detected"),
        section="overview",
        compute=anomalies_found,
        series=anomalies_found_series,
    ),
    Stat(
        code="accounts_by_level",
        title=_("Accounts by risk level"),
        section="users",
        compute=accounts_by_level,
        is_of_now=True,
        unit="breakdown",
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
