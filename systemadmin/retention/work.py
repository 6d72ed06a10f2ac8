"""What is kept of the queue, its batches, roles and sizes of tables."""

from datetime import timedelta

from django.db.models import Q

from systemadmin.foundation.retention import Elsewhere, Rows, Span, Table
from systemadmin.services.batch_failures import KEEP_GIVEN_UP, KEEP_WAITING

WITH_ROLE = "as long as the role or permission that it belongs to"

WORK = [
    Table(
        model="systemadmin.BatchFailure",
        holds="rows that a batch could not handle, with the error",
        purpose="trying again, by itself or by hand",
        rules=[
            Rows(
                name="failed_rows_waiting",
                span=Span(fixed=KEEP_WAITING),
                moment="last_failed_at",
                where=Q(given_up_at__isnull=True),
            ),
            Rows(
                name="failed_rows_given_up",
                span=Span(fixed=KEEP_GIVEN_UP),
                moment="given_up_at",
            ),
        ],
    ),
    Table(
        model="systemadmin.Heartbeat",
        holds="signs of life of processes",
        purpose="alerting when workers stand still",
        rules=[
            Elsewhere(
                name="heartbeats",
                span=Span(fixed=timedelta(days=1)),
                schedule="systemadmin.heartbeat",
                says="deleted every minute",
            )
        ],
    ),
    Table(
        model="systemadmin.RequestMinute",
        holds="numbers of requests per minute and process",
        purpose="response times on the status page",
        rules=[
            Elsewhere(
                name="request_minutes",
                span=Span(fixed=timedelta(days=1)),
                schedule="systemadmin.heartbeat",
                says="deleted every minute",
            )
        ],
    ),
    Table(
        model="systemadmin.TaskAttempt",
        holds="tasks that keep killing their worker",
        purpose="setting them aside",
        rules=[
            Rows(name="task_attempts", span=Span(fixed=timedelta(days=90)), moment="started_at")
        ],
    ),
    Table(
        model="systemadmin.TaskLease",
        holds="which worker holds which task",
        purpose="a dead worker's tasks come back",
        kept="while the task is in the queue",
    ),
    Table(
        model="django_q.OrmQ",
        holds="tasks that wait, signed",
        purpose="the queue",
        kept="until the task is done",
    ),
    Table(
        model="django_q.Schedule",
        holds="when each schedule runs next",
        purpose="work by the clock",
        kept="as long as the schedule is declared",
    ),
    Table(
        model="django_q.Task",
        holds="records of finished tasks with their arguments",
        purpose="finding out why a task failed",
        rules=[
            Rows(
                name="finished_tasks",
                span=Span(setting="retention.finished_task_days"),
                moment="stopped",
                where=Q(success=True),
            ),
            Rows(
                name="failed_tasks",
                span=Span(setting="retention.failed_task_days"),
                moment="stopped",
                where=Q(success=False),
            ),
        ],
    ),
    Table(
        model="systemadmin.PruningState",
        holds="the last run of each retention rule",
        purpose="the retention page",
        kept="as long as the rule: one row each",
    ),
    Table(
        model="systemadmin.TableSample",
        holds="how many rows each table held on a day",
        purpose="growth on the retention page",
        rules=[
            Rows(
                name="table_sizes",
                span=Span(setting="retention.table_size_days"),
                moment="day",
            )
        ],
    ),
    Table(
        model="systemadmin.PrunedFile",
        holds="names of files whose rows are gone",
        purpose="deleting the file after its row, even when the process is killed between",
        kept="until the file is deleted: the same night",
    ),
    Table(
        table="cache_entries",
        holds="cached figures and counters of rate limits",
        purpose="speed; with Redis it is empty",
        kept="until it expires: each write removes what has expired",
    ),
    Table(
        table="django_migrations",
        holds="applied changes of the schema",
        purpose="Django",
        kept="as long as the schema",
    ),
    Table(
        model="contenttypes.ContentType",
        holds="names of the models",
        purpose="Django's permissions",
        kept="as long as the model",
    ),
    Table(model="auth.Permission", holds="permissions", purpose="rights", kept=WITH_ROLE),
    Table(model="auth.Group", holds="roles", purpose="rights", kept="until staff delete it"),
    Table(
        model="auth.Group_permissions",
        holds="permissions of roles",
        purpose="rights",
        kept=WITH_ROLE,
    ),
]
