"""The audit trail in the admin: to look at, and to have verified."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from systemadmin.audit_guard import missing_guards
from systemadmin.audit_labels import action_label
from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import DomainError
from systemadmin.models import AuditEntry, AuditVerification
from systemadmin.roles import role_title
from systemadmin.services import audit_runs


class RoleFilter(admin.AllValuesFieldListFilter):
    """Who did it, by role, in words."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield the choices with the titles of the roles."""
        for choice in super().choices(changelist):
            yield {**choice, "display": role_title(str(choice["display"]))}


@admin.register(AuditEntry)
class AuditEntryAdmin(AtalayaModelAdmin):
    """Who did what, from where, under the state of the chain."""

    list_display = ["occurred_at", "what", "actor_name", "role", "target_name", "ip"]
    list_filter = [("actor_role", RoleFilter), "source"]
    search_fields = ["action__istartswith", "actor_name__istartswith", "target_id"]
    date_hierarchy = None
    change_list_template = "admin/systemadmin/audit_list.html"

    @admin.display(description=_("action"), ordering="action")
    def what(self, obj: AuditEntry) -> Any:
        """Say it in words; the code, which the search takes, is under the pointer."""
        return format_html('<span title="{}">{}</span>', obj.action, action_label(obj.action))

    @admin.display(description=_("actor role"), ordering="actor_role")
    def role(self, obj: AuditEntry) -> str:
        """Return the role in words."""
        return role_title(obj.actor_role) if obj.actor_role else "-"

    def get_urls(self) -> list[Any]:
        """Return the addresses, with that of verifying the trail."""
        wrap = self.admin_site.admin_view
        own = [path("verify/", wrap(self.verify), name="systemadmin_audit_verify")]
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the list under what the last verification found."""
        state = {"audit": audit_runs.audit_state(), "missing_triggers": missing_guards()}
        state["export_url"] = export_url(request)
        return super().changelist_view(request, {**state, **(extra_context or {})})

    def verify(self, request: HttpRequest) -> HttpResponse:
        """Queue a verification (POST only)."""
        if request.method != "POST" or not request.user.has_perm("systemadmin.view_auditentry"):
            raise PermissionDenied
        try:
            audit_runs.request_verification(actor=caller(request))
        except DomainError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("The verification is queued."))
        return HttpResponseRedirect(reverse("admin:systemadmin_auditentry_changelist"))


def export_url(request: HttpRequest) -> str:
    """Return the address of a file with the rows that the list shows, searched and filtered."""
    given = {
        "search": request.GET.get("q", ""),
        "actor_role": request.GET.get("actor_role", ""),
        "source": request.GET.get("source", ""),
    }
    chosen = urlencode({name: value for name, value in given.items() if value})
    page = reverse("audit-export")
    return f"{page}?{chosen}" if chosen else page


@admin.register(AuditVerification)
class AuditVerificationAdmin(AtalayaModelAdmin):
    """Every verification of the audit trail: who asked, how far it is, what it found."""

    list_display = [
        "created_at",
        "status",
        "holds",
        "checked",
        "total",
        "fault_count",
        "heads_compared",
        "actor_name",
    ]
    list_filter = ["status", "holds"]
    exclude = ["resume"]
