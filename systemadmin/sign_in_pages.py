"""Sign-in to the admin in two steps, and the page of one's own second factor."""

import time
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth import login as auth_login
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp import login as otp_login

from systemadmin.errors import SignInLocked, SignInSuspended
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import DomainError
from systemadmin.models import User
from systemadmin.services import authentication, demo_2fa, sign_in_lock, two_factor
from systemadmin.services.qr import qr_svg
from systemadmin.services.staff_provider import is_offered

# How long a password that was right may wait for its code.
PENDING_SECONDS: Final = 300
_PENDING: Final = "sign_in_pending"


class SignInForm(AdminAuthenticationForm):
    """Name and password; the code is asked on its own page, so the password never comes back."""

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if user.is_suspended:
            raise ValidationError(str(SignInSuspended.of(user)), code="account_suspended")


class CodeForm(forms.Form):
    """A code of the authenticator app, or a recovery code."""

    otp_code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=32,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "class": "vTextField"}
        ),
    )


def next_url(request: HttpRequest) -> str:
    """Where the sign-in should end, if that is one of our own pages."""
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else reverse("admin:index")


def lacks_second_factor(request: HttpRequest) -> bool:
    """Return whether this is a staff session whose second factor is still to come."""
    user: Any = request.user
    return (
        user.is_authenticated
        and user.is_active
        and user.is_staff
        and two_factor.is_needed(user)
        and not user.is_verified()
    )


def way_to_verify(user: User) -> str:
    """Return the page on which a staff session gets its second factor."""
    has_way = two_factor.confirmed_device(user) is not None or demo_2fa.is_offered(user)
    return reverse("admin:login_code" if has_way else "admin:two_factor")


def sign_in(request: HttpRequest, site: Any) -> HttpResponse:
    """Return the first step: name and password."""
    form = SignInForm(request, request.POST or None)
    if request.method == "POST":
        return _take_password(request, site, form)
    if request.method == "GET" and site.has_permission(request):
        return HttpResponseRedirect(next_url(request))
    if request.method == "GET" and lacks_second_factor(request):
        return _redirect(way_to_verify(caller(request)), next_url(request))
    return _sign_in_page(request, site, form)


def _take_password(request: HttpRequest, site: Any, form: SignInForm) -> HttpResponse:
    if form.is_valid():
        return after_first_step(request, form.get_user(), next_url(request))
    passed = _pass_lock(request, form) if getattr(request, "axes_locked_out", False) else None
    return passed or _sign_in_page(request, site, form)


def _pass_lock(request: HttpRequest, form: SignInForm) -> HttpResponse | None:
    """Let the owner of a locked account in by password and recovery or one-time code."""
    found = sign_in_lock.pass_lock(
        http=request,
        username=form.cleaned_data.get("username", ""),
        password=form.cleaned_data.get("password", ""),
        code=form.data.get("otp_code", "")[:32],
        staff_only=True,
    )
    if found is None:
        return None
    user, device = found
    if device is None:
        return after_first_step(request, user, next_url(request))
    return _finish(request, user, device)


def after_first_step(request: HttpRequest, user: User, then: str) -> HttpResponse:
    """Ask for the second factor, lead to its set-up, or sign in where none is needed.

    The first step, a password or the word of the provider, was right; `user.backend` names it.
    """
    has_device = two_factor.confirmed_device(user) is not None
    if has_device or (demo_2fa.is_offered(user) and two_factor.is_needed(user)):
        request.session[_PENDING] = {
            "user": user.pk,
            "backend": user.backend,
            "password": user.get_session_auth_hash(),
            "at": time.time(),
        }
        return _redirect(reverse("admin:login_code"), then)
    auth_login(request, user)
    if two_factor.is_needed(user):
        return HttpResponseRedirect(reverse("admin:two_factor"))
    return HttpResponseRedirect(then)


def _sign_in_page(request: HttpRequest, site: Any, form: SignInForm) -> HttpResponse:
    context = {
        **site.each_context(request),
        "title": _("Log in"),
        "subtitle": None,
        "form": form,
        "next": next_url(request),
        "app_path": request.path,
        "username": request.user.get_username(),
        "local_sign_in": settings.STAFF_LOCAL_SIGN_IN,
        **provider_context(),
    }
    refusal: DomainError | None = None
    if getattr(request, "axes_locked_out", False):
        refusal = sign_in_lock.refusal(request, form.data.get("username", ""))
        context["refusal"] = refusal
    return _page(request, "admin/atalaya/login.html", context, refusal)


def provider_context() -> dict[str, Any]:
    """Return what the sign-in page says of the identity provider, if there is one."""
    if not is_offered():
        return {}
    return {"provider_label": settings.STAFF_OIDC_LABEL or _("single sign-on")}


def _page(
    request: HttpRequest, template: str, context: dict[str, Any], refusal: DomainError | None
) -> HttpResponse:
    locked = isinstance(refusal, SignInLocked)
    response = TemplateResponse(request, template, context, status=429 if locked else None)
    for name, value in (refusal.headers if locked and refusal else {}).items():
        response[name] = value
    return response


