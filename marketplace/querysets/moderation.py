"""Reads of product revisions."""

from django.db import models


class ProductRevisionQuerySet(models.QuerySet):
    """Named filters over product revisions."""

    def open(self) -> "ProductRevisionQuerySet":
        """Not yet decided or withdrawn."""
        return self.filter(status__in=("draft", "pending", "changes_requested"))

    def waiting(self) -> "ProductRevisionQuerySet":
        """Return the queue, oldest first."""
        return self.filter(status="pending").order_by("submitted_at", "id")

    def for_staff(self) -> "ProductRevisionQuerySet":
        """Return the rows with the product and its seller."""
        return self.select_related("product__seller", "product__category", "decided_by")
