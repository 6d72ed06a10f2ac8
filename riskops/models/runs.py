"""Recomputes of many accounts: a run is cut into chunks that several workers share."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from riskops.models.rulesets import RiskRuleset
from systemadmin.foundation.models import TimestampedModel


class RecomputeRun(TimestampedModel):
    """One recompute of everyone: each account is scored with the same rules for the same moment."""

    at = models.DateTimeField(_("scored for"))
    cause = models.CharField(_("cause"), max_length=8)
    is_rebuild = models.BooleanField(_("facts rebuilt"), default=False)
    ruleset = models.ForeignKey(
        RiskRuleset, on_delete=models.PROTECT, related_name="+", verbose_name=_("ruleset")
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("actor"),
    )
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("recompute")
        verbose_name_plural = _("recomputes")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"


class RecomputeChunk(models.Model):
    """A range of account ids of a run; claimed, worked on and ticked off by one worker."""

    run = models.ForeignKey(
        RecomputeRun, on_delete=models.CASCADE, related_name="chunks", verbose_name=_("run")
    )
    low = models.BigIntegerField(_("from account"))
    high = models.BigIntegerField(_("to account"))
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    claimed_by = models.CharField(_("claimed by"), max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    scored = models.PositiveIntegerField(_("scored"), default=0)
    written = models.PositiveIntegerField(_("written"), default=0)
    by_level = models.JSONField(_("by level"), default=list)

    class Meta:
        verbose_name = _("chunk of a recompute")
        verbose_name_plural = _("chunks of recomputes")
        constraints = [
            models.UniqueConstraint(
                fields=["run", "low"],
                name="riskops_chunk_run_low",
                violation_error_message=_("This part of the run exists already."),
            ),
        ]
        indexes = [
            # The next chunk to work on.
            models.Index(
                fields=["run", "low"],
                condition=Q(done_at__isnull=True),
                name="riskops_chunk_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.low}–{self.high}"
