"""Rules that look for anomalies, what they found, and what staff made of it."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from riskops.anomalies.querysets import (
    AnomalyExemptionQuerySet,
    AnomalyQuerySet,
    AnomalyRuleQuerySet,
)
from riskops.anomalies.rules import Detector
from systemadmin.foundation.models import TimestampedModel, VersionedModel


class Severity(models.TextChoices):
    LOW = "low", _("Low")
    MEDIUM = "medium", _("Medium")
    HIGH = "high", _("High")
    CRITICAL = "critical", _("Critical")


class AutomaticAction(models.TextChoices):
    NONE = "none", _("None")
    ALERT = "alert", _("Raise an alert")
    SUSPEND = "suspend", _("Suspend the account")


class AnomalyStatus(models.TextChoices):
    OPEN = "open", _("Open")
    RESOLVED = "resolved", _("Resolved")


class Outcome(models.TextChoices):
    CONFIRMED = "confirmed", _("Confirmed")
    VALUABLE = "valuable", _("Valuable, but no harm done")
    FALSE_POSITIVE = "false_positive", _("False positive")
    EXPECTED = "expected", _("Expected behaviour")


class AnomalyRule(VersionedModel):
    """One detector with its parameters, severity and automatic action."""

    code = models.SlugField(_("code"), max_length=48, unique=True)
    detector = models.CharField(_("detector"), max_length=32, choices=Detector.choices())
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    severity = models.CharField(
        _("severity"), max_length=8, choices=Severity, default=Severity.MEDIUM
    )
    action = models.CharField(
        _("automatic action"),
        max_length=8,
        choices=AutomaticAction,
        default=AutomaticAction.NONE,
    )
    points = models.PositiveSmallIntegerField(
        _("points"),
        default=10,
        validators=[MaxValueValidator(100)],
        help_text=_("What an open or confirmed anomaly adds to the score of its account."),
    )
    is_enabled = models.BooleanField(_("on"), default=True)

    objects = AnomalyRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("anomaly rule")
        verbose_name_plural = _("anomaly rules")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class Anomaly(VersionedModel):
    """Something unusual about an account; one open row a rule and account."""

    rule = models.ForeignKey(
        AnomalyRule, on_delete=models.PROTECT, related_name="anomalies", verbose_name=_("rule")
    )
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="anomalies",
        verbose_name=_("account"),
    )
    status = models.CharField(
        _("status"), max_length=8, choices=AnomalyStatus, default=AnomalyStatus.OPEN
    )
    severity = models.CharField(_("severity"), max_length=8, choices=Severity)
    hits = models.PositiveIntegerField(_("hits"), default=0)
    first_hit_at = models.DateTimeField(_("first hit"))
    last_hit_at = models.DateTimeField(_("last hit"))
    detected_at = models.DateTimeField(_("detected at"), default=timezone.now)
    # What was seen at the latest hit.
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, blank=True)
    note = models.TextField(_("note"), max_length=1000, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("resolved by"),
    )
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)

    objects = AnomalyQuerySet.as_manager()

    class Meta:
        verbose_name = _("anomaly")
        verbose_name_plural = _("anomalies")
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "account"],
                condition=Q(status=AnomalyStatus.OPEN),
                name="riskops_anomaly_one_open",
                violation_error_message=_("This anomaly is already open."),
            ),
            models.CheckConstraint(
                condition=Q(status=AnomalyStatus.OPEN, outcome="", resolved_at__isnull=True)
                | (Q(status=AnomalyStatus.RESOLVED, resolved_at__isnull=False) & ~Q(outcome="")),
                name="riskops_anomaly_resolved_has_outcome",
                violation_error_message=_("A resolved anomaly has an outcome and a moment."),
            ),
        ]
        indexes = [
            # The analyst's list, newest first, over all and by status.
            models.Index(fields=["-detected_at", "-id"], name="riskops_anomaly_newest"),
            models.Index(fields=["status", "-detected_at", "-id"], name="riskops_anomaly_status"),
            # Precision of each rule.
            models.Index(
                fields=["rule", "outcome"],
                condition=Q(status=AnomalyStatus.RESOLVED),
                name="riskops_anomaly_outcomes",
            ),
        ]
        permissions = [("resolve_anomaly", _("Can resolve an anomaly"))]

    def __str__(self) -> str:
        return f"{self.rule} · {self.account}"


class AnomalyHit(models.Model):
    """One hit of a rule; its key is unique, so that a hit is recorded once."""

    anomaly = models.ForeignKey(
        Anomaly, on_delete=models.CASCADE, related_name="hit_rows", verbose_name=_("anomaly")
    )
    rule = models.ForeignKey(
        AnomalyRule,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        verbose_name=_("rule"),
    )
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        verbose_name=_("account"),
    )
    key = models.CharField(_("key"), max_length=64)
    at = models.DateTimeField(_("at"))
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)

    class Meta:
        verbose_name = _("hit of a rule")
        verbose_name_plural = _("hits of rules")
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "account", "key"],
                name="riskops_hit_once",
                violation_error_message=_("This hit is already counted."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}: {self.account_id} {self.key}"


class AnomalyExemption(TimestampedModel):
    """An account that a rule leaves alone, for a reason and a while."""

    rule = models.ForeignKey(
        AnomalyRule, on_delete=models.CASCADE, related_name="exemptions", verbose_name=_("rule")
    )
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="anomaly_exemptions",
        verbose_name=_("account"),
    )
    reason = models.CharField(_("reason"), max_length=400)
    expires_at = models.DateTimeField(_("expires at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )

    objects = AnomalyExemptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("exemption from a rule")
        verbose_name_plural = _("exemptions from rules")
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "account"],
                name="riskops_exemption_once",
                violation_error_message=_("This account is already exempt from the rule."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}: {self.account_id}"


class DetectionMark(models.Model):
    """How far detection has read the event log."""

    name = models.CharField(_("name"), max_length=32, primary_key=True)
    event_id = models.BigIntegerField(_("last event read"), default=0)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("mark of detection")
        verbose_name_plural = _("marks of detection")

    def __str__(self) -> str:
        return f"{self.name}: {self.event_id}"
