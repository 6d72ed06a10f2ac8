"""Categories and reason templates in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.models import Category, Product, ReasonTemplate
from systemadmin.foundation.admin import ServiceModelAdmin

# Counted for the rows of a page only: a join would count the products of all categories.
_PRODUCTS = Coalesce(
    Subquery(
        Product.objects.filter(category=OuterRef("pk"))
        .order_by()
        .values("category")
        .annotate(found=Count("pk"))
        .values("found")
    ),
    0,
)


@admin.register(Category)
class CategoryAdmin(ServiceModelAdmin):
    """The tree in its order."""

    list_display = ["indented", "position", "is_active", "products_in_it"]
    list_filter = ["is_active"]
    search_fields = ["name__istartswith"]
    ordering = ["path"]
    fields = ["parent", "name", "slug", "position", "is_active"]
    prepopulated_fields = {"slug": ["name"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with the number of products."""
        return super().get_queryset(request).annotate(product_count=_PRODUCTS)

    @admin.display(description=_("name"), ordering="path")
    def indented(self, category: Category) -> str:
        """Return the name at its depth."""
        return f"{'— ' * (len(category.path_ids) - 1)}{category.name}"

    @admin.display(description=_("products"))
    def products_in_it(self, category: Any) -> int:
        """Return how many it holds by itself."""
        return category.product_count

    def create(self, actor: Any, values: dict[str, Any]) -> Category:
        """Add it to the tree."""
        return services.create_category(actor=actor, **values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> Category:
        """Change the category, or move it below another."""
        return services.update_category(actor=actor, category=obj, **values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete the category; refused while it holds products or categories."""
        services.delete_category(actor=actor, category=obj)


@admin.register(ReasonTemplate)
class ReasonTemplateAdmin(ServiceModelAdmin):
    """Ready-made reasons."""

    list_display = ["title", "action", "code", "is_active"]
    list_filter = ["action", "is_active"]
    fields = ["code", "action", "title", "body", "is_active"]

    def create(self, actor: Any, values: dict[str, Any]) -> ReasonTemplate:
        """Add the reason template by its service."""
        return services.save_reason_template(actor=actor, template=None, **values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> ReasonTemplate:
        """Change the reason template by its service."""
        return services.save_reason_template(actor=actor, template=obj, **values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete the reason template by its service."""
        services.delete_reason_template(actor=actor, template=obj)
