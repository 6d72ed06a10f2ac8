"""Refusals about tasks, schedules, notices, the event log and the audit trail."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import DomainError, RuleViolation


class AuditVerificationRunning(RuleViolation):
    """One verification of the audit trail at a time."""

    code = "audit_verification_running"
    default_detail = _("The audit trail is being verified already.")


class NotificationNotFailed(RuleViolation):
    """Only what was given up is sent again."""

    code = "notification_not_failed"
    default_detail = _("It was sent already, or is still waiting to be sent.")


class TaskCannotRun(RuleViolation):
    """It is no registered task, or its arguments do not fit."""

    code = "task_cannot_run"


class TaskIsRunning(RuleViolation):
    """The task cannot be deleted while a worker runs it."""

    code = "task_is_running"
    default_detail = _("A worker is running this task.")


class ScheduleIsDeclared(RuleViolation):
    """The code says that it runs; the row would come back."""

    code = "schedule_is_declared"
    default_detail = _("This schedule belongs to the release and cannot be deleted.")


class EventsGone(DomainError):
    """410: the events after this number were deleted at the end of their retention."""

    status = 410
    code = "events_gone"
    title = _(
        "The events after this number are past their retention. Read the current state instead."
    )
