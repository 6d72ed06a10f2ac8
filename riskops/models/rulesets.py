"""Versions of the rules that turn facts into points."""

from __future__ import annotations

from functools import cached_property

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from riskops.scores.querysets import RiskRulesetQuerySet
from riskops.scores.rules import Ruleset
from systemadmin.foundation.models import TimestampedModel


class RiskRuleset(TimestampedModel):
    """A numbered version of the risk rules; once published it never changes."""

    number = models.PositiveIntegerField(
        _("number"), unique=True, null=True, blank=True, help_text=_("Given when published.")
    )
    note = models.CharField(_("note"), max_length=400, blank=True)
    definition = models.JSONField(_("definition"), default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )

    objects = RiskRulesetQuerySet.as_manager()

    class Meta:
        verbose_name = _("risk ruleset")
        verbose_name_plural = _("risk rulesets")
        ordering = ["-number", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(number__isnull=True, published_at__isnull=True)
                | Q(number__isnull=False, published_at__isnull=False),
                name="riskops_ruleset_number_when_published",
                violation_error_message=_("A ruleset gets its number when it is published."),
            ),
        ]
        permissions = [("publish_riskruleset", _("Can publish a risk ruleset"))]

    def __str__(self) -> str:
        if self.number is None:
            return str(_("Draft %(id)s")) % {"id": self.pk}
        return str(_("Ruleset %(number)s")) % {"number": self.number}

    @property
    def is_published(self) -> bool:
        return self.published_at is not None

    @cached_property
    def rules(self) -> Ruleset:
        """The rules themselves."""
        return Ruleset.from_stored(self.definition)


class RulesetTrial(RiskRuleset):
    """A ruleset as something to try: the what-if and calibration pages."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("what-if")
        verbose_name_plural = _("what-if")
