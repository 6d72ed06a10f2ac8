"""Categories and reason templates in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.service_saved import ServiceSavedAdmin
from marketplace.models import Category, ReasonTemplate


@admin.register(Category)
class CategoryAdmin(ServiceSavedAdmin):
    """The tree in its order."""

    list_display = ["indented", "position", "is_active", "products_in_it"]
    list_filter = ["is_active"]
    search_fields = ["name__istartswith"]
    ordering = ["path"]
    fields = ["parent", "name", "slug", "position", "is_active"]
    prepopulated_fields = {"slug": ["name"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """With the number of products."""
        return super().get_queryset(request).annotate(product_count=Count("products"))

    @admin.display(description=_("name"), ordering="path")
    def indented(self, category: Category) -> str:
        """The name at its depth."""
        return f"{'— ' * (len(category.path_ids) - 1)}{category.name}"

    @admin.display(description=_("products"))
    def products_in_it(self, category: Any) -> int:
        """How many it holds by itself."""
        return category.product_count

    def save_by_service(self, actor: Any, obj: Any, values: dict[str, Any], change: bool) -> Any:
        """Create or change."""
        if change:
            return services.update_category(actor=actor, category=obj, **values)
        return services.create_category(actor=actor, **values)

    def delete_by_service(self, actor: Any, obj: Any) -> None:
        """Delete when empty."""
        services.delete_category(actor=actor, category=obj)


@admin.register(ReasonTemplate)
class ReasonTemplateAdmin(ServiceSavedAdmin):
    """Ready-made reasons."""

    list_display = ["title", "action", "code", "is_active"]
    list_filter = ["action", "is_active"]
    fields = ["code", "action", "title", "body", "is_active"]

    def save_by_service(self, actor: Any, obj: Any, values: dict[str, Any], change: bool) -> Any:
        """Create or change."""
        template = obj if change else None
        return services.save_reason_template(actor=actor, template=template, **values)

    def delete_by_service(self, actor: Any, obj: Any) -> None:
        """Delete."""
        services.delete_reason_template(actor=actor, template=obj)
