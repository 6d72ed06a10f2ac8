"""The only door to django-q2: enqueue inside a transaction, run with its cause.

The broker is the database, so a task enqueued inside `atomic()` exists exactly when
the change that asked for it does (a transactional outbox for free). Arguments must be
JSON-able: payloads are stored, and a secret in one would be stored too.
"""

import json
import logging
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.dispatch import receiver
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import Failure, OrmQ, Schedule, Task
from django_q.signals import pre_execute

from systemadmin.foundation import scheduler
from systemadmin.foundation.context import context, current, new_request_id
from systemadmin.foundation.hard_maintenance import database_replaced_at, hard_state
from systemadmin.foundation.maintenance import queue_is_paused
from systemadmin.foundation.processes import end_with_parent, unique_name
from systemadmin.foundation.signs_of_life import send_sign_of_life
from systemadmin.foundation.task_packages import (
    DEFAULT_CLUSTER,
    RUNNER,
    open_package,
    push,
    runner_args,
)
from systemadmin.foundation.task_records import refuse_row, report
from systemadmin.foundation.task_registry import RefusedTask, checked

# For whoever reads or changes these rows; no other module knows django-q2.
FailedTask, QueuedTask, ScheduleRow = Failure, OrmQ, Schedule

logger = logging.getLogger("atalaya.queue")


# Rows of a paused queue that one look for urgent ones opens.
_OPENED_AT_ONCE = 500


class PausableBroker(ORM):
    """django-q2's database broker with leases; while the queue is paused, for urgent tasks alone.

    The sentinel of a cluster (the process that watches its workers) saves its state through here
    twice a second; that is where it leaves its heartbeat and starts what is due by the clock.
    """

    # The last row of a paused queue that was opened and waits for the end of the pause.
    _passed_over = 0

    def dequeue(self) -> list[tuple[int, str]]:
        """Return tasks to run, or nothing after a poll's wait."""
        if hard_state() is not None:
            time.sleep(Conf.POLL)
            return []
        if queue_is_paused():
            rows = self._urgent()
        else:
            self._passed_over = 0
            rows = list(self._waiting()[: Conf.BULK])
        if not rows:
            time.sleep(Conf.POLL)
        taken = [(row.pk, row.payload) for row in rows if self._take(row)]
        return [row for row in taken if _is_ours(*row)]

    def _waiting(self) -> QuerySet[OrmQ]:
        waiting = self.get_connection().filter(key=self.list_key, lock__lt=timezone.now())
        found: QuerySet[OrmQ] = waiting.order_by("id")
        return found

    def _urgent(self) -> list[OrmQ]:
        """Return the next urgent row; each other row is opened once per pause."""
        for row in self._waiting().filter(pk__gt=self._passed_over)[:_OPENED_AT_ONCE]:
            if _is_urgent(row.payload):
                return [row]
            self._passed_over = row.pk
        return []

    def _take(self, row: OrmQ) -> bool:
        with transaction.atomic():
            mine = self.get_connection().filter(pk=row.pk, lock=row.lock)
            taken = bool(mine.update(lock=self.timeout(row)))
            if taken:
                _guard().took(row.pk, cluster=self.list_key, holder=_sentinel_name)
        return taken

    def delete(self, task_id: int) -> None:
        """Remove a task that ended, with its lease."""
        super().delete(task_id)
        _guard().ended(task_id)

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Store the cluster's state; in the sentinel, a heartbeat with it."""
        global _sentinel_name
        if not _sentinel_name:
            _sentinel_name = unique_name()
            end_with_parent(signal.SIGTERM)
        send_sign_of_life()
        super().set_stat(key, value, timeout)
        workers = [child.pid for child in multiprocessing.active_children() if child.pid]
        _guard().tick(self.list_key, _sentinel_name, workers, Conf.WORKERS)
        if hard_state() is None and not queue_is_paused():
            # Here and not where tasks are taken: that waits while every worker is busy.
            scheduler.tick()


# The name of the sentinel that this process is, or was forked by.
_sentinel_name = ""
_task_in_hand = 0


def _after_fork() -> None:
    """Let no child outlive its sentinel: it would hold tasks that nobody waits for."""
    if _sentinel_name:
        end_with_parent()


os.register_at_fork(after_in_child=_after_fork)


def _guard() -> Any:
    return import_module(settings.TASK_GUARD)


@receiver(pre_execute)
def _note_start(sender: Any, task: dict[str, Any], **_kwargs: Any) -> None:
    global _task_in_hand
    _task_in_hand = task.get("ack_id") or 0
    if _task_in_hand:
        try:
            _guard().started(_task_in_hand, os.getpid())
        except DatabaseError:
            # The worker would end; without the note the task only waits longer if it dies.
            logger.warning("the start of a task could not be noted", exc_info=True)


def _is_urgent(payload: str) -> bool:
    """Return whether a task runs although the queue is paused."""
    try:
        return open_package(payload).path in settings.URGENT_TASKS
    except RefusedTask:
        return False


