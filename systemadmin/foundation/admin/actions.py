"""Admin actions: one service call per selected row, refusals reported row by row."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected as stock_delete_selected
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import model_ngettext
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from systemadmin.foundation.admin.refusals import REFUSALS, add_refusal, names_fields, refusal_text
from systemadmin.foundation.errors import Deferred, DeferredTogether

MAX_ROWS = 1000
MOST_SAID = 20  # each may be a query


class ConfirmForm(forms.Form):
    """Nothing to fill in: the page lists what will be done to whom."""


def run_per_row(
    modeladmin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet,
    call: Callable[[Any], Any],
    form: forms.Form | None = None,
) -> None:
    """Call the service for each row; report how many were done and why the rest were not.

    What is refused of a single row stands in the form, where it names fields of it. Raises
    `DeferredTogether` in the end for rows whose act waits for a second person.
    """
    done = 0
    waiting: list[Deferred] = []
    rows = list(queryset[: MAX_ROWS + 1])
    for obj in rows[:MAX_ROWS]:
        try:
            call(obj)
        except Deferred as deferred:
            waiting += deferred.each()
        except REFUSALS as refusal:
            if form is not None and len(rows) == 1 and names_fields(form, refusal):
                add_refusal(form, refusal)
                return
            modeladmin.message_user(request, f"{obj}: {refusal_text(refusal)}", messages.ERROR)
        else:
            done += 1
    if done:
        text = ngettext("%(count)d done.", "%(count)d done.", done) % {"count": done}
        modeladmin.message_user(request, text, messages.SUCCESS)
    if len(rows) > MAX_ROWS:
        text = _("Only the first %(count)d were looked at. Choose the rest and repeat.")
        modeladmin.message_user(request, text % {"count": MAX_ROWS}, messages.WARNING)
    if waiting:
        raise DeferredTogether(waiting)


@dataclass(frozen=True, slots=True)
class OneRow:
    """How an action is done to one object: `run(modeladmin, request, obj, data)`.

    `form` is what it asks for, None where it asks for nothing. `applies(obj)` says whether it makes
    sense in the object's state; a page offers no other, and the service has the last word. `key`
    and `tone` are of its button; `says(obj)` tells before it is done what will happen.
    """

    run: Callable[[Any, HttpRequest, Any, dict[str, Any]], None]
    form: type[forms.Form] | None
    applies: Callable[[Any], bool]
    key: str = ""
    tone: str = ""
    says: Callable[[Any], Any] | None = None


def _declare(
    function: Any,
    *,
    description: Any,
    perm: str | None,
    permissions: Sequence[str],
    one_row: OneRow,
) -> Any:
    function.short_description = description
    function.allowed_permissions = list(permissions) or ["perm"]
    function.perm = perm
    function.one_row = one_row
    return function


def _check(request: HttpRequest, perm: str | None) -> None:
    if perm and not request.user.has_perm(perm):
        raise PermissionDenied


def always(_obj: Any) -> bool:
    """Return True: the action makes sense in every state."""
    return True


def service_action(
    *,
    description: Any,
    perm: str | None = None,
    permissions: Sequence[str] = (),
    applies: Callable[[Any], bool] = always,
    key: str = "",
    tone: str = "",
    says: Callable[[Any], Any] | None = None,
) -> Callable[[Any], Any]:
    """Make `method(self, request, obj)` an admin action that runs once per selected row."""

    def decorate(method: Callable[..., Any]) -> Any:
        @functools.wraps(method)
        def action(modeladmin: Any, request: HttpRequest, queryset: QuerySet) -> None:
            _check(request, perm)
            run_per_row(modeladmin, request, queryset, lambda o: method(modeladmin, request, o))

        def run(modeladmin: Any, request: HttpRequest, obj: Any, _data: dict[str, Any]) -> None:
            _check(request, perm)
            method(modeladmin, request, obj)

        return _declare(
            action,
            description=description,
            perm=perm,
            permissions=permissions,
            one_row=OneRow(run, None, applies, key, tone, says),
        )

    return decorate


def form_action(
    *,
    description: Any,
    form: type[forms.Form],
    perm: str | None = None,
    permissions: Sequence[str] = (),
    template: str = "admin/atalaya/form_action.html",
    applies: Callable[[Any], bool] = always,
    key: str = "",
    tone: str = "",
    says: Callable[[Any], Any] | None = None,
) -> Callable[[Any], Any]:
    """Make `method(self, request, obj, data)` an action behind a page with a form.

    The page lists the selected rows first, each with what `says(obj)` tells about it, so that
    nothing happens by a slip; after the form is valid the method runs once per row with its
    cleaned data.
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
                call = functools.partial(_call, method, modeladmin, request, data)
                run_per_row(modeladmin, request, queryset, call, bound)
                if bound.is_valid():
                    return None
            page = _form_page(modeladmin, request, queryset, bound, description, action, template)
            return _with_words(page, says)

        def run(modeladmin: Any, request: HttpRequest, obj: Any, data: dict[str, Any]) -> None:
            _check(request, perm)
            method(modeladmin, request, obj, data)

        return _declare(
            action,
            description=description,
            perm=perm,
            permissions=permissions,
            one_row=OneRow(run, form, applies, key, tone, says),
        )

    return decorate


def _call(
    method: Any, modeladmin: Any, request: HttpRequest, data: dict[str, Any], obj: Any
) -> Any:
    return method(modeladmin, request, obj, data)


def _with_words(page: Any, says: Callable[[Any], Any] | None) -> HttpResponse:
    """Add to each row of the page what will happen to it, where the rows are few."""
    rows = list(page.context_data["rows"])
    if says is None or len(rows) > MOST_SAID:
        page.context_data["said"] = [(row, "") for row in rows]
    else:
        page.context_data["said"] = [(row, says(row)) for row in rows]
    return page


def _form_page(
    modeladmin: Any,
    request: HttpRequest,
    queryset: QuerySet,
    bound: forms.Form,
    description: Any,
    action: Any,
    template: str,
) -> Any:
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


def delete_selected(modeladmin: Any, request: HttpRequest, queryset: QuerySet) -> Any:
    """Ask once more, then delete each selected row by its service."""
    if not modeladmin.has_delete_permission(request):
        raise PermissionDenied
    if "post" in request.POST:
        run_per_row(modeladmin, request, queryset, lambda obj: modeladmin.delete_one(request, obj))
        return None
    name = str(model_ngettext(queryset))
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": _("Delete multiple objects"),
        "objects_name": name,
        "deletable_objects": [[str(obj) for obj in queryset[:MAX_ROWS]]],
        "model_count": {name: queryset.count()}.items(),
        "queryset": queryset[:MAX_ROWS],
        "opts": modeladmin.model._meta,
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
        "media": modeladmin.media,
    }
    return TemplateResponse(request, "admin/delete_selected_confirmation.html", context)


delete_selected.short_description = stock_delete_selected.short_description
delete_selected.allowed_permissions = ["delete"]
