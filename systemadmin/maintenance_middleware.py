"""Middleware of the base app: maintenance."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from systemadmin.foundation import maintenance
from systemadmin.foundation.api.problems import maintenance_response
from systemadmin.foundation.hard_maintenance import hard_state

GetResponse = Callable[[HttpRequest], HttpResponse]

ALWAYS_OPEN = ("/api/health", "/static/")
# Staff must be able to come in and switch it off; sign-in decides about members later.
OPEN_TO_STAFF = ("/admin/", "/i18n/", "/api/auth/login")


class HardMaintenanceMiddleware:
    """First in line: while a restore runs, nothing behind this touches the database."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # The path first: a probe must not wait for Redis.
        state = None if request.path_info.startswith(ALWAYS_OPEN) else hard_state()
        if state is None:
            return self.get_response(request)
        refusal = maintenance.UnderMaintenance(state.message or None, retry_after=state.retry_after)
        return maintenance_response(request, refusal)


class MaintenanceMiddleware:
    """Members wait outside; staff pass, and what they write meanwhile is audited.

    Token users are known only inside the view, so the API's base viewset asks the same
    question again for them (`foundation/api/views.py`).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.startswith(ALWAYS_OPEN) or path.startswith("/api/"):
            return self.get_response(request)
        refusal = maintenance.refusal(request.method)
        if refusal is None:
            return self.get_response(request)
        if not path.startswith(OPEN_TO_STAFF) and not _is_staff(request):
            return maintenance_response(request, refusal)
        response = self.get_response(request)
        if request.method not in maintenance.SAFE_METHODS and _is_staff(request):
            maintenance.write_bypassed.send(
                sender=type(self), user_id=request.user.pk, method=request.method, path=path
            )
        return response


def _is_staff(request: HttpRequest) -> bool:
    return getattr(request.user, "is_acting_staff", False)
