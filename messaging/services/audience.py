"""Whom a broadcast is for, as a queryset: preview, count and delivery cannot disagree."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils import timezone

from messaging.models import Broadcast, BroadcastKind
from messaging.services.team import TEAM_USERNAME
from riskops.models import RiskScore
from riskops.models.scores import LEVEL_BY_CODE
from systemadmin.models import User


def members_of(broadcast: Broadcast) -> QuerySet[User]:
    """Return active accounts that the broadcast's filter names; an empty filter names everyone."""
    now = timezone.now()
    suspended = Q(suspended_at__isnull=False) & (
        Q(suspended_until__isnull=True) | Q(suspended_until__gt=now)
    )
    members = User.objects.filter(~suspended, is_active=True).exclude(username=TEAM_USERNAME)
    if broadcast.last_user_id is not None:
        members = members.filter(pk__lte=broadcast.last_user_id)
    if broadcast.roles:
        holders = User.groups.through.objects.filter(group__name__in=broadcast.roles)
        members = members.filter(pk__in=holders.values("user_id"))
    if broadcast.countries:
        members = members.filter(country__in=[code.upper() for code in broadcast.countries])
    if broadcast.is_verified is not None:
        members = members.filter(verified_at__isnull=not broadcast.is_verified)
    if broadcast.risk_levels:
        members = members.filter(pk__in=accounts_at(broadcast.risk_levels))
    if broadcast.kind == BroadcastKind.PROMOTION:
        # None (no row) means that nothing was declined.
        members = members.exclude(messaging_preferences__promotions=False)
    return members


def accounts_at(levels: list[str]) -> QuerySet:
    """Return accounts at these levels of the risk engine."""
    numbers = [LEVEL_BY_CODE[level] for level in levels if level in LEVEL_BY_CODE]
    return RiskScore.objects.filter(level__in=numbers).values("pk")
