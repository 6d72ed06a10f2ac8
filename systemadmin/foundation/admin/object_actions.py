"""The actions of a list, on the page of each of its objects, with their forms in the page."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from systemadmin.foundation.admin.refusals import REFUSALS, add_refusal
from systemadmin.foundation.concurrency import remember_read_version
from systemadmin.foundation.parsing import Unreadable, parse_whole_number

FIELD: Final = "object_action"
VERSION: Final = "object_version"


@dataclass(slots=True)
class ObjectAction:
    """An action as a page offers it; `is_open` shows its form at once."""

    name: str
    title: Any
    form: forms.Form
    is_open: bool = False
    key: str = ""
    tone: str = ""
    says: Any = ""

    @property
    def asks(self) -> bool:
        """Whether there is anything to fill in or to read first."""
        return bool(self.form.fields or self.says)


class _Nothing(forms.Form):
    """Nothing to fill in; a refusal still has a place to stand."""


def offered(modeladmin: Any, request: HttpRequest, obj: Any) -> list[ObjectAction]:
    """Return the actions that this user may do to this object in its state."""
    return [
        _button(obj, name, title, function, form_of(function)(prefix=name))
        for name, (function, title) in _possible(modeladmin, request).items()
        if function.one_row.applies(obj)
    ]


def _button(
    obj: Any, name: str, title: Any, function: Any, form: forms.Form, is_open: bool = False
) -> ObjectAction:
    one = function.one_row
    says = one.says(obj) if one.says else ""
    return ObjectAction(name, title, form, is_open, one.key, one.tone, says)


def _possible(modeladmin: Any, request: HttpRequest) -> dict[str, tuple[Any, Any]]:
    return {
        name: (function, title)
        for name, (function, _name, title) in modeladmin.get_actions(request).items()
        if hasattr(function, "one_row")
    }


def action_of(modeladmin: Any, request: HttpRequest, name: str) -> Any:
    """Return an action that this user may do; `PermissionDenied` for any other name."""
    found = _possible(modeladmin, request).get(name)
    if found is None:
        raise PermissionDenied
    return found[0]


def form_of(function: Any) -> type[forms.Form]:
    """Return the form an action asks with."""
    return function.one_row.form or _Nothing


def perform(
    modeladmin: Any, request: HttpRequest, obj: Any, function: Any, form: forms.Form
) -> bool:
    """Do the action if the form is valid; a refusal of the service is put into the form."""
    if not form.is_valid():
        return False
    try:
        function.one_row.run(modeladmin, request, obj, form.cleaned_data)
    except REFUSALS as refusal:
        add_refusal(form, refusal)
        return False
    return True


def version_of(request: HttpRequest, name: str = VERSION) -> int | None:
    """Return the version of the object that the page showed; None where it sent none."""
    try:
        return parse_whole_number(request.POST.get(name, ""))
    except Unreadable:
        return None


def answer(
    modeladmin: Any,
    request: HttpRequest,
    object_id: str,
    extra_context: dict[str, Any],
    show: Callable[[HttpRequest, dict[str, Any]], HttpResponse],
) -> HttpResponse:
    """Show the page with its actions, or do one of them and show the page anew.

    What a service refuses stands beside what was typed.
    """
    if request.method == "POST" and FIELD in request.POST:
        return _act(modeladmin, request, object_id, extra_context, show)
    obj = modeladmin.get_object(request, object_id)
    if obj is not None and modeladmin.has_view_or_change_permission(request, obj):
        extra_context = {**_shown(obj, offered(modeladmin, request, obj)), **extra_context}
    return show(request, extra_context)


def _shown(obj: Any, actions: list[ObjectAction]) -> dict[str, Any]:
    return {"object_actions": actions, "object_version": getattr(obj, "version", None)}


def _act(
    modeladmin: Any,
    request: HttpRequest,
    object_id: str,
    extra_context: dict[str, Any],
    show: Callable[[HttpRequest, dict[str, Any]], HttpResponse],
) -> HttpResponse:
    obj = modeladmin.get_object(request, object_id)
    if obj is None:
        raise Http404
    if not modeladmin.has_view_or_change_permission(request, obj):
        raise PermissionDenied
    name = request.POST[FIELD]
    function = action_of(modeladmin, request, name)
    remember_read_version(obj, version_of(request))
    bound = form_of(function)(request.POST, request.FILES, prefix=name)
    if perform(modeladmin, request, obj, function, bound):
        text = _("%(action)s: done.") % {"action": str(function.short_description).rstrip("…")}
        modeladmin.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(_after(modeladmin, request, object_id))
    obj = modeladmin.get_object(request, object_id)
    actions = [one for one in offered(modeladmin, request, obj) if one.name != name]
    actions.insert(0, _button(obj, name, function.short_description, function, bound, True))
    # The page's own form is shown as it is stored; only the action's was sent.
    looking = copy(request)
    looking.method = "GET"
    return show(looking, {**extra_context, **_shown(obj, actions)})


def _after(modeladmin: Any, request: HttpRequest, object_id: str) -> str:
    if modeladmin.get_object(request, object_id) is not None:
        return request.get_full_path()
    meta = modeladmin.opts
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
