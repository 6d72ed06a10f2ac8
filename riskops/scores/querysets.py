"""Named filters over rulesets, scores and their history."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet

HIGH = 3  # `Level.HIGH`, of the models that these reads serve


class RiskRulesetQuerySet(QuerySet):
    """Named filters over rulesets."""

    def published(self) -> RiskRulesetQuerySet:
        """Return versions that are or were in force, newest first."""
        return self.filter(published_at__isnull=False).order_by("-number")

    def drafts(self) -> RiskRulesetQuerySet:
        """Return versions not yet published."""
        return self.filter(published_at__isnull=True)

    def latest_published(self) -> Any:
        """Return the version in force, None before the first."""
        return self.published().first()


class RiskScoreQuerySet(QuerySet):
    """Named filters over scores."""

    def unjudged(self) -> RiskScoreQuerySet:
        """Return scores that are high or critical without a suspension, override or outcome."""
        outcomes: Any = self.model._meta.apps.get_model("riskops", "RiskOutcome").objects
        return self.filter(
            ~Exists(outcomes.filter(account=OuterRef("pk"))),
            level__gte=HIGH,
            override__isnull=True,
            account__suspended_at__isnull=True,
        )

    def by_level(self) -> dict[int, int]:
        """Return how many accounts stand at each level."""
        rows = self.order_by().values("level").annotate(number=Count("pk"))
        return {row["level"]: row["number"] for row in rows}

    def with_details(self) -> RiskScoreQuerySet:
        """Return the rows with what a score is shown with."""
        return self.select_related("account", "ruleset", "override", "override__created_by")


class RiskScoreHistoryQuerySet(QuerySet):
    """Named filters over score changes."""

    def of_account(self, account_id: int) -> RiskScoreHistoryQuerySet:
        """Return the changes of one account, newest first."""
        return self.filter(account_id=account_id).select_related("actor", "ruleset").order_by("-id")
