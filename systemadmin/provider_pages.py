"""Pages of the sign-in by the identity provider: leaving for it, coming back, signing out there."""

from typing import Any, Final

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth import login as auth_login
from django.contrib.auth import logout as django_logout
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from systemadmin.backends import PROVIDER_BACKEND
from systemadmin.errors.identity_provider import ProviderDenied, SignInNotBegun
from systemadmin.foundation.context import current
from systemadmin.foundation.errors import DomainError
from systemadmin.models import StaffIdentity
from systemadmin.services import staff_identities, staff_provider
from systemadmin.services.staff_provider import Flow, Verified
from systemadmin.sign_in_pages import after_first_step, next_url, provider_context

LONGEST_ADDRESS: Final = 1000
_TOKEN: Final = "provider_id_token"  # noqa: S105 - the name of a place in the session


def _cookie() -> str:
    # With this prefix browsers take the cookie from this host alone, not from one beside it.
    return "__Host-atalaya-sign-in" if settings.SESSION_COOKIE_SECURE else "atalaya-sign-in"


def _short(then: str) -> str:
    # Browsers drop a cookie of more than 4 kB; an address as long as that is not worth it.
    return then if len(then) <= LONGEST_ADDRESS else reverse("admin:index")


def begin_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Send the browser to the provider; what it will bring back is noted in a cookie of its own."""
    _check_offered()
    try:
        flow, url = staff_provider.begin(then=_short(next_url(request)))
    except DomainError as refusal:
        return _refused(request, site, refusal)
    response = HttpResponseRedirect(url)
    response.set_cookie(
        _cookie(),
        flow.sealed(),
        max_age=staff_provider.FLOW_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",  # the way back is a link from another site
    )
    return response


def callback_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Take what the provider sent back; every answer is looked at once."""
    _check_offered()
    try:
        flow, verified = _answer(request)
        identity = staff_identities.account_of(verified)
    except DomainError as refusal:
        response = _refused(request, site, refusal)
    else:
        response = _sign_in(request, flow, verified, identity)
    response.delete_cookie(_cookie(), samesite="Lax")
    return response


def _check_offered() -> None:
    if not staff_provider.is_offered():
        raise Http404


def _answer(request: HttpRequest) -> tuple[Flow, Verified]:
    """Return whom the provider signed in; raises the refusal, which is audited."""
    try:
        flow = Flow.opened(request.COOKIES.get(_cookie(), ""))
        if "error" in request.GET:
            staff_provider.check_state(flow, request.GET.get("state", ""))
            raise ProviderDenied
        code = staff_provider.check_answer(flow, request.GET)
        _use_up(flow)
        return flow, staff_provider.redeem(flow, code)
    except DomainError as refusal:
        staff_identities.note_refused(refusal)
        raise


def _use_up(flow: Flow) -> None:
    """Let each sign-in come back once, in whichever web process."""
    if not cache.add(f"staff-sign-in-{flow.state}", 1, 2 * staff_provider.FLOW_SECONDS):
        raise SignInNotBegun


def _sign_in(
    request: HttpRequest, flow: Flow, verified: Verified, identity: StaffIdentity
) -> HttpResponse:
    user = identity.user
    # Nothing of whoever used this browser before stays, and no session known to others.
    django_logout(request)
    request.session[_TOKEN] = verified.token
    request.session.set_expiry(settings.STAFF_OIDC_SESSION_MINUTES * 60)
    user.backend = PROVIDER_BACKEND
    if staff_provider.vouches_for_second_factor(verified.claims):
        user.otp_device = identity  # django-otp puts it into the session that login() makes
        auth_login(request, user, backend=PROVIDER_BACKEND)
        return HttpResponseRedirect(flow.then)
    return after_first_step(request, user, flow.then)


def _refused(request: HttpRequest, site: Any, refusal: DomainError) -> HttpResponse:
    context = {
        **site.each_context(request),
        "title": _("You are not signed in"),
        "refusal": refusal,
        "request_id": current().request_id,
        **provider_context(),
        "then": next_url(request),
    }
    template = "admin/atalaya/sign_in_refused.html"
    response = TemplateResponse(request, template, context, status=refusal.status)
    for name, value in refusal.headers.items():
        response[name] = value
    return response


# -- signing out -----------------------------------------------------------------------


def way_out(request: HttpRequest) -> str:
    """Return where this session signs out at the provider; "" where there is nothing to do."""
    if request.method != "POST" or request.session.get(BACKEND_SESSION_KEY) != PROVIDER_BACKEND:
        return ""
    if not staff_provider.is_offered():
        return ""
    return staff_provider.end_session_url(request.session.get(_TOKEN, ""))


def signed_out_page(request: HttpRequest, site: Any, url: str) -> HttpResponse:
    """Lead on to the provider's own sign-out.

    A page and no redirect: the policy of our pages lets no form lead to another site.
    """
    context = {
        **site.each_context(request),
        "title": _("You are signed out here"),
        "way_out": url,
        **provider_context(),
    }
    return TemplateResponse(request, "admin/atalaya/signed_out.html", context)
