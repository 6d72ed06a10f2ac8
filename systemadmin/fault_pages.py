"""Refusals and failures as pages of the place: what happened, and what to do next.

A request of htmx gets the sentences alone: `shell.js` shows them as a notice and leaves the page,
with all that was typed, as it is.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from systemadmin.foundation.api import problems
from systemadmin.foundation.context import current
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.page_limits import PageRateLimitMiddleware

PLAIN = "text/plain; charset=utf-8"


class StaffPageLimitMiddleware(PageRateLimitMiddleware):
    """The limits of pages, refused by a page of the admin where it is one of the admin's."""

    def refuse(self, request: HttpRequest, refusal: DomainError) -> HttpResponseBase:
        """Say for how long to wait."""
        if not _is_staff_page(request):
            return super().refuse(request, refusal)
        seconds = int(refusal.headers.get("Retry-After", 5))
        wait = ngettext(
            "Wait %(n)s second, then send it again.",
            "Wait %(n)s seconds, then send it again.",
            seconds,
        ) % {"n": seconds}
        response = fault(request, refusal.status, _("That was too much at once."), wait)
        for name, value in refusal.headers.items():
            response[name] = value
        return response


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    if not _is_staff_page(request):
        return problems.forbidden(request, exception)
    advice = _("Your role does not include it. If your work needs it, ask a superuser for it.")
    return fault(request, 403, _("You may not do this."), advice)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    if not _is_staff_page(request):
        return problems.not_found(request, exception)
    advice = _("It was removed, or the address has a mistake. Search for it by name or number.")
    return fault(request, 404, _("There is nothing here."), advice)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: without the shell, which might fail for the same reason."""
    if not _is_staff_page(request) or problems.is_database_down():
        return problems.server_error(request)
    advice = _("It is on record. Try again; if it happens again, report it.")
    return fault(request, 500, _("Something went wrong on our side."), advice)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: mostly a page that was open while one signed in anew."""
    advice = _("It was open for long, or you signed in anew. Go back, reload it and send it again.")
    return fault(request, 403, _("This page is too old to be sent."), advice)


def fault(request: HttpRequest, status: int, title: str, advice: str) -> HttpResponse:
    """Return the page of a fault, in the shell for staff who are signed in."""
    if request.headers.get("HX-Request"):
        return HttpResponse(f"{title} {advice}", status=status, content_type=PLAIN)
    context: dict[str, Any] = {}
    if status < 500 and hasattr(request, "user"):
        context |= admin.site.each_context(request)
    context |= {
        "title": title,
        "advice": advice,
        "status": status,
        "request_id": current().request_id,
    }
    return render(request, "admin/atalaya/fault.html", context, status=status)


def _is_staff_page(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("admin:index"))
