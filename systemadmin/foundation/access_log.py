"""One line in the log for every request that was answered."""

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from systemadmin.foundation.context import current

logger = logging.getLogger("atalaya.access")


class AccessLogMiddleware:
    """Logs method, path, status, duration and user; the query string stays out of the log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self.get_response(request)
        duration_ms = round((time.perf_counter() - started) * 1000, 1)
        logger.log(
            logging.WARNING if response.status_code >= 500 else logging.INFO,
            "%s %s %d",
            request.method,
            request.path,
            response.status_code,
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "duration_ms": duration_ms,
                "user": _user_id(request),
                "ip": current().ip,
            },
        )
        return response


def _user_id(request: HttpRequest) -> int | None:
    # DRF authenticates inside the view, so Django's own request.user is anonymous for a bearer
    # token; and asking a lazy session user here would cost a query on every request.
    return getattr(request, "_atalaya_user_id", None) or current().user_id
