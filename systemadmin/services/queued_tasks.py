"""What staff do about the queue: run a failed task again, take a task or a stray schedule off."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.errors import ScheduleIsDeclared, TaskCannotRun, TaskIsRunning
from systemadmin.foundation import queue, scheduler
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.task_registry import RefusedTask
from systemadmin.models import User


@transaction.atomic
def retry_task(*, actor: User, task: Any) -> str:
    """Queue a failed task again, in place of its record; return the new task's id.

    Raises `TaskCannotRun` for one that is no registered task (any more).
    """
    locked = lock_row(queue.FailedTask.objects.all(), pk=task.pk)
    try:
        path, _request_id, _key, args = queue.arguments_of(locked)
        new_id = queue.enqueue(path, *args, cluster=locked.cluster or queue.DEFAULT_CLUSTER)
    except (RefusedTask, TypeError) as refusal:
        raise TaskCannotRun(_("It cannot run: %(reason)s.") % {"reason": refusal}) from refusal
    audit.record(
        "systemadmin.task.retried",
        actor=actor,
        target=locked,
        before=_shown(locked),
        after={"task": new_id},
    )
    locked.delete()
    return new_id


@transaction.atomic
def delete_failed_task(*, actor: User, task: Any) -> None:
    """Delete the record of a failed task."""
    locked = lock_row(queue.FailedTask.objects.all(), pk=task.pk)
    audit.record("systemadmin.task.deleted", actor=actor, target=locked, before=_shown(locked))
    locked.delete()


@transaction.atomic
def drop_waiting_task(*, actor: User, row: Any) -> None:
    """Take a waiting task off the queue; raises `TaskIsRunning`."""
    locked = lock_row(queue.QueuedTask.objects.all(), pk=row.pk)
    if locked.lock is not None and locked.lock > timezone.now():
        raise TaskIsRunning
    audit.record(
        "systemadmin.task.dropped",
        actor=actor,
        target=locked,
        before={"cluster": locked.key, **queue.summary_of(locked)},
    )
    locked.delete()


@transaction.atomic
def delete_schedule(*, actor: User, row: Any) -> None:
    """Delete a row that no app declares; raises `ScheduleIsDeclared`."""
    locked = lock_row(queue.ScheduleRow.objects.all(), pk=row.pk)
    if any(item.name == locked.name for item in scheduler.declared_schedules()):
        raise ScheduleIsDeclared
    audit.record(
        "systemadmin.schedule.deleted",
        actor=actor,
        target=locked,
        before={"name": locked.name, "func": locked.func, "args": locked.args},
    )
    locked.delete()


def _shown(task: Any) -> dict[str, Any]:
    return {"name": task.name, "stopped": task.stopped, "result": str(task.result)[-500:]}
