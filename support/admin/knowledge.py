"""Templates, macros, questions, categories, calendars and policies: forms before services."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from support.admin.people import agent_of
from support.models import (
    BusinessCalendar,
    Category,
    Faq,
    Macro,
    ReplyTemplate,
    SlaPolicy,
    SlaPolicyVersion,
)
from support.services import (
    apply_to_open,
    catalogue,
    delete_faq,
    delete_policy,
    delete_template,
    save_calendar,
    save_faq,
    save_macro,
    save_policy,
    save_template,
)
from systemadmin.foundation.admin import ReadOnlyInline, ServiceModelAdmin, service_action


class CatalogueAdmin(ServiceModelAdmin):
    """Pages of the desk's catalogues, whose services take all values together."""

    noun: ClassVar[str] = ""
    save_service: ClassVar[Callable[..., Any]]
    delete_service: ClassVar[Callable[..., Any]]

    def create(self, actor: Any, values: dict[str, Any]) -> Any:
        """Add the row by its service."""
        return type(self).save_service(actor=actor, values=values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> Any:
        """Change the row by its service."""
        return type(self).save_service(actor=actor, values=values, **{self.noun: obj})

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete the row by its service."""
        type(self).delete_service(actor=actor, **{self.noun: obj})


@admin.register(ReplyTemplate)
class ReplyTemplateAdmin(CatalogueAdmin):
    """Prepared answers."""

    noun = "template"
    save_service = save_template
    delete_service = delete_template
    fields = ("code", "language", "title", "body", "category", "is_active")
    list_display = ("title", "language", "code", "category", "is_active", "updated_at")
    list_filter = ("language", "category", "is_active")
    search_fields = ("title", "code", "body")


@admin.register(Macro)
class MacroAdmin(CatalogueAdmin):
    """Macros."""

    noun = "macro"
    save_service = save_macro
    delete_service = catalogue.delete_macro
    fields = (
        "name",
        "template",
        "is_internal",
        "status",
        "priority",
        "assign",
        "agent",
        "add_tags",
        "is_active",
    )
    list_display = ("name", "template", "status", "priority", "assign", "is_active")
    list_select_related = ("template",)
    autocomplete_fields = ("agent",)


@admin.register(Faq)
class FaqAdmin(CatalogueAdmin):
    """Questions and answers."""

    noun = "faq"
    save_service = save_faq
    delete_service = delete_faq
    fields = (
        "question",
        "answer",
        "language",
        "category",
        "position",
        "is_published",
        "helpful_count",
        "unhelpful_count",
    )
    readonly_fields = ("helpful_count", "unhelpful_count")
    list_display = (
        "question",
        "language",
        "category",
        "position",
        "is_published",
        "helpful_count",
        "unhelpful_count",
    )
    list_filter = ("language", "category", "is_published")
    list_select_related = ("category",)
    search_fields = ("question", "answer")


@admin.register(Category)
class CategoryAdmin(CatalogueAdmin):
    """What tickets are about."""

    noun = "category"
    save_service = catalogue.save_category
    delete_service = catalogue.delete_category
    fields = (
        "code",
        "name",
        "name_es",
        "position",
        "is_active",
        "assignment",
        "agents",
        "is_confined",
        "readers",
    )
    list_display = ("name", "code", "position", "is_active", "assignment", "is_confined")
    autocomplete_fields = ("agents", "readers")


class VersionInline(ReadOnlyInline):
    """What the policy promised over time."""

    model = SlaPolicyVersion
    fields = ("number", "terms", "created_at", "created_by")
    readonly_fields = fields
    fk_name = "policy"


@admin.register(SlaPolicy)
class SlaPolicyAdmin(CatalogueAdmin):
    """What the desk promises."""

    noun = "policy"
    save_service = save_policy
    delete_service = delete_policy
    fields = (
        "name",
        "position",
        "is_active",
        "priority",
        "category",
        "calendar",
        "first_response_minutes",
        "next_response_minutes",
        "resolution_minutes",
        "escalate_to",
    )
    list_display = (
        "name",
        "position",
        "priority",
        "category",
        "calendar",
        "first_response_minutes",
        "next_response_minutes",
        "resolution_minutes",
        "is_active",
    )
    list_select_related = ("category", "calendar")
    autocomplete_fields = ("escalate_to",)
    inlines = (VersionInline,)
    actions = ("apply_to_open_tickets",)

    @service_action(
        description=_("Apply the present version to open tickets"),
        perm="support.change_slapolicy",
    )
    def apply_to_open_tickets(self, request: HttpRequest, obj: SlaPolicy) -> None:
        """Queue the task that gives open tickets their new due times."""
        apply_to_open(actor=agent_of(request), policy=obj)


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(CatalogueAdmin):
    """When the desk works."""

    noun = "calendar"
    save_service = save_calendar
    delete_service = catalogue.delete_calendar
    fields = ("name", "timezone", "windows", "holidays")
    list_display = ("name", "timezone", "updated_at")
