"""Reads of commission rules and lines."""

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from marketplace.models import CommissionLine, CommissionRule


class CommissionRuleQuerySet(models.QuerySet["CommissionRule"]):
    """Rules."""

    def in_order(self) -> "CommissionRuleQuerySet":
        """As they are tried, with what they are limited to: four queries however many."""
        return self.prefetch_related("categories", "sellers", "products").order_by(
            "position", "id"
        )


class CommissionLineQuerySet(models.QuerySet["CommissionLine"]):
    """Frozen lines."""

    def for_staff(self) -> "CommissionLineQuerySet":
        """With order, product and rule."""
        return self.select_related("line__order", "line__product", "rule")
