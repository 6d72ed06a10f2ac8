"""Rate limits for pages that are not endpoints of the API: the admin, its login form, the docs."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.api.problems import plain_problem, wants_problem
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.ratelimit import (
    RateLimitUnavailable,
    default_class,
    hit,
    ratelimit_headers,
    remember,
)

# Steps of one sign-in, counted apart: together they would halve what an office may do.
_SIGN_IN = {"login": "login", "login_code": "second_factor", "two_factor": "second_factor"}
_FROM_PROVIDER = "provider_callback"


class TooManyRequests(DomainError):
    """429: the limit of this class is used up."""

    status = 429
    code = "throttled"
    title = _("Too many requests. Wait a moment and try again.")


class PageRateLimitMiddleware:
    """Counts plain Django views; an API view's own throttle knows whose token it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in ratelimit_headers(request).items():
            response.headers.setdefault(name, value)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if hasattr(getattr(view, "cls", None), "throttle_classes"):
            return None
        user = getattr(request, "user", None)
        is_staff = getattr(user, "is_acting_staff", False)
        if is_staff and getattr(view, "is_heartbeat", False):
            return None
        rate_class = _rate_class(request, is_staff=is_staff)
        try:
            usage = hit(request, rate_class, user_id=getattr(user, "pk", None))
        except RateLimitUnavailable as refusal:
            return self.refuse(request, refusal)
        if usage is None:
            return None
        remember(request, usage)
        if not usage.is_exceeded:
            return None
        wait = {"Retry-After": str(max(1, usage.reset))}
        return self.refuse(request, TooManyRequests(headers=wait))

    def refuse(self, request: HttpRequest, refusal: DomainError) -> HttpResponseBase:
        """Answer what is too much: a problem for clients, its sentence for browsers."""
        if wants_problem(request):
            return plain_problem(refusal)
        return HttpResponse(
            str(refusal.detail),
            status=refusal.status,
            headers=refusal.headers,
            content_type="text/plain; charset=utf-8",
        )


def heartbeat(view: Any) -> Any:
    """Mark a view that pages ask by themselves, again and again: staff's are not counted."""
    view.is_heartbeat = True
    return view


def _rate_class(request: HttpRequest, *, is_staff: bool) -> str:
    match = request.resolver_match
    if request.method == "POST" and match is not None:
        named = _SIGN_IN.get(match.url_name or "")
        if named:
            return named
    if match is not None and match.url_name == _FROM_PROVIDER:
        return "login"  # whoever it is, it makes us call the identity provider
    if is_staff:
        # Who works through a queue sends more in a minute than a member ever does.
        return "staff"
    return default_class(request.method)
