"""The queue of reported messages: the excerpt, a decision, and, with a reason, a look around."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from messaging import services
from messaging.models import MessageReport, ReportStatus
from systemadmin.foundation.admin import AtalayaModelAdmin, form_action
from systemadmin.foundation.caller import caller
from systemadmin.foundation.concurrency import read_version
from systemadmin.foundation.errors import DomainError
from systemadmin.models import User

READ = "messaging.read_conversation"


class UpholdForm(forms.Form):
    """What follows from a justified report."""

    resolution = forms.CharField(label=_("decision and reason"), widget=forms.Textarea)
    erase = forms.BooleanField(label=_("erase the message"), required=False)
    warn = forms.BooleanField(label=_("warn its author"), required=False)


class DismissForm(forms.Form):
    """Why nothing follows."""

    resolution = forms.CharField(label=_("decision and reason"), widget=forms.Textarea)


class ReasonForm(forms.Form):
    """Why someone reads a conversation that is not theirs."""

    reason = forms.CharField(label=_("reason"), widget=forms.Textarea, min_length=10)


def is_open(report: MessageReport) -> bool:
    """Return whether a report waits for a decision."""
    return report.status == ReportStatus.OPEN


@admin.register(MessageReport)
class MessageReportAdmin(AtalayaModelAdmin):
    """Reports, open ones first."""

    needs_permission: ClassVar[dict[str, str]] = {"look_around": READ}

    list_display = ["id", "status", "reason", "reported", "reporter", "created_at", "handled_by"]
    list_filter = ["status", "reason", "created_at"]
    list_select_related = ["reported", "reporter", "handled_by"]
    search_fields = ["reported__username__istartswith", "reporter__username__istartswith"]
    ordering = ["-id"]
    actions = ["uphold", "dismiss"]
    fields = [
        "status",
        "reason",
        "note",
        "reported",
        "reporter",
        "created_at",
        "shown_excerpt",
        "look_around",
        "handled_by",
        "handled_at",
        "resolution",
    ]
    readonly_fields = ["shown_excerpt", "look_around"]

    @admin.display(description=_("excerpt"))
    def shown_excerpt(self, report: MessageReport) -> SafeString:
        """Return the reported message and those before it, as they read when it was reported."""
        names = dict(
            User.objects.filter(pk__in={row["sender"] for row in report.excerpt}).values_list(
                "pk", "username"
            )
        )
        rows = [
            {
                **row,
                "sender": names.get(row["sender"], row["sender"]),
                "created_at": parse_datetime(row["created_at"]),
            }
            for row in report.excerpt
        ]
        return render_to_string("admin/messaging/excerpt.html", {"rows": rows})

    @admin.display(description=_("the conversation around it"))
    def look_around(self, report: MessageReport) -> SafeString:
        """Return the way to more, for which a reason is asked."""
        url = reverse("admin:messaging_messagereport_conversation", args=[report.pk])
        return format_html('<a href="{}">{}</a>', url, _("Read on, with a reason"))

    @form_action(
        description=_("Uphold"),
        perm="messaging.handle_messagereport",
        form=UpholdForm,
        applies=is_open,
    )
    def uphold(self, request: HttpRequest, obj: MessageReport, data: dict[str, Any]) -> None:
        """Uphold the report: it is right."""
        services.uphold_report(
            actor=caller(request), report=obj, expected_version=read_version(obj), **data
        )

    @form_action(
        description=_("Dismiss"),
        perm="messaging.handle_messagereport",
        form=DismissForm,
        applies=is_open,
    )
    def dismiss(self, request: HttpRequest, obj: MessageReport, data: dict[str, Any]) -> None:
        """Nothing is wrong with the message."""
        services.dismiss_report(
            actor=caller(request), report=obj, expected_version=read_version(obj), **data
        )

    def get_urls(self) -> list[URLPattern]:
        """Return the page of the surrounding conversation."""
        page = path(
            "<int:report_id>/conversation/",
            self.admin_site.admin_view(self.conversation),
            name="messaging_messagereport_conversation",
        )
        return [page, *super().get_urls()]

    def conversation(self, request: HttpRequest, report_id: int) -> HttpResponse:
        """Ask for a reason, record it, show the surroundings once."""
        if not request.user.has_perm(READ):
            raise PermissionDenied
        report = get_object_or_404(MessageReport, pk=report_id)
        form = ReasonForm(request.POST or None)
        rows = None
        if request.method == "POST" and form.is_valid():
            try:
                rows = services.disclose_conversation(
                    actor=caller(request), report=report, reason=form.cleaned_data["reason"]
                )
            except DomainError as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Conversation around report #%(id)d") % {"id": report.pk},
            "opts": self.model._meta,
            "report": report,
            "form": form,
            "rows": rows,
        }
        response = TemplateResponse(request, "admin/messaging/conversation.html", context)
        response["Cache-Control"] = "no-store"
        return response
