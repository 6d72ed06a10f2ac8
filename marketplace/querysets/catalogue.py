"""Reads of categories and products."""

from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q

from marketplace import search

MAX_QUERY_WORDS = 8


class CategoryQuerySet(models.QuerySet):
    """Named filters over categories."""

    def within(self, category_id: int) -> "CategoryQuerySet":
        """Return a category and its descendants."""
        path = self.model.objects.filter(pk=category_id).values_list("path", flat=True).first()
        if path is None:
            return self.none()
        return self.filter(path__startswith=path)

    def descendants_by_id(self) -> dict[int, frozenset[int]]:
        """Return every category's ids of itself and its descendants, in one query."""
        below: dict[int, set[int]] = {}
        for pk, path in self.values_list("pk", "path"):
            for ancestor in (int(part) for part in path.split("/") if part):
                below.setdefault(ancestor, set()).add(pk)
        return {pk: frozenset(ids) for pk, ids in below.items()}


class ProductQuerySet(models.QuerySet):
    """Named filters over products."""

    def public(self) -> "ProductQuerySet":
        """Return what anyone may see: approved, in an active category."""
        return self.filter(status="approved")

    def of_seller(self, user: Any) -> "ProductQuerySet":
        """Return the seller's own, but for what was removed."""
        return self.filter(seller=user).exclude(status="removed")

    def visible_to(self, user: Any) -> "ProductQuerySet":
        """Approved products, and the caller's own in any state."""
        if not user.is_authenticated:
            return self.public()
        return self.filter(Q(status="approved") | Q(seller_id=user.pk))

    def waiting(self) -> "ProductQuerySet":
        """Return the approval queue, oldest first."""
        return self.filter(status="pending").order_by("submitted_at", "id")

    def in_category(self, category_id: int) -> "ProductQuerySet":
        """Return products of a category and its descendants."""
        categories: Any = self.model._meta.get_field("category").related_model
        ids = list(categories.objects.within(category_id).values_list("pk", flat=True))
        return self.filter(category_id__in=ids)

    def in_stock(self) -> "ProductQuerySet":
        """Return what can be bought now."""
        return self.filter(Q(stock__isnull=True) | Q(stock__gt=0))

    def matching(self, text: str) -> "ProductQuerySet":
        """Return products that hold every word of the text, each as the beginning of a word."""
        queryset = self
        word_model: Any = self.model._meta.get_field("words").related_model
        asked = search.words(text)[:MAX_QUERY_WORDS]
        if not asked:
            return self.none()
        for word in asked:
            found = word_model.objects.filter(product=OuterRef("pk"), word__startswith=word)
            queryset = queryset.filter(Exists(found))
        return queryset

    def for_list(self) -> "ProductQuerySet":
        """Return the rows without the long texts, with what a list shows of others."""
        return self.select_related("category", "seller").defer(
            "description", "reviewed_content", "checks"
        )

    def for_staff(self) -> "ProductQuerySet":
        """Return the rows with what staff see of seller and category."""
        return self.select_related("category", "seller")
