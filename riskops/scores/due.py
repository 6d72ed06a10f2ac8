"""Which accounts a recompute has to look at, in batches of a bounded size."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from riskops.models import PendingScore, RiskScore
from systemadmin.models import User


def due_accounts(at: datetime, limit: int, after: int = 0) -> list[int]:
    """Return accounts touched since they were scored, or whose score may change by time alone."""
    touched = PendingScore.objects.filter(pk__gt=after).order_by("pk")
    aged = RiskScore.objects.filter(changes_at__lte=at, pk__gt=after).order_by("pk")
    ids = set(touched.values_list("pk", flat=True)[:limit])
    ids.update(aged.values_list("pk", flat=True)[:limit])
    return sorted(ids)[:limit]


def account_ranges(size: int) -> list[tuple[int, int]]:
    """Return ranges of account ids with `size` accounts each."""
    table = User._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT MIN(id), MAX(id) FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1)"  # noqa: S608
            f" / %s AS part FROM {table}) AS numbered GROUP BY part ORDER BY 1",
            [size],
        )
        return [(low, high) for low, high in cursor.fetchall()]
