"""Reads of rulesets."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet


class RiskRulesetQuerySet(QuerySet):
    """Named filters over rulesets."""

    def published(self) -> RiskRulesetQuerySet:
        """Versions that are or were in force, newest first."""
        return self.filter(published_at__isnull=False).order_by("-number")

    def drafts(self) -> RiskRulesetQuerySet:
        """Versions not yet published."""
        return self.filter(published_at__isnull=True)

    def latest_published(self) -> Any:
        """The version in force, None before the first."""
        return self.published().first()
