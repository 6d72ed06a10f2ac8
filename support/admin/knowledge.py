"""Templates, macros, questions, categories, calendars and policies: forms before services."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
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
from systemadmin.foundation.admin import AtalayaModelAdmin, ReadOnlyInline, service_action
from systemadmin.foundation.errors import DomainError


class KeptAdmin(AtalayaModelAdmin):
    """A form that saves through the same service as the API."""

    editable = True
    noun: ClassVar[str] = ""
    save_service: ClassVar[Callable[..., Any]]
    delete_service: ClassVar[Callable[..., Any]]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Hand the form's values to the service."""
        own = {self.noun: type(obj).objects.get(pk=obj.pk)} if change else {}
        many = {field.name for field in obj._meta.many_to_many}
        values = {k: v for k, v in form.cleaned_data.items() if k not in many}
        saved = type(self).save_service(actor=agent_of(request), values=values, **own)
        obj.__dict__.update(saved.__dict__)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Likewise for deletion."""
        type(self).delete_service(actor=agent_of(request), **{self.noun: obj})

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """One by one: each may be refused."""
        for obj in queryset:
            self.delete_model(request, obj)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's form; a refusal of the service is shown, not a failure."""
        return self._guarded(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's question before deleting."""
        return self._guarded(request, super().delete_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's list with its actions."""
        return self._guarded(request, super().changelist_view, *args, **kwargs)

    def _guarded(
        self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (DomainError, ValidationError) as refusal:
            text = "; ".join(getattr(refusal, "messages", None) or [str(refusal)])
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


@admin.register(ReplyTemplate)
class ReplyTemplateAdmin(KeptAdmin):
    """Prepared answers."""

    noun = "template"
    save_service = save_template
    delete_service = delete_template
    fields = ("code", "language", "title", "body", "category", "is_active")
    list_display = ("title", "language", "code", "category", "is_active", "updated_at")
    list_filter = ("language", "category", "is_active")
    search_fields = ("title", "code", "body")


@admin.register(Macro)
class MacroAdmin(KeptAdmin):
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
    raw_id_fields = ("agent",)


@admin.register(Faq)
class FaqAdmin(KeptAdmin):
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
class CategoryAdmin(KeptAdmin):
    """What tickets are about."""

    noun = "category"
    save_service = catalogue.save_category
    delete_service = catalogue.delete_category
    fields = ("code", "name", "name_es", "position", "is_active", "assignment", "agents")
    list_display = ("name", "code", "position", "is_active", "assignment")
    filter_horizontal = ("agents",)


class VersionInline(ReadOnlyInline):
    """What the policy promised over time."""

    model = SlaPolicyVersion
    fields = ("number", "terms", "created_at", "created_by")
    readonly_fields = fields
    fk_name = "policy"


@admin.register(SlaPolicy)
class SlaPolicyAdmin(KeptAdmin):
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
    raw_id_fields = ("escalate_to",)
    inlines = (VersionInline,)
    actions = ("apply_to_open_tickets",)

    @service_action(
        description=_("Apply the present version to open tickets"),
        perm="support.change_slapolicy",
    )
    def apply_to_open_tickets(self, request: HttpRequest, obj: SlaPolicy) -> None:
        """Queue it."""
        apply_to_open(actor=agent_of(request), policy=obj)


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(KeptAdmin):
    """When the desk works."""

    noun = "calendar"
    save_service = save_calendar
    delete_service = catalogue.delete_calendar
    fields = ("name", "timezone", "windows", "holidays")
    list_display = ("name", "timezone", "updated_at")