def _is_ours(row_id: int, payload: str) -> bool:
    """Return True for a task that may run; any other is taken off the queue and reported."""
    try:
        open_package(payload)
    except RefusedTask as refusal:
        refuse_row(row_id, f"queue row {row_id}", str(refusal))
        _guard().ended(row_id)
        return False
    return True


CLOSED_POLL_SECONDS = 0.5
LONG_CLUSTER = "long"


def path_of(task: Callable[..., Any] | str) -> str:
    """Return the dotted path under which a worker finds `task`."""
    if isinstance(task, str):
        return task
    return f"{task.__module__}.{task.__qualname__}"


def failures_since(moment: datetime) -> int:
    """Return how many tasks failed since the moment."""
    return Task.objects.filter(success=False, stopped__gte=moment).count()


def oldest_waiting() -> datetime | None:
    """Return since when the oldest task waits, or None.

    A waiting row's lock is the moment it was queued; one in the future is being worked on.
    """
    waiting = OrmQ.objects.filter(lock__lte=timezone.now()).order_by("lock").first()
    return waiting.lock if waiting else None


def enqueue(task: Callable[..., Any] | str, *args: Any, cluster: str = DEFAULT_CLUSTER) -> str:
    """Queue `task(*args)` and return the task's id; commits with the transaction.

    Raises `TypeError` when an argument is not JSON-able and `RefusedTask` when the function is
    not one of the apps' `tasks.py` or does not take these arguments.
    """
    json.dumps(args)
    request_id = current().request_id or new_request_id()
    return push(path_of(task), request_id, uuid.uuid4().hex, args, cluster=cluster)


def run_task(path: str, request_id: str, key: str, *args: Any) -> Any:
    """Run one queued task with its caller's request id in force (called by workers).

    `key` names this task over its attempts; empty for work that the clock starts.
    """
    with context(source="task", path=path, request_id=request_id):
        if not _may_run():
            logger.warning("task dropped: its database was replaced", extra={"task": path})
            return None
        guard = _guard()
        # Work that the clock starts has no key; the row in the queue is the same at every try.
        key = key or (f"queue-{_task_in_hand}" if _task_in_hand else "")
        if key and not guard.begin(key, path):
            logger.error("task is quarantined", extra={"task": path})
            return None
        logger.info("task started", extra={"task": path})
        try:
            return _registered(path, args)(*args)
        finally:
            if key:
                guard.end(key)
            if _task_in_hand:
                guard.finished(_task_in_hand)
            logger.info("task ended", extra={"task": path})


def _registered(path: str, args: Sequence[Any]) -> Callable[..., Any]:
    """Return the task's function; one that may not run is reported, and fails."""
    try:
        return checked(path, args)
    except RefusedTask as refusal:
        report("task", path[:100], str(refusal))
        raise


def _may_run() -> bool:
    """Wait for hard maintenance to end; False if the database was replaced since then.

    The worker took the task before the closing; its row may be in no database any more.
    """
    taken = time.time()
    while hard_state() is not None:
        time.sleep(CLOSED_POLL_SECONDS)
    return database_replaced_at() < taken


def drain(limit: int = 1000) -> int:
    """Run everything queued in this process and return how many ran (tests, commands).

    A failing task raises to the caller.
    """
    ran = 0
    while ran < limit:
        with transaction.atomic():
            row = OrmQ.objects.order_by("id").first()
            if row is None:
                return ran
            package = open_package(row.payload)
            row.delete()
        run_task(package.path, package.request_id, package.key, *package.args)
        ran += 1
    return ran


def forget_all() -> int:
    """Drop every waiting task (of a restored database) and return how many there were."""
    count, _by_model = OrmQ.objects.all().delete()
    return count


def depth() -> int:
    """Return how many tasks wait, over all clusters."""
    return OrmQ.objects.count()


def cluster_names() -> list[str]:
    """Return the clusters that workers must serve: all that are configured."""
    return [settings.Q_CLUSTER["name"], *settings.Q_CLUSTER.get("ALT_CLUSTERS", {})]


def make_due(queue_id: int) -> None:
    """Have a task taken again at once whose worker died."""
    OrmQ.objects.filter(pk=queue_id).update(lock=timezone.now() - timedelta(seconds=1))


def forget(queue_id: int) -> None:
    """Drop a task that was done though nobody noted it."""
    OrmQ.objects.filter(pk=queue_id).delete()


# -- for the pages of the queue ------------------------------------------------------


def arguments_of(task: Task) -> tuple[str, str, str, tuple[Any, ...]]:
    """Return path, request id, key and arguments of a finished task; raises `RefusedTask`."""
    if task.func != RUNNER:
        raise RefusedTask(f"not a registered task: {task.func!r}"[:300])
    return runner_args(task.args)


def summary_of(row: OrmQ) -> dict[str, Any]:
    """Return the task and the arguments of a row of the queue; a refused one says so."""
    try:
        package = open_package(row.payload)
    except RefusedTask as refusal:
        return {"task": f"({refusal})"}
    return {"task": package.path, "args": list(package.args)}
