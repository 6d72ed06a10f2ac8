"""The risk score of each account, its history, overrides and the outcomes staff gave."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from riskops.models.rulesets import RiskRuleset
from riskops.scores.querysets import RiskScoreHistoryQuerySet, RiskScoreQuerySet
from riskops.scores.rules import LEVEL_TITLES


class Level(models.IntegerChoices):
    LOW = 0, LEVEL_TITLES["low"]
    MODERATE = 1, LEVEL_TITLES["moderate"]
    ELEVATED = 2, LEVEL_TITLES["elevated"]
    HIGH = 3, LEVEL_TITLES["high"]
    CRITICAL = 4, LEVEL_TITLES["critical"]

    @property
    def code(self) -> str:
        return self.name.lower()

    @property
    def sign(self) -> str:
        """Return the sign that pages show it by: low, medium, high or critical."""
        return _SIGNS.get(self.code, "low")


_SIGNS = {"critical": "critical", "high": "high", "elevated": "medium"}

LEVEL_BY_CODE: dict[str, Level] = {level.code: level for level in Level}


class Cause(models.TextChoices):
    """Why a score was looked at again."""

    EVENT = "event", _("Event")
    SCHEDULE = "schedule", _("Schedule")
    MANUAL = "manual", _("By hand")
    RULESET = "ruleset", _("New ruleset")
    OVERRIDE = "override", _("Override")


class RiskOverride(models.Model):
    """A score set by staff for a while; kept for ever, in force until it ends or is removed."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="risk_overrides",
        verbose_name=_("account"),
    )
    score = models.PositiveSmallIntegerField(_("score"), validators=[MaxValueValidator(100)])
    reason = models.TextField(_("reason"), max_length=1000)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("ended by"),
    )

    class Meta:
        verbose_name = _("override")
        verbose_name_plural = _("overrides")
        constraints = [
            models.CheckConstraint(
                condition=Q(score__lte=100),
                name="riskops_override_score_to_100",
                violation_error_message=_("A score lies between 0 and 100."),
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(ended_at__isnull=True),
                name="riskops_override_one_in_force",
                violation_error_message=_("An override is already in force."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.score}"


class RiskScore(models.Model):
    """How risky one account is now, and why."""

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="risk_score",
        verbose_name=_("account"),
    )
    raw = models.IntegerField(_("raw sum"))
    computed = models.PositiveSmallIntegerField(
        _("computed score"), help_text=_("The raw sum within 0 and 100.")
    )
    # The computed score after the cool-down: it rises at once and falls later.
    standing = models.PositiveSmallIntegerField(_("score before override"))
    hold_until = models.DateTimeField(_("held until"), null=True, blank=True)
    override = models.ForeignKey(
        RiskOverride,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("override"),
    )
    score = models.PositiveSmallIntegerField(_("score"))
    level = models.PositiveSmallIntegerField(_("level"), choices=Level)
    ruleset = models.ForeignKey(
        RiskRuleset,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("ruleset"),
    )
    # [[factor, points, points before the family's cap, counted, since in µs or null], …]
    breakdown = models.JSONField(_("breakdown"), default=list)
    fingerprint = models.BigIntegerField(_("fingerprint"))
    calculated_at = models.DateTimeField(_("calculated at"))
    # When time alone can change the score: a window ends, the account gets older.
    changes_at = models.DateTimeField(_("may change at"), null=True, blank=True)
    review_since = models.DateTimeField(_("to be reviewed since"), null=True, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    objects = RiskScoreQuerySet.as_manager()

    class Meta:
        verbose_name = _("risk score")
        verbose_name_plural = _("risk scores")
        indexes = [
            # Staff list of accounts, riskiest first, and the same within a level.
            models.Index(fields=["-score", "-account"], name="riskops_score_highest"),
            models.Index(fields=["level", "-score"], name="riskops_score_level"),
            # Incremental recompute: scores that time alone may have changed.
            models.Index(fields=["changes_at"], name="riskops_score_changes_at"),
            # Work list of accounts flagged for review, longest waiting first.
            models.Index(
                fields=["review_since"],
                condition=Q(review_since__isnull=False),
                name="riskops_score_review",
            ),
        ]
        permissions = [
            ("calculate_riskscore", _("Can recalculate a risk score")),
            ("override_riskscore", _("Can override a risk score")),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.score}"


class RiskScoreHistory(models.Model):
    """Every change of score, level or ruleset. Appended to, never overwritten."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="risk_history",
        db_index=False,  # account and id are indexed together
        verbose_name=_("account"),
    )
    at = models.DateTimeField(_("at"))
    cause = models.CharField(_("cause"), max_length=8, choices=Cause)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("actor"),
    )
    raw = models.IntegerField(_("raw sum"))
    computed = models.PositiveSmallIntegerField(_("computed score"))
    score = models.PositiveSmallIntegerField(_("score"))
    level = models.PositiveSmallIntegerField(_("level"), choices=Level)
    previous_score = models.PositiveSmallIntegerField(_("score before"), null=True, blank=True)
    ruleset = models.ForeignKey(
        RiskRuleset,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("ruleset"),
    )
    breakdown = models.JSONField(_("breakdown"), default=list)
    changes = models.PositiveIntegerField(
        _("changes"),
        default=1,
        db_default=1,
        help_text=_("How many changes of that day it stands for; old ones are kept once a day."),
    )

    objects = RiskScoreHistoryQuerySet.as_manager()

    class Meta:
        verbose_name = _("score change")
        verbose_name_plural = _("score changes")
        indexes = [
            # The history of one account, newest first.
            models.Index(fields=["account", "-id"], name="riskops_history_account"),
            # Changes of a period; days whose changes are thinned out, and what is too old.
            models.Index(fields=["at", "account"], name="riskops_history_at"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.previous_score} → {self.score}"


class Verdict(models.TextChoices):
    CONFIRMED_FRAUD = "confirmed_fraud", _("Confirmed fraud")
    FALSE_POSITIVE = "false_positive", _("False positive")
    LEGITIMATE = "legitimate", _("Legitimate")


class RiskOutcome(models.Model):
    """What staff found an account to be, with the score and breakdown of that moment."""

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="risk_outcomes",
        verbose_name=_("account"),
    )
    verdict = models.CharField(_("verdict"), max_length=16, choices=Verdict)
    note = models.TextField(_("note"), max_length=1000, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("actor"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    score = models.PositiveSmallIntegerField(_("score"), null=True, blank=True)
    breakdown = models.JSONField(_("breakdown"), default=list)

    class Meta:
        verbose_name = _("outcome")
        verbose_name_plural = _("outcomes")
        indexes = [
            # Precision and calibration over the latest outcomes.
            models.Index(fields=["verdict", "-created_at"], name="riskops_outcome_verdict"),
        ]
        permissions = [("record_riskoutcome", _("Can record a staff outcome"))]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.verdict}"
