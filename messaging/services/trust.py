"""How far a sender is trusted: what quotas and link rules depend on."""

from __future__ import annotations

from datetime import datetime, timedelta

from messaging.quotas import Tier, Window, parse_windows
from riskops.models import RiskScore
from riskops.models.scores import Level
from systemadmin.foundation.configuration import setting
from systemadmin.models import User

_RISKY = {"high", "critical"}
_DOUBTFUL = {"elevated"}


def risk_level(user_id: int) -> str:
    """Return the risk engine's level of an account; "" while it has none."""
    return level_code(RiskScore.objects.filter(pk=user_id).values_list("level", flat=True).first())


def level_code(level: int | None) -> str:
    """Return the name of a stored level."""
    return Level(level).code if level is not None else ""


def tier_of(user: User, now: datetime, level: str) -> Tier:
    """Return the trust tier of a sender: risk first, then age, then verification."""
    if level in _RISKY:
        return Tier.RISKY
    age = now - user.date_joined
    if level in _DOUBTFUL or age < timedelta(days=setting("messaging.new_account_days")):
        return Tier.NEW
    is_old = age >= timedelta(days=setting("messaging.trusted_account_days"))
    if is_old and user.verified_at is not None:
        return Tier.TRUSTED
    return Tier.STANDARD


def windows_of(tier: Tier) -> tuple[Window, ...]:
    """Return the quota windows in force for a tier."""
    return parse_windows(setting(f"messaging.quota_{tier}"))
