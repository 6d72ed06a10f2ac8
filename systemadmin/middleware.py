"""Middleware of the base app."""

from collections.abc import Callable

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse

from systemadmin.services.sessions import note_seen


class SessionSeenMiddleware:
    """Keep "last seen" of browser sessions, so that staff can tell a forgotten one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # API calls carry tokens, and touching their session would cost each of them a query.
        if not request.path_info.startswith("/api/") and SESSION_KEY in request.session:
            note_seen(session_key=request.session.session_key)
        return self.get_response(request)
