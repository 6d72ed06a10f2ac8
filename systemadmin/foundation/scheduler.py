"""Work by the clock: what runs and when is declared in the apps' `schedules.py`, nowhere else.

The table of schedules keeps only when each runs next. A row that says anything else than its
declaration is put right, and a row without a declaration never runs; both are reported.
"""

import logging
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_q.conf import croniter
from django_q.models import Schedule as Row
from django_q.utils import localtime

from systemadmin.foundation import task_records
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.plugins import Schedule, collect
from systemadmin.foundation.task_packages import DEFAULT_CLUSTER, RUNNER, push

logger = logging.getLogger("atalaya.queue")

TICK_SECONDS = 10.0
SCHEDULES = Batch("systemadmin.schedules")
_next_tick = 0.0


def declared_schedules() -> list[Schedule]:
    """Return what the apps declare."""
    return collect("schedules", "SCHEDULES")


def tick() -> None:
    """Queue what is due, at most every few seconds in this process; never raises."""
    global _next_tick
    if time.monotonic() < _next_tick:
        return
    _next_tick = time.monotonic() + TICK_SECONDS
    try:
        enqueue_due()
    except Exception:
        logger.exception("the clock could not be read")


def enqueue_due(now: datetime | None = None) -> int:
    """Queue every declared schedule whose moment has come; return how many.

    One that fails is on the list of failed rows and stops no other. Rivals may call it at the same
    time: each run is queued once.
    """
    moment = now or timezone.now()
    rows = _rows_by_name()
    started = 0
    for item in declared_schedules():
        found = rows.pop(item.name, [])
        if _can_wait(item, found, moment):
            continue
        start = partial(_start_if_due, item, found, moment)
        started += sum(SCHEDULES.parts(**{item.name: start}).values())
    _refuse(row for left in rows.values() for row in left)
    return started


def sync_schedules() -> None:
    """Make the rows equal to the declarations, without a report: a new release changes them."""
    rows, moment = _rows_by_name(), timezone.now()
    for item in declared_schedules():
        _put_right(item, rows.pop(item.name, []), moment, silent=True)
    gone = [
        row.pk
        for name, left in rows.items()
        for row in left
        if name.partition(".")[0] in settings.ATALAYA_APPS
    ]
    Row.objects.filter(pk__in=gone).delete()


def is_declared(row: Row) -> bool:
    """Return True when the row says just what an app declares."""
    return any(
        item.name == row.name and not _differences(item, row) for item in declared_schedules()
    )


def _rows_by_name() -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for row in Row.objects.order_by("id"):
        rows.setdefault(row.name or "", []).append(row)
    return rows


def _can_wait(item: Schedule, rows: list[Row], now: datetime) -> bool:
    """Return True when nothing is due and nothing is wrong, so that no transaction is needed."""
    if len(rows) != 1 or rows[0].next_run is None or _differences(item, rows[0]):
        return False
    return now < rows[0].next_run <= _following(item, now, now)


def _start_if_due(item: Schedule, rows: list[Row], now: datetime) -> int:
    row = _put_right(item, rows, now)
    if row.next_run is None or row.next_run > now:
        return 0
    # The moment as it was read is the claim: of several rivals one changes it.
    claimed = Row.objects.filter(pk=row.pk, next_run=row.next_run).update(
        next_run=_following(item, row.next_run, now)
    )
    if claimed:
        task_id = push(item.task, "", "", (), cluster=item.cluster)
        Row.objects.filter(pk=row.pk).update(task=task_id)
        logger.info("schedule started", extra={"task": item.name})
    return claimed


def _wanted(item: Schedule) -> dict[str, Any]:
    return {
        # Through the runner, so that what the clock starts carries an id too.
        "func": RUNNER,
        "args": repr((item.task, "", "")),
        "kwargs": None,
        "hook": None,
        "intended_date_kwarg": None,
        "cluster": None if item.cluster == DEFAULT_CLUSTER else item.cluster,
        "repeats": -1,
        "schedule_type": Row.CRON if item.cron else Row.MINUTES,
        "minutes": item.minutes,
        "cron": item.cron,
    }


def _differences(item: Schedule, row: Row) -> dict[str, Any]:
    wanted = _wanted(item)
    return {name: value for name, value in wanted.items() if getattr(row, name) != value}


def _put_right(item: Schedule, rows: list[Row], now: datetime, *, silent: bool = False) -> Row:
    """Return the declaration's one row; whatever differs is changed and reported."""
    if not rows:
        return Row.objects.create(name=item.name, **_wanted(item), next_run=_start(item, now))
    row, *doubles = rows
    changes = _differences(item, row)
    latest = _following(item, now, now)
    if row.next_run is None or row.next_run > latest:
        changes["next_run"] = latest
    if changes:
        said = ", ".join(f"{name}={getattr(row, name)!r}" for name in sorted(changes))
        Row.objects.filter(pk=row.pk).update(**changes)
        for name, value in changes.items():
            setattr(row, name, value)
        if not silent:
            task_records.report("repair", item.name, said)
    # Two processes that found none may each have made one.
    twins = [double.pk for double in doubles if not _differences(item, double)]
    Row.objects.filter(pk__in=twins).delete()
    _refuse(double for double in doubles if double.pk not in twins)
    return row


def _start(item: Schedule, now: datetime) -> datetime:
    return _following(item, now, now) if item.cron else now


def _following(item: Schedule, previous: datetime, now: datetime) -> datetime:
    """Return the first moment after now: in step with the previous one, or by cron."""
    if item.cron or item.minutes is None:
        return croniter(item.cron, localtime(now)).get_next(datetime)
    step = timedelta(minutes=item.minutes)
    missed = max(0, (now - previous) // step)
    return previous + step * (missed + 1)


def _refuse(rows: Iterable[Row]) -> None:
    """Mark rows without a declaration so that they are reported once; they never run anyway."""
    for row in rows:
        if Row.objects.filter(pk=row.pk).exclude(repeats=0).update(repeats=0):
            reason = f"func={row.func!r} args={row.args!r} kwargs={row.kwargs!r} hook={row.hook!r}"
            task_records.report("schedule", row.name or f"#{row.pk}", reason[:1000])
