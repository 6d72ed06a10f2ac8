"""Maintenance windows in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.foundation.admin.refusals import REFUSALS, add_refusal
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import DomainError
from systemadmin.models import MaintenanceWindow
from systemadmin.services.maintenance import disable_maintenance, enable_maintenance


class WindowForm(forms.Form):
    """When, how and with what message."""

    mode = forms.ChoiceField(label=_("Mode"), choices=MaintenanceWindow.Mode.choices)
    message = forms.CharField(label=_("Message in English"), required=False, max_length=500)
    message_es = forms.CharField(label=_("Message in Spanish"), required=False, max_length=500)
    starts_at = forms.DateTimeField(
        label=_("Starts at (UTC)"),
        required=False,
        help_text=_("Empty: now."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    until = forms.DateTimeField(
        label=_("Until (UTC)"),
        required=False,
        help_text=_("Empty: the configured longest time."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    pause_queue = forms.BooleanField(label=_("Pause the queue"), required=False)


@admin.register(MaintenanceWindow)
class MaintenanceWindowAdmin(AtalayaModelAdmin):
    """The history of closings, with the switch on top."""

    list_display = ["mode", "starts_at", "until", "ended_at", "owner", "pause_queue"]
    list_filter = ["mode"]
    change_list_template = "admin/systemadmin/maintenance_list.html"

    def get_urls(self) -> list[Any]:
        """Return the addresses, with those that switch maintenance on and off."""
        wrap = self.admin_site.admin_view
        own = [
            path("on/", wrap(self.switch_on), name="systemadmin_maintenance_on"),
            path("off/", wrap(self.switch_off), name="systemadmin_maintenance_off"),
        ]
        return own + super().get_urls()

    def _may(self, request: HttpRequest) -> bool:
        return request.user.has_perm("systemadmin.manage_maintenance")

    def switch_on(self, request: HttpRequest) -> HttpResponse:
        """Show the form, then close."""
        if not self._may(request):
            return self._back(request, _("You do not have permission to do this."))
        form = WindowForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                enable_maintenance(actor=caller(request), **form.cleaned_data)
            except REFUSALS as refusal:
                add_refusal(form, refusal)
            else:
                return self._back(request, _("Maintenance is set."), messages.SUCCESS)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Switch maintenance on"),
            "opts": self.model._meta,
            "form": form,
        }
        return TemplateResponse(request, "admin/systemadmin/maintenance_form.html", context)

    def switch_off(self, request: HttpRequest) -> HttpResponse:
        """End maintenance; only POST changes something."""
        if request.method != "POST" or not self._may(request):
            return self._back(request, _("You do not have permission to do this."))
        try:
            disable_maintenance(actor=caller(request))
        except DomainError as refusal:
            return self._back(request, str(refusal))
        return self._back(request, _("Maintenance is off."), messages.SUCCESS)

    def _back(self, request: HttpRequest, text: Any, level: int = messages.ERROR) -> HttpResponse:
        messages.add_message(request, level, text)
        return HttpResponseRedirect(reverse("admin:systemadmin_maintenancewindow_changelist"))
