"""Middleware that gives each request its identity and the API its paths."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from systemadmin.foundation.client_ip import client_ip
from systemadmin.foundation.context import (
    REASON_HEADER,
    context,
    note_user,
    sane_request_id,
    stated_reason,
)

GetResponse = Callable[[HttpRequest], HttpResponse]
HEALTH_PATHS = frozenset({"/api/health", "/api/health/", "/api/health/ready", "/api/health/ready/"})


class HealthHostMiddleware:
    """Answer health and readiness under any host name.

    A balancer calls by address, a container by its name, and neither can be listed in
    `ALLOWED_HOSTS`. Nothing is built from the host of these requests; every other path keeps
    Django's check.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in HEALTH_PATHS:
            request.get_host = _health_host  # type: ignore[method-assign]
        return self.get_response(request)


def _health_host() -> str:
    return "health"


class RequestContextMiddleware:
    """Put request id, address and path in force; answer with `X-Request-ID`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = sane_request_id(request.headers.get("X-Request-ID"))
        with context(
            request_id=request_id,
            ip=client_ip(request),
            user_id=None,
            source="web",
            path=request.path,
            user_agent=request.headers.get("User-Agent", "")[:300],
            stated_reason=stated_reason(request.headers.get(REASON_HEADER, "")),
        ):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class TrafficMiddleware:
    """Count every answer for the status page (`settings.TRAFFIC` names who counts)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.counter = import_string(settings.TRAFFIC) if settings.COUNT_REQUESTS else None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self.counter is None or request.path_info in HEALTH_PATHS:
            return self.get_response(request)
        started = time.perf_counter()
        response = self.get_response(request)
        self.counter.count_request((time.perf_counter() - started) * 1000, response.status_code)
        self.counter.flush_if_due()
        return response


class ApiPathMiddleware:
    """Accept one trailing slash on API paths: the routes are written without it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.startswith("/api/") and path.endswith("/") and len(path) > len("/api/"):
            request.path_info = path[:-1]
        return self.get_response(request)


class UserContextMiddleware:
    """Note the session's user before the view runs (token users are noted by DRF)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/") and request.user.is_authenticated:
            note_user(request.user.pk)
        return self.get_response(request)
