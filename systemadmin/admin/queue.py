"""The queue in the admin: what runs and waits, what failed, and what runs by the clock."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation import queue, scheduler
from systemadmin.foundation.admin import ServiceModelAdmin, form_action
from systemadmin.foundation.admin.actions import ConfirmForm
from systemadmin.foundation.caller import caller
from systemadmin.services.queued_tasks import (
    delete_failed_task,
    delete_schedule,
    drop_waiting_task,
    retry_task,
)


class StateFilter(admin.SimpleListFilter):
    """Waiting, or in the hands of a worker."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("Waiting")), ("running", _("Running"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "waiting":
            return queryset.filter(lock__lte=timezone.now())
        if self.value() == "running":
            return queryset.filter(lock__gt=timezone.now())
        return queryset


@admin.register(queue.QueuedTask)
class QueuedTaskAdmin(ServiceModelAdmin):
    """What waits and what runs, the oldest first."""

    list_display = ["id", "task_shown", "state", "key", "since"]
    list_filter = [StateFilter, "key"]
    ordering = ["id"]
    fields = ["task_shown", "arguments_shown", "state", "key", "since"]
    readonly_fields: Any = fields

    @admin.display(description=_("task"))
    def task_shown(self, row: Any) -> str:
        """Return the name of the task's function."""
        return queue.summary_of(row)["task"]

    @admin.display(description=_("arguments"))
    def arguments_shown(self, row: Any) -> str:
        """Return the arguments of the task."""
        return str(queue.summary_of(row).get("args", "-"))

    @admin.display(description=_("state"))
    def state(self, row: Any) -> Any:
        """Return whether it waits or runs."""
        return _("Running") if _is_taken(row) else _("Waiting")

    @admin.display(description=_("waiting since"), ordering="lock")
    def since(self, row: Any) -> Any:
        """Since when it waits; a running one shows none."""
        return None if _is_taken(row) else row.lock

    def remove(self, actor: Any, obj: Any) -> None:
        """Take it off the queue."""
        drop_waiting_task(actor=actor, row=obj)


def _is_taken(row: Any) -> bool:
    return row.lock is not None and row.lock > timezone.now()


@admin.register(queue.FailedTask)
class FailedTaskAdmin(ServiceModelAdmin):
    """What failed, the latest first."""

    list_display = ["task_shown", "error", "stopped", "attempt_count", "cluster"]
    list_filter = ["cluster"]
    search_fields = ["name__istartswith"]
    ordering = ["-stopped"]
    fields = ["task_shown", "arguments_shown", "error_shown", "started", "stopped"]
    readonly_fields: Any = fields
    actions = ["retry"]

    @admin.display(description=_("task"), ordering="name")
    def task_shown(self, task: Any) -> str:
        """Return the name of the task's function."""
        return task.name

    @admin.display(description=_("error"))
    def error(self, task: Any) -> str:
        """Return what it said, in a line."""
        return truncatechars(str(task.result).partition(" : Traceback")[0], 150)

    @admin.display(description=_("error"))
    def error_shown(self, task: Any) -> str:
        """Return the whole error of the failed task."""
        return str(task.result)

    @admin.display(description=_("arguments"))
    def arguments_shown(self, task: Any) -> str:
        """Return the arguments of the task."""
        return str(task.args)

    @form_action(description=_("Run again"), perm="django_q.change_failure", form=ConfirmForm)
    def retry(self, request: HttpRequest, obj: Any, data: dict[str, Any]) -> None:
        """Queue it again, in place of this record."""
        retry_task(actor=caller(request), task=obj)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete the record of the failed task."""
        delete_failed_task(actor=actor, task=obj)


@admin.register(queue.ScheduleRow)
class ScheduleAdmin(ServiceModelAdmin):
    """What runs by the clock, the next first; the code declares it, and nothing here changes it."""

    list_display = ["name", "rhythm", "cluster_shown", "next_run", "is_declared"]
    ordering = ["next_run"]
    fields = ["name", "func", "args", "rhythm", "cluster_shown", "next_run", "is_declared"]
    readonly_fields: Any = fields

    @admin.display(description=_("rhythm"))
    def rhythm(self, row: Any) -> str:
        """Return how often the schedule runs."""
        return row.cron or _("every %(count)s min") % {"count": row.minutes}

    @admin.display(description=_("workers"))
    def cluster_shown(self, row: Any) -> str:
        """Return the cluster of workers that runs the task."""
        return row.cluster or queue.DEFAULT_CLUSTER

    @admin.display(description=_("of the release"), boolean=True)
    def is_declared(self, row: Any) -> bool:
        """Return whether the code declares it so; what it does not declare never runs."""
        return scheduler.is_declared(row)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete a row that no app declares."""
        delete_schedule(actor=actor, row=obj)
