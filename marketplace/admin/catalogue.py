"""Categories and reason templates in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.models import Category, Product, ReasonTemplate
from systemadmin.foundation.admin import ServiceModelAdmin


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
        """Return the rows with whether they hold products; a category may hold a million."""
        held = Product.objects.filter(category=OuterRef("pk"))
        return super().get_queryset(request).annotate(holds_products=Exists(held))

    @admin.display(description=_("name"), ordering="path")
    def indented(self, category: Category) -> str:
        """Return the name at its depth."""
        return f"{'— ' * (len(category.path_ids) - 1)}{category.name}"

    @admin.display(description=_("products"))
    def products_in_it(self, category: Any) -> str:
        """Link to those that it holds by itself."""
        if not category.holds_products:
            return "-"
        url = reverse("admin:marketplace_product_changelist")
        query = urlencode({"category__id__exact": category.pk})
        return format_html('<a href="{}?{}">{}</a>', url, query, _("Show"))

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
