"""Alerts: something needs a human; it is reported once while it lasts."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.display import display_name
from systemadmin.foundation.models import TimestampedModel
from systemadmin.foundation.outbox import OutboxModel
from systemadmin.foundation.parsing import is_whole_number
from systemadmin.foundation.texts import filled


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
    # What stands in the places of summary and detail, which are texts of the catalogue.
    facts = models.JSONField(_("facts"), default=dict, blank=True)
    count = models.PositiveIntegerField(_("times"), default=1)
    last_seen_at = models.DateTimeField(_("last seen at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("acknowledged by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    note = models.TextField(_("note"), blank=True)
    # The state last sent to the channels; empty until the first notice is composed.
    told_status = models.CharField(_("told status"), max_length=15, blank=True)
    told_at = models.DateTimeField(_("told at"), null=True, blank=True)

    # Whom it is about, and that account's page, as far as the reader may see them:
    # `alert_words.name_accounts` reads them.
    account: Any = None
    account_page = ""

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
        indexes = [
            models.Index(fields=["status", "-id"], name="alert_status"),
            # What the channels were not sent yet: read by the composer every few seconds.
            models.Index(fields=["told_status", "status"], name="alert_untold"),
        ]

    def __str__(self) -> str:
        return self.headline

    @property
    def headline(self) -> str:
        """The summary in the language of whoever reads it, with the account's name if known."""
        if self.account is None or "account" not in self.facts:
            return filled(self.summary, self.facts)
        return filled(self.summary, self.facts | {"account": display_name(self.account)})

    @property
    def account_id(self) -> int | None:
        """The account that its key names."""
        kind, _colon, number = self.key.partition(":")
        return int(number) if kind == "account" and is_whole_number(number) else None

    @property
    def explanation(self) -> str:
        """The detail in the language of whoever reads it."""
        return filled(self.detail, self.facts)


class AlertRule(TimestampedModel):
    """A threshold on a metric: fires after it held for `for_seconds`."""

    class Comparison(models.TextChoices):
        ABOVE = "above", _("above")
        BELOW = "below", _("below")

    code = models.CharField(_("code"), max_length=100, unique=True)
    title = models.CharField(_("title"), max_length=200)
    metric = models.CharField(_("metric"), max_length=100)
    comparison = models.CharField(
        _("comparison"), max_length=5, choices=Comparison.choices, default=Comparison.ABOVE
    )
    threshold = models.FloatField(_("threshold"))
    # Recovery needs to pass this one, so that a value at the edge does not flap.
    recovery_threshold = models.FloatField(_("recovery threshold"), null=True, blank=True)
    for_seconds = models.PositiveIntegerField(_("for seconds"), default=60)
    severity = models.CharField(
        _("severity"),
        max_length=10,
        choices=Alert.Severity.choices,
        default=Alert.Severity.WARNING,
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    breached_since = models.DateTimeField(_("breached since"), null=True, blank=True)
    last_value = models.FloatField(_("last value"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert rule")
        verbose_name_plural = _("alert rules")
        ordering = ["code"]

    def __str__(self) -> str:
        return gettext(self.title)


class AlertSilence(models.Model):
    """No notices of these alerts are sent until then; they are still recorded."""

    rule = models.CharField(_("rule"), max_length=100, blank=True, help_text=_("Empty: all."))
    key = models.CharField(_("subject"), max_length=200, blank=True, help_text=_("Empty: all."))
    until = models.DateTimeField(_("until"))
    reason = models.CharField(_("reason"), max_length=300)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("alert silence")
        verbose_name_plural = _("alert silences")
        ordering = ["-id"]
        indexes = [models.Index(fields=["until"], name="alert_silence_until")]

    def __str__(self) -> str:
        return f"{self.rule or '*'} {self.key or '*'}"


class AlertNotice(OutboxModel):
    """Outbox: one message to one channel, about one or several alerts."""

    channel = models.CharField(_("channel"), max_length=50)
    text = models.TextField(_("text"))
    alerts = models.ManyToManyField(Alert, verbose_name=_("alerts"), related_name="notices")

    class Meta:
        verbose_name = _("alert notice")
        verbose_name_plural = _("alert delivery log")
        ordering = ["-id"]
        indexes = [models.Index(fields=["status", "next_attempt_at"], name="alert_notice_due")]

    def __str__(self) -> str:
        return f"{self.channel} {self.status}"
