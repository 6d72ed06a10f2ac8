"""Which months are closed, and the lock between posting and closing."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import connection
from django.db.models import QuerySet, Sum
from django.utils import timezone

from marketplace.models import ClosedMonth, LedgerAccount, LedgerEntry
from marketplace.services import clock

# The advisory lock that postings share and a closing takes alone; the trigger on the ledger's
# transactions takes it too (migration `closed_months`).
BOOKS_LOCK = 7_204_001

Totals = dict[str, dict[str, int]]


def closed_months() -> QuerySet[ClosedMonth]:
    """Return the months that are closed now, the latest first."""
    return ClosedMonth.objects.filter(reopened_at__isnull=True).order_by("-month")


def booking_moment(moment: datetime) -> tuple[datetime, date | None]:
    """Return when something of a moment is booked, and the closed month it belongs to, if any.

    Holds the books open until the transaction ends: a month is closed before it or after it.
    """
    return booking_moments([moment])[0]


def booking_moments(moments: Sequence[datetime]) -> list[tuple[datetime, date | None]]:
    """Return the same for many moments."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # By itself: a statement's view is older than the lock that it waits for.
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [BOOKS_LOCK])
    end = closed_months().values_list("end_at", flat=True).first()
    return [
        (moment, None)
        if end is None or moment >= end
        else (max(end, timezone.now()), clock.month_of(moment))
        for moment in moments
    ]


def totals_between(start: datetime, end: datetime) -> Totals:
    """Return what was booked on each kind of account in a period, per currency."""
    rows = (
        LedgerEntry.objects.between(start, end)
        .filter(is_demo=False)
        .order_by()
        .values("currency", "account__code")
        .annotate(sum=Sum("amount"))
        .order_by("currency", "account__code")
    )
    totals: Totals = {}
    for row in rows:
        totals.setdefault(row["currency"], {})[row["account__code"]] = row["sum"]
    return totals


def only_currency() -> str:
    """Return the currency of the books, or nothing where there is none or more than one."""
    found = LedgerAccount.objects.order_by().values_list("currency", flat=True).distinct()[:2]
    return found[0] if len(found) == 1 else ""


def lock_books() -> None:
    """Wait for postings under way, and let none begin; on SQLite the transaction does it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [BOOKS_LOCK])
