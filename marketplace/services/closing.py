"""Closing months: nothing is booked in them any more; what comes later counts when it comes."""

from datetime import date, timedelta

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketplace.errors import BooksNotSound, MonthNotOver, MonthOutOfOrder
from marketplace.models import ClosedMonth
from marketplace.services import clock
from marketplace.services.books import closed_months, lock_books, totals_between
from marketplace.services.ledger_check import check_ledger, find_faults
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User

FAULTS_SHOWN = 20


def close_month(*, actor: User | None, month: date, note: str = "") -> ClosedMonth:
    """Close the books of a month that is over, after every earlier one.

    Raises `BooksNotSound` where the ledger does not add up. Whatever is booked later for the
    month counts in the month in which it is booked.
    """
    month = month.replace(day=1)
    # Before the lock, so that payments do not wait for the check; inside somebody's transaction
    # it has to be after it, when nobody posts.
    is_alone = not connection.in_atomic_block
    if is_alone:
        _refuse_faults(check_ledger())
    with transaction.atomic():
        lock_books()
        start, end = clock.day_start(month), clock.day_start(clock.next_month(month))
        if end > timezone.now():
            raise MonthNotOver
        latest = closed_months().first()
        if latest and month != clock.next_month(latest.month):
            expected = clock.next_month(latest.month)
            raise MonthOutOfOrder(extra={"next": f"{expected:%Y-%m}"})
        if not is_alone:
            _refuse_faults(find_faults())
        closed = ClosedMonth(month=month, start_at=start, end_at=end, note=note, closed_by=actor)
        closed.totals = totals_between(start, end)
        closed.full_clean()
        closed.save()
        audit.record(
            "marketplace.month.closed",
            actor=actor,
            target=closed,
            after={"month": str(closed), "totals": closed.totals},
            reason=note,
        )
    return closed


def month_to_close() -> date:
    """Return the month that is closed next: after the last closed one, or the one before this."""
    latest = closed_months().first()
    if latest:
        return clock.next_month(latest.month)
    return (clock.today().replace(day=1) - timedelta(days=1)).replace(day=1)


@transaction.atomic
def reopen_month(
    *,
    actor: User | None,
    closed: ClosedMonth,
    reason: str,
    expected_version: int | None = None,
) -> ClosedMonth:
    """Open the month that was closed last, so that something can be booked in it."""
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why the month is opened again."), code="required")
    lock_books()
    closed = lock_row(ClosedMonth.objects.all(), pk=closed.pk, expected_version=expected_version)
    latest = closed_months().first()
    if latest is None or latest.pk != closed.pk:
        raise MonthOutOfOrder(_("Only the month that was closed last can be opened again."))
    closed.reopened_at, closed.reopened_by, closed.reopen_reason = timezone.now(), actor, reason
    closed.bump()
    closed.full_clean()
    closed.save()
    audit.record(
        "marketplace.month.reopened",
        actor=actor,
        target=closed,
        before={"totals": closed.totals},
        after={"month": str(closed)},
        reason=reason,
    )
    return closed


def _refuse_faults(faults: list[str]) -> None:
    if faults:
        raise BooksNotSound(extra={"faults": faults[:FAULTS_SHOWN], "count": len(faults)})
