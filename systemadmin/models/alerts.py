"""Alerts: something needs a human, told once while it lasts."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import TimestampedModel


class Alert(TimestampedModel):
    """One occurrence of a rule for one subject, from firing to resolution."""

    class Severity(models.TextChoices):
        INFO = "info", _("Information")
        WARNING = "warning", _("Warning")
        CRITICAL = "critical", _("Critical")

    class Status(models.TextChoices):
        FIRING = "firing", _("Firing")
        ACKNOWLEDGED = "acknowledged", _("Acknowledged")
        RESOLVED = "resolved", _("Resolved")

    rule = models.CharField(_("rule"), max_length=100)
    key = models.CharField(_("subject"), max_length=200, blank=True)
    severity = models.CharField(_("severity"), max_length=10, choices=Severity.choices)
    status = models.CharField(
        _("status"), max_length=15, choices=Status.choices, default=Status.FIRING
    )
    summary = models.CharField(_("summary"), max_length=300)
    detail = models.TextField(_("detail"), blank=True)
    count = models.PositiveIntegerField(_("times"), default=1)
    last_seen_at = models.DateTimeField(_("last seen at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        constraints = [
            # De-duplication: while one is open, further firings count up on it.
            models.UniqueConstraint(
                fields=["rule", "key"],
                condition=~Q(status="resolved"),
                name="systemadmin_alert_one_open_per_subject",
                violation_error_message=_("This alert is already open."),
            )
        ]
        # Open alerts, newest first: the admin home and the list's default.
        indexes = [models.Index(fields=["status", "-id"], name="alert_status")]

    def __str__(self) -> str:
        return self.summary
