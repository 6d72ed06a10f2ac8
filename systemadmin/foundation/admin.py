"""Base classes of the admin: read-only unless told otherwise, one service call a row."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from systemadmin.foundation.errors import DomainError

MAX_ROWS = 1000


class AtalayaModelAdmin(admin.ModelAdmin):
    """Looks, and changes only through services: read-only unless `editable`."""

    editable = False
    show_full_result_count = False
    list_per_page = 50
    actions_selection_counter = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Adding by form bypasses services, so only editable models allow it."""
        return self.editable and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Likewise for changes."""
        return self.editable and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Likewise for deletion."""
        return self.editable and super().has_delete_permission(request, obj)

    def has_perm_permission(self, request: HttpRequest) -> bool:
        """Django's hook behind `permissions=["perm"]`; each action checks its own permission."""
        return True

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer only the actions whose permission this user has."""
        actions = super().get_actions(request)
        return {
            name: entry
            for name, entry in actions.items()
            if entry is not None and _may_run(request, entry[0])
        }


def _may_run(request: HttpRequest, action: Any) -> bool:
    perm = getattr(action, "perm", None)
    return perm is None or request.user.has_perm(perm)


class ReadOnlyInline(admin.TabularInline):
    """Rows of another table to look at."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


def run_per_row(
    modeladmin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet,
    call: Callable[[Any], Any],
) -> None:
    """Call the service for each row; report how many were done and why the rest were not."""
    done = 0
    for obj in queryset[:MAX_ROWS]:
        try:
            call(obj)
        except DomainError as refusal:
            modeladmin.message_user(request, f"{obj}: {refusal}", messages.ERROR)
        except ValidationError as refusal:
            text = "; ".join(refusal.messages)
            modeladmin.message_user(request, f"{obj}: {text}", messages.ERROR)
        else:
            done += 1
    if done:
        text = ngettext("%(count)d done.", "%(count)d done.", done) % {"count": done}
        modeladmin.message_user(request, text, messages.SUCCESS)


def _declare(
    function: Any, *, description: Any, perm: str | None, permissions: Sequence[str]
) -> Any:
    function.short_description = description
    function.allowed_permissions = list(permissions) or ["perm"]
    function.perm = perm
    return function


def _check(request: HttpRequest, perm: str | None) -> None:
    if perm and not request.user.has_perm(perm):
        raise PermissionDenied


def service_action(
    *, description: Any, perm: str | None = None, permissions: Sequence[str] = ()
) -> Callable[[Any], Any]:
    """Make `method(self, request, obj)` an admin action that runs once per selected row."""

    def decorate(method: Callable[..., Any]) -> Any:
        @functools.wraps(method)
        def action(modeladmin: Any, request: HttpRequest, queryset: QuerySet) -> None:
            _check(request, perm)
            run_per_row(modeladmin, request, queryset, lambda o: method(modeladmin, request, o))

        return _declare(action, description=description, perm=perm, permissions=permissions)

    return decorate


def form_action(
    *,
    description: Any,
    form: type[forms.Form],
    perm: str | None = None,
    permissions: Sequence[str] = (),
    template: str = "admin/atalaya/form_action.html",
) -> Callable[[Any], Any]:
    """Make `method(self, request, obj, data)` an action behind a page with a form.

    The page lists the selected rows first, so that nothing happens by a slip; after the
    form is valid the method runs once per row with its cleaned data.
    """

    def decorate(method: Callable[..., Any]) -> Any:
        @functools.wraps(method)
        def action(
            modeladmin: Any, request: HttpRequest, queryset: QuerySet
        ) -> HttpResponse | None:
            _check(request, perm)
            confirmed = "apply" in request.POST
            bound = form(request.POST, request.FILES) if confirmed else form()
            if confirmed and bound.is_valid():
                data = bound.cleaned_data
                run_per_row(
                    modeladmin, request, queryset, lambda o: method(modeladmin, request, o, data)
                )
                return None
            return _form_page(modeladmin, request, queryset, bound, description, action, template)

        return _declare(action, description=description, perm=perm, permissions=permissions)

    return decorate


def _form_page(
    modeladmin: Any,
    request: HttpRequest,
    queryset: QuerySet,
    bound: forms.Form,
    description: Any,
    action: Any,
    template: str,
) -> HttpResponse:
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": description,
        "opts": modeladmin.model._meta,
        "form": bound,
        "media": modeladmin.media + bound.media,
        "rows": queryset[:MAX_ROWS],
        "action_name": request.POST.get("action", action.__name__),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "intro": _("This will be done to:"),
    }
    return TemplateResponse(request, template, context)