def _redirect(url: str, then: str) -> HttpResponse:
    return HttpResponseRedirect(f"{url}?{urlencode({REDIRECT_FIELD_NAME: then})}")


# -- the second step -------------------------------------------------------------------


def _pending_user(request: HttpRequest) -> User | None:
    """Return whose code is awaited: a fresh, right password, or a session that lost its factor."""
    pending = request.session.get(_PENDING)
    if pending and time.time() - pending["at"] <= PENDING_SECONDS:
        user = User.objects.filter(pk=pending["user"]).first()
        # A password changed meanwhile ends what the old one began.
        if user is not None and user.get_session_auth_hash() == pending["password"]:
            user.backend = pending["backend"]
            return user
    if lacks_second_factor(request):
        return caller(request)
    return None


def enter_code(request: HttpRequest, site: Any) -> HttpResponse:
    """Return the second step: the code of the app, a recovery code or the demo code."""
    user = _pending_user(request)
    if user is None:
        return _redirect(reverse("admin:login"), next_url(request))
    form = CodeForm(request.POST or None)
    refusal: DomainError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            device = authentication.check_second_factor(
                http=request, user=user, code=form.cleaned_data["otp_code"]
            )
        except DomainError as error:
            refusal = error
            form.add_error("otp_code", str(error))
        else:
            return _finish(request, user, device)
    context = {
        **site.each_context(request),
        "title": _("Second step"),
        "form": form,
        "next": next_url(request),
        "demo_code_offered": demo_2fa.is_offered(user),
    }
    return _page(request, "admin/atalaya/login_code.html", context, refusal)


def _finish(request: HttpRequest, user: User, device: Any) -> HttpResponse:
    request.session.pop(_PENDING, None)
    then = next_url(request)
    if request.user.is_authenticated and request.user.pk == user.pk:
        otp_login(request, device)
    else:
        user.otp_device = device  # django-otp puts it into the session that login() makes
        auth_login(request, user, backend=user.backend)
    return HttpResponseRedirect(then)


# -- one's own second factor -----------------------------------------------------------


def two_factor_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Enrol, replace or remove one's authenticator app; renew recovery codes."""
    user: Any = request.user
    if not getattr(user, "is_acting_staff", False):
        return _redirect(reverse("admin:login"), request.path)
    if lacks_second_factor(request) and two_factor.confirmed_device(user) is not None:
        return _redirect(reverse("admin:login_code"), request.path)
    form = CodeForm(request.POST or None)
    form.fields["otp_code"].required = False
    codes: list[str] = []
    if request.method == "POST" and form.is_valid():
        try:
            codes = _act(request, request.POST.get("act", ""), form.cleaned_data["otp_code"])
        except DomainError as error:
            form.add_error("otp_code", str(error))
    context = {
        **site.each_context(request),
        **_standing(user),
        "title": _("Second factor"),
        "form": form,
        "codes": codes,
    }
    return TemplateResponse(request, "admin/atalaya/two_factor.html", context)


def _standing(user: User) -> dict[str, Any]:
    """Return what the page tells about the account's second factor."""
    pending = two_factor.pending_enrolment(user)
    return {
        "enabled": two_factor.confirmed_device(user) is not None,
        "mandatory": two_factor.is_needed(user),
        "codes_left": two_factor.recovery_codes_left(user),
        "pending": pending,
        # Our own rendering of our own text: markup without styles or scripts.
        "qr": mark_safe(qr_svg(pending.otpauth_url)) if pending else "",  # noqa: S308
    }


def _act(request: HttpRequest, act: str, code: str) -> list[str]:
    """Do what the button says; returns recovery codes where there are new ones."""
    user: Any = request.user
    if act == "begin":
        two_factor.begin_setup(user=user, code=code)
    elif act == "confirm":
        return authentication.confirm_two_factor(user=user, code=code, access=request)
    elif act == "recovery_codes":
        return two_factor.regenerate_recovery_codes(user=user, code=code)
    elif act == "disable":
        two_factor.disable(user=user, code=code)
    return []


class OwnPasswordView(PasswordChangeView):
    """Django's page; the change goes through our service, which ends all other sessions."""

    def form_valid(self, form: Any) -> HttpResponse:
        authentication.change_password(
            user=form.user,
            current_password=form.cleaned_data["old_password"],
            new_password=form.cleaned_data["new_password1"],
            keep=self.request,
        )
        return HttpResponseRedirect(self.get_success_url())


def switch_language(request: HttpRequest) -> HttpResponse:
    """Change the language of the pages, and of the notices sent to this account."""
    language = request.POST.get("language", "")
    response = HttpResponseRedirect(next_url(request))
    if request.method == "POST" and language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=365 * 24 * 3600,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
        if request.user.is_authenticated:
            User.objects.filter(pk=request.user.pk).update(language=language)
    return response
