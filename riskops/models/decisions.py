"""Decisions in the moment, the rules that make them, and the lists that rules ask."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from riskops.decisions.querysets import DecisionQuerySet, DecisionRuleQuerySet, ListEntryQuerySet
from riskops.event_kinds import EventKind
from riskops.models.rulesets import RiskRuleset
from riskops.models.scores import Level
from systemadmin.foundation.models import TimestampedModel, VersionedModel


class DecisionOutcome(models.TextChoices):
    """What whoever asks shall do, mildest first."""

    ALLOW = "allow", _("Allow")
    REVIEW = "review", _("Review")
    STEP_UP = "step_up", _("Step up")
    BLOCK = "block", _("Block")


class ListName(models.TextChoices):
    ALLOW = "allow", _("Allow list")
    DENY = "deny", _("Deny list")
    WATCH = "watch", _("Watch list")


class ListKind(models.TextChoices):
    """What an entry of a list names."""

    ACCOUNT = "account", _("Account")
    EMAIL = "email", _("E-mail address")
    DOMAIN = "domain", _("Domain of e-mail addresses")
    ADDRESS = "address", _("IP address or network")
    DEVICE = "device", _("Device")
    WALLET = "wallet", _("Wallet")
    CARD = "card", _("Card fingerprint")


class DecisionFeedback(models.TextChoices):
    """What became of a decision."""

    FRAUD = "fraud", _("It was fraud")
    LEGITIMATE = "legitimate", _("It was legitimate")
    PASSED = "passed", _("The step was passed")
    FAILED = "failed", _("The step was not passed")


class DecisionRule(VersionedModel):
    """When all conditions hold, the outcome; the first rule that matches decides."""

    code = models.SlugField(_("code"), max_length=48, unique=True)
    title = models.CharField(_("title"), max_length=120)
    # Codes of kinds of events; none means all.
    kinds = models.JSONField(_("of these events"), default=list, blank=True)
    # [{field, op, value, …}, …]: riskops/decisions/conditions.py.
    conditions = models.JSONField(_("conditions"), default=list, blank=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=DecisionOutcome)
    priority = models.PositiveSmallIntegerField(
        _("priority"),
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("Rules are asked from the smallest number on; the first that matches decides."),
    )
    is_shadow = models.BooleanField(
        _("shadow mode"),
        default=True,
        help_text=_("What it would decide is only written down."),
    )
    is_enabled = models.BooleanField(_("on"), default=True)

    objects = DecisionRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("decision rule")
        verbose_name_plural = _("decision rules")
        ordering = ["priority", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(priority__gte=1, priority__lte=1000),
                name="riskops_decisionrule_priority_to_1000",
                violation_error_message=_("A priority lies between 1 and 1000."),
            ),
        ]

    def __str__(self) -> str:
        # The titles of shipped rules are texts of the catalogue.
        return gettext(self.title)


class ListEntry(TimestampedModel):
    """Something that is on the allow, deny or watch list until it expires."""

    list = models.CharField(_("list"), max_length=8, choices=ListName)
    kind = models.CharField(_("kind"), max_length=8, choices=ListKind)
    # In its one spelling, as the ingest of events writes it; of an account its id.
    value = models.CharField(_("value"), max_length=255)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("account"),
    )
    reason = models.CharField(_("reason"), max_length=200)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("created by"),
    )

    personal_fields = ("value",)
    personal_texts = ("reason",)

    objects = ListEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("list entry")
        verbose_name_plural = _("list entries")
        constraints = [
            models.UniqueConstraint(
                # The kind and value first: decisions look up all lists at once.
                fields=["kind", "value", "list"],
                name="riskops_listentry_once",
                violation_error_message=_("This is on the list already."),
            ),
            models.CheckConstraint(
                condition=Q(kind=ListKind.ACCOUNT, account__isnull=False)
                | (~Q(kind=ListKind.ACCOUNT) & Q(account__isnull=True)),
                name="riskops_listentry_account",
                violation_error_message=_("An entry for an account names it."),
            ),
        ]
        indexes = [
            # Retention: entries that have run out.
            models.Index(
                fields=["expires_at"],
                condition=Q(expires_at__isnull=False),
                name="riskops_listentry_expiry",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_list_display()}: {self.get_kind_display()} #{self.pk}"


class Decision(models.Model):
    """What was answered about one event or one wish, and why."""

    source = models.CharField(_("source"), max_length=32)
    # The event's or the caller's own id of the question; empty where it gave none.
    external_id = models.CharField(_("external id"), max_length=128, blank=True)
    # Of what was asked: the same id with another question is refused.
    fingerprint = models.CharField(_("fingerprint"), max_length=64, editable=False)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="risk_decisions",
        db_index=False,  # account and number are indexed together
        verbose_name=_("account"),
    )
    kind = models.PositiveSmallIntegerField(_("kind"), choices=EventKind)
    # The event in the log, as long as that keeps it.
    event_id = models.BigIntegerField(_("event"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=DecisionOutcome)
    rule = models.ForeignKey(
        DecisionRule,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("rule"),
    )
    score = models.PositiveSmallIntegerField(_("score"), null=True, blank=True)
    level = models.PositiveSmallIntegerField(_("level"), choices=Level, null=True, blank=True)
    ruleset = models.ForeignKey(
        RiskRuleset,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("ruleset"),
    )
    # Of the score, as there: [[factor, points, points before the cap, counted, since], …]
    breakdown = models.JSONField(_("breakdown"), default=list, blank=True)
    # Every rule that matched, as it stood: [{code, title, outcome, shadow, conditions}, …]
    matched = models.JSONField(_("rules that matched"), default=list, blank=True)
    is_default = models.BooleanField(
        _("by default"), default=False, help_text=_("There was no answer in time.")
    )
    decided_at = models.DateTimeField(_("decided at"), default=timezone.now)
    took_ms = models.PositiveIntegerField(_("milliseconds"), default=0)
    feedback = models.CharField(
        _("what became of it"), max_length=16, choices=DecisionFeedback, blank=True
    )
    feedback_at = models.DateTimeField(_("known since"), null=True, blank=True)
    feedback_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("said by"),
    )

    objects = DecisionQuerySet.as_manager()

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"],
                condition=~Q(external_id=""),
                name="riskops_decision_source_external_id",
                violation_error_message=_("This was decided already."),
            ),
            models.CheckConstraint(
                condition=Q(feedback="", feedback_at__isnull=True)
                | (~Q(feedback="") & Q(feedback_at__isnull=False)),
                name="riskops_decision_feedback_has_moment",
                violation_error_message=_("What became of it needs its moment."),
            ),
        ]
        indexes = [
            # The decisions about one account, newest first.
            models.Index(fields=["account", "-id"], name="riskops_decision_account"),
            # The stream of one outcome; retention goes by the same moments.
            models.Index(fields=["outcome", "-id"], name="riskops_decision_outcome"),
            models.Index(fields=["decided_at"], name="riskops_decision_moment"),
        ]
        permissions = [
            ("make_decision", _("Can ask for decisions")),
            ("feedback_decision", _("Can say what became of a decision")),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_outcome_display()}"

    @property
    def decisive(self) -> dict[str, Any] | None:
        """The rule that decided, as it stood then."""
        return next((one for one in self.matched if not one["shadow"]), None)
