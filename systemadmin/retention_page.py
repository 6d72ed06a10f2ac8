"""The admin's page of retention: how much each table holds, what goes next, what went wrong."""

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from systemadmin.services.retention import retention_overview


def retention_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Return every table, largest first."""
    if not request.user.has_perm("systemadmin.view_retention"):
        raise PermissionDenied
    context = {
        **site.each_context(request),
        "title": _("Retention"),
        "tables": retention_overview(),
        "may_change": request.user.has_perm("systemadmin.change_systemconfig"),
    }
    return TemplateResponse(request, "admin/systemadmin/retention.html", context)
