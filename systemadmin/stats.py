"""Figures about accounts."""

from datetime import datetime, tzinfo
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.plugins import Stat
from systemadmin.foundation.series import between, per_bucket
from systemadmin.models import User


def members_total(start: datetime, end: datetime) -> int:
    """Return members at the end of the span."""
    return User.objects.members().filter(date_joined__lt=end).count()


def members_joined(start: datetime, end: datetime) -> int:
    """Return members who joined in the span."""
    return between(User.objects.members(), "date_joined", start, end).count()


def members_joined_series(
    start: datetime, end: datetime, granularity: str, tz: tzinfo
) -> list[tuple[datetime, Any]]:
    """Return members who joined, by bucket."""
    return per_bucket(User.objects.members(), "date_joined", start, end, granularity, tz)


def members_verified(start: datetime, end: datetime) -> int:
    """Return members verified in the span."""
    return between(User.objects.members(), "verified_at", start, end).count()


def suspensions(start: datetime, end: datetime) -> int:
    """Return suspensions in force that began in the span."""
    return between(User.objects.suspended(), "suspended_at", start, end).count()


def by_country(start: datetime, end: datetime) -> dict[str, int]:
    """Return members at the end of the span, by country."""
    rows = (
        User.objects.members()
        .filter(date_joined__lt=end)
        .values_list("country")
        .annotate(count=Count("pk"))
        .order_by("-count", "country")[:50]
    )
    return {country or "??": count for country, count in rows}


def staff_by_role(start: datetime, end: datetime) -> dict[str, int]:
    """Return active staff, by role."""
    rows = User.objects.staff().values_list("groups__name").annotate(count=Count("pk")).order_by()
    return {role or "-": count for role, count in rows}


STATS = [
    Stat(
        code="members_joined",
        title=_("New members"),
        section="overview",
        compute=members_joined,
        series=members_joined_series,
    ),
    Stat(code="members", title=_("Members"), section="users", compute=members_total),
    Stat(
        code="joined",
        title=_("New members"),
        section="users",
        compute=members_joined,
        series=members_joined_series,
    ),
    Stat(code="verified", title=_("Verified"), section="users", compute=members_verified),
    Stat(code="suspended", title=_("Suspended"), section="users", compute=suspensions),
    Stat(
        code="by_country",
        title=_("Members by country"),
        section="users",
        compute=by_country,
        unit="breakdown",
    ),
    Stat(
        code="staff_by_role",
        title=_("Staff by role"),
        section="users",
        compute=staff_by_role,
        unit="breakdown",
    ),
]
