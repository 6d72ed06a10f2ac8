"""Retention of score changes: of old days only the last change of each account is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, Min, QuerySet, Sum
from django.utils import timezone

from riskops.models import RiskScoreHistory
from systemadmin.foundation.configuration import setting
from systemadmin.models import PruningState
from systemadmin.querysets.legal_holds import held_accounts

RULE = "score_details"
DAY = timedelta(days=1)
# Accounts per transaction.
ACCOUNTS = 500


def thin_out(max_seconds: float) -> int:
    """Keep the last change of each old day per account; returns how many changes went.

    The row that stays says how many changes of that day it stands for, and the score before the
    first of them, so that figures and the chain of scores stay right. Days are those of UTC.
    """
    deadline = time.monotonic() + max_seconds
    removed = 0
    for day in _days():
        for accounts in _crowded(day):
            removed += _thin_out_day(day, accounts)
            if time.monotonic() > deadline:
                return removed
        PruningState.objects.update_or_create(rule=RULE, defaults={"done_until": day + DAY})
    return removed


def due_changes() -> int:
    """Return how many changes would go."""
    return sum(
        row["number"] - 1
        for day in _days()
        for row in _of_day(day).values("account").annotate(number=Count("pk"))
    )


def _days() -> Iterator[datetime]:
    """Old days that were not thinned out yet, oldest first."""
    end = _midnight(timezone.now() - timedelta(days=int(setting("retention.score_detail_days"))))
    state = PruningState.objects.filter(rule=RULE).first()
    # Rows of an account on hold were left: after the hold only a run from the start finds them.
    day = state.done_until if state else None
    first = RiskScoreHistory.objects.aggregate(first=Min("at"))["first"]
    if first is None:
        return
    day = max(day, _midnight(first)) if day else _midnight(first)
    while day < end:
        yield day
        day += DAY


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _of_day(day: datetime) -> QuerySet[RiskScoreHistory]:
    rows = RiskScoreHistory.objects.filter(at__gte=day, at__lt=day + DAY)
    return rows.exclude(account__in=held_accounts()).order_by()


def _crowded(day: datetime) -> Iterator[list[int]]:
    """Yield accounts with more than one change on the day, in parts."""
    last = 0
    while True:
        rows = _of_day(day).filter(account__gt=last).values("account")
        found = rows.annotate(number=Count("pk")).filter(number__gt=1).order_by("account")
        accounts = list(found.values_list("account", flat=True)[:ACCOUNTS])
        if not accounts:
            return
        yield accounts
        last = accounts[-1]


@transaction.atomic
def _thin_out_day(day: datetime, accounts: list[int]) -> int:
    rows = _of_day(day).filter(account__in=accounts)
    sums = rows.values("account").annotate(first=Min("pk"), last=Max("pk"), number=Sum("changes"))
    kept = {row["last"]: row for row in sums}
    first = RiskScoreHistory.objects.in_bulk([row["first"] for row in sums])
    survivors = list(RiskScoreHistory.objects.filter(pk__in=kept))
    for survivor in survivors:
        row = kept[survivor.pk]
        survivor.changes = row["number"]
        survivor.previous_score = first[row["first"]].previous_score
    RiskScoreHistory.objects.bulk_update(survivors, ["changes", "previous_score"])
    gone, _tables = rows.exclude(pk__in=kept).delete()
    return gone
