"""The page of settings, and the banner of a planned maintenance."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin.foundation import maintenance
from systemadmin.foundation.configuration import Setting, declared_settings
from systemadmin.foundation.configuration import setting as value_of
from systemadmin.foundation.errors import DomainError, InvalidInput, NotAllowed
from systemadmin.foundation.forms import PlainFloatField, PlainIntegerField
from systemadmin.foundation.parsing import Unreadable, parse_whole_number
from systemadmin.models import ConfigurationChange
from systemadmin.services.configuration import change_settings, revert_change

CHANGES_SHOWN = 15
GROUP_TITLES = {
    "alerts": gettext_lazy("Alerts"),
    "audit": gettext_lazy("Audit trail"),
    "backups": gettext_lazy("Backups"),
    "blocking": gettext_lazy("Blocked networks"),
    "duties": gettext_lazy("Two people"),
    "maintenance": gettext_lazy("Maintenance"),
    "marketplace": gettext_lazy("Marketplace"),
    "messaging": gettext_lazy("Messages"),
    "privacy": gettext_lazy("Personal data"),
    "ratelimit": gettext_lazy("Rate limits"),
    "retention": gettext_lazy("Retention"),
    "risk": gettext_lazy("Decisions"),
    "riskops": gettext_lazy("Risk"),
    "sign_in": gettext_lazy("Sign-in"),
    "support": gettext_lazy("Support"),
    "webhooks": gettext_lazy("Webhooks"),
}


def maintenance_banner() -> dict[str, Any] | None:
    """Return the window in force or the next one within the banner's hours."""
    window = maintenance.window_in_force()
    if window is not None:
        return {"window": window, "is_on": True}
    for waiting in maintenance.windows():
        hours = (waiting.starts_at - maintenance.timezone.now()).total_seconds() / 3600
        if hours <= value_of("maintenance.banner_hours"):
            return {"window": waiting, "is_on": False}
    return None


class LinesField(forms.CharField):
    """A list of texts, one on each line."""

    widget = forms.Textarea(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        """Return a list as the lines to edit, and what was typed as it is."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        """Return the lines that hold anything."""
        lines = value if isinstance(value, list) else str(value or "").splitlines()
        return [line.strip() for line in lines if str(line).strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether the lines are others than before."""
        return self.to_python(initial) != self.to_python(data)


def _about(setting: Setting) -> str:
    """Return key, usual value and bounds of a setting, as they stand under its field."""
    parts = [setting.key]
    if setting.type is list:
        parts.append(_("one per line"))
    elif setting.type is not bool and setting.default not in ("", None):
        parts.append(_("usually %(value)s") % {"value": setting.default})
    if setting.min is not None and setting.max is not None:
        parts.append(
            _("from %(low)s to %(high)s") % {"low": f"{setting.min:g}", "high": f"{setting.max:g}"}
            if setting.max < 10**6
            else _("at least %(low)s") % {"low": f"{setting.min:g}"}
        )
    return " · ".join(str(part) for part in parts)


def field_for(setting: Setting) -> forms.Field:
    """Return the form field that fits a setting's type."""
    options: dict[str, Any] = {
        "label": str(setting.description).rstrip("."),
        "help_text": _about(setting),
        "required": False,
    }
    bounds = {"min_value": setting.min, "max_value": setting.max}
    if setting.type is bool:
        return forms.BooleanField(**options)
    if setting.type is int:
        return PlainIntegerField(**{**options, "required": True}, **bounds)  # type: ignore[arg-type]
    if setting.type is float:
        return PlainFloatField(**{**options, "required": True}, **bounds)  # type: ignore[arg-type]
    if setting.type is list:
        return LinesField(**options)
    if setting.choices:
        return forms.ChoiceField(choices=[(c, c) for c in setting.choices], **options)
    return forms.CharField(**options)


def settings_form(app: str, data: Any = None) -> forms.Form:
    """Return the form over one app's settings."""
    fields: dict[str, forms.Field] = {
        key: field_for(setting)
        for key, setting in sorted(declared_settings().items())
        if key.partition(".")[0] == app
    }
    fields["reason"] = forms.CharField(label=_("Reason"), required=False, max_length=300)
    kind = type("SettingsForm", (forms.Form,), dict(fields))
    initial = {key: value_of(key) for key in fields if key != "reason"}
    return kind(data, initial=initial)


def groups_of_settings() -> dict[str, str]:
    """Return the groups of settings with their titles, in the order of these."""
    groups = {key.partition(".")[0] for key in declared_settings()}
    titled = {name: str(GROUP_TITLES.get(name, name)) for name in groups}
    return dict(sorted(titled.items(), key=lambda one: one[1].casefold()))


def settings_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show settings grouped by app; one group is saved at a time, all or nothing."""
    user: Any = request.user
    if not user.has_perm("systemadmin.view_systemconfig"):
        raise PermissionDenied
    apps = groups_of_settings()
    app = request.GET.get("app", "")
    if app not in apps:
        app = next(iter(apps))
    here = f"{reverse('admin:settings')}?app={app}"
    if "take_back" in request.POST:
        _take_back(request)
        return HttpResponseRedirect(here)
    form = settings_form(app, request.POST or None)
    if request.method == "POST" and form.is_valid() and _save(request, form):
        return HttpResponseRedirect(here)
    context = {
        **site.each_context(request),
        "title": _("Settings"),
        "apps": apps,
        "app": app,
        "form": form,
        "may_change": user.has_perm("systemadmin.change_systemconfig"),
        "changes": ConfigurationChange.objects.filter(key__startswith=f"{app}.")[:CHANGES_SHOWN],
    }
    return TemplateResponse(request, "admin/systemadmin/settings.html", context)


def _take_back(request: HttpRequest) -> None:
    user: Any = request.user
    if not user.has_perm("systemadmin.change_systemconfig"):
        raise PermissionDenied
    try:
        pk = parse_whole_number(request.POST["take_back"])
    except Unreadable as error:
        raise Http404 from error
    change = get_object_or_404(ConfigurationChange, pk=pk)
    try:
        revert_change(actor=user, change=change)
    except DomainError as error:
        messages.error(request, str(error))
        return
    messages.success(request, _("The change of %(key)s is taken back.") % {"key": change.key})


def _save(request: HttpRequest, form: forms.Form) -> bool:
    values = dict(form.cleaned_data)
    reason = values.pop("reason", "")
    changed = {key: value for key, value in values.items() if key in form.changed_data}
    user: Any = request.user
    try:
        if not user.has_perm("systemadmin.change_systemconfig"):
            raise NotAllowed
        change_settings(actor=user, values=changed, reason=reason)
    except InvalidInput as refusal:
        for error in refusal.errors:
            name = error["field"] if error["field"] in form.fields else None
            form.add_error(name, str(error["detail"]))
        return False
    except NotAllowed as refusal:
        form.add_error(None, str(refusal))
        return False
    messages.success(request, _("Saved."))
    return True
