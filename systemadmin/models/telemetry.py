"""What processes leave behind for the status page: heartbeats, requests by the minute."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """A process that lives, as of its last sign."""

    class Kind(models.TextChoices):
        WEB = "web", _("Web")
        WORKER = "worker", _("Worker")
        CLUSTER = "cluster", _("Cluster of workers")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=100, help_text=_("Host and process id."))
    started_at = models.DateTimeField(_("started at"))
    last_seen_at = models.DateTimeField(_("last seen at"))
    cluster = models.CharField(_("cluster"), max_length=100, blank=True)
    workers = models.JSONField(
        _("workers"), default=list, blank=True, help_text=_("Process ids that the cluster watches.")
    )

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "name"],
                name="systemadmin_heartbeat_one_per_process",
                violation_error_message=_("This process is already known."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class RequestMinute(models.Model):
    """Requests that one process answered in one minute; a histogram for the percentile."""

    minute = models.DateTimeField(_("minute"))
    process = models.CharField(_("process"), max_length=100)
    requests = models.PositiveIntegerField(_("requests"), default=0)
    errors = models.PositiveIntegerField(_("errors"), default=0)
    total_ms = models.FloatField(_("total milliseconds"), default=0)
    histogram = models.JSONField(_("histogram"), default=dict)

    class Meta:
        verbose_name = _("minute of requests")
        verbose_name_plural = _("minutes of requests")
        constraints = [
            models.UniqueConstraint(
                fields=["minute", "process"],
                name="systemadmin_request_minute_one_per_process",
                violation_error_message=_("This minute is already recorded."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M} {self.process}"


class TaskAttempt(models.Model):
    """A queued task that was started and has not ended: what counts a killer of workers."""

    key = models.CharField(_("key"), max_length=64, primary_key=True)
    path = models.CharField(_("task"), max_length=200)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    started_at = models.DateTimeField(_("started at"))
    quarantined_at = models.DateTimeField(_("quarantined at"), null=True, blank=True)

    class Meta:
        verbose_name = _("task attempt")
        verbose_name_plural = _("task attempts")

    def __str__(self) -> str:
        return f"{self.path} x{self.attempts}"


class TaskLease(models.Model):
    """Who holds a task of the queue: a cluster that took it, then one of its workers."""

    queue_id = models.BigIntegerField(_("row in the queue"), primary_key=True)
    cluster = models.CharField(_("cluster"), max_length=100)
    holder = models.CharField(_("holder"), max_length=100)
    taken_at = models.DateTimeField(_("taken at"))
    worker = models.PositiveIntegerField(_("worker"), null=True, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("task in hand")
        verbose_name_plural = _("tasks in hand")

    def __str__(self) -> str:
        return f"{self.queue_id} {self.holder}"
