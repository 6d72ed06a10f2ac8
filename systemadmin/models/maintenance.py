"""Windows in which the place is closed, wholly or to writing."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import TimestampedModel


class MaintenanceWindow(TimestampedModel):
    """One closing, now or scheduled; it always has an end."""

    class Mode(models.TextChoices):
        READ_ONLY = "read_only", _("Read-only")
        FULL = "full", _("Full")

    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices, default=Mode.FULL)
    starts_at = models.DateTimeField(_("starts at"))
    until = models.DateTimeField(_("until"))
    message_en = models.CharField(_("message in English"), max_length=500, blank=True)
    message_es = models.CharField(_("message in Spanish"), max_length=500, blank=True)
    pause_queue = models.BooleanField(_("pauses the queue"), default=False)
    owner = models.CharField(
        _("owner"), max_length=100, help_text=_("Who closed it: a person or a process.")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("maintenance window")
        verbose_name_plural = _("maintenance windows")
        ordering = ["-starts_at", "-id"]
        permissions = [("manage_maintenance", _("Can switch maintenance on and off"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(until__gt=F("starts_at")),
                name="systemadmin_maintenance_ends_after_it_starts",
                violation_error_message=_("The end must come after the start."),
            )
        ]
        # The open windows: a handful, read at every change of state.
        indexes = [
            models.Index(
                fields=["until"], name="maintenance_open", condition=Q(ended_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_mode_display()} {self.starts_at:%Y-%m-%d %H:%M}"
