"""Which accounts staff confirmed to have one owner."""

from __future__ import annotations

from django.db import connection
from django.utils import timezone

# Verdicts join: with A = B and B = C confirmed, A and C have one owner too. `UNION` drops what was
# found before, so a circle of pairs ends.
_SAME_PERSON = """
    WITH RECURSIVE same(id) AS (
        SELECT CAST(%s AS bigint)
        UNION
        SELECT CASE WHEN pair.low_id = same.id THEN pair.high_id ELSE pair.low_id END
        FROM riskops_relatedaccount pair
        JOIN same ON pair.low_id = same.id OR pair.high_id = same.id
        WHERE pair.status = 'confirmed' AND (pair.expires_at IS NULL OR pair.expires_at > %s)
    )
    SELECT id FROM same
"""


def confirmed_same_person(account_id: int) -> set[int]:
    """Return the account and every account that is confirmed to have the same owner; one query."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_SAME_PERSON, [account_id, now])
        return {row[0] for row in cursor.fetchall()}
