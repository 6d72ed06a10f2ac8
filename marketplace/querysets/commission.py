"""Reads of commission rules and lines."""

from django.db import models


class CommissionRuleQuerySet(models.QuerySet):
    """Named filters over commission rules."""

    def in_order(self) -> "CommissionRuleQuerySet":
        """As they are tried, with what they are limited to: four queries however many."""
        return self.prefetch_related("categories", "sellers", "products").order_by("position", "id")


class CommissionLineQuerySet(models.QuerySet):
    """Named filters over the commission lines of sold order lines."""

    def for_staff(self) -> "CommissionLineQuerySet":
        """Return the rows with order, product and rule."""
        return self.select_related("line__order", "line__product", "rule")
