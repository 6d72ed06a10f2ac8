"""The page of an account's open doors: sessions, tokens, password, second factor."""

from collections.abc import Callable
from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from systemadmin.foundation.admin import ReasonForm
from systemadmin.foundation.errors import DomainError, InvalidInput
from systemadmin.foundation.personal_data import masked, sees_personal_data
from systemadmin.models import StaffIdentity, User
from systemadmin.services import access_links, authentication, sessions, two_factor
from systemadmin.services.staff_identities import unlink_identity


class PasswordForm(forms.Form):
    """A new password for somebody else."""

    new_password = forms.CharField(
        label=gettext_lazy("New password"),
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, required=False)


def access_page(request: HttpRequest, site: Any, user_id: int) -> HttpResponse:
    """Show every open door of the account and do what the buttons say."""
    actor: Any = request.user
    if not actor.has_perm("systemadmin.end_sessions"):
        raise PermissionDenied
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise Http404
    password, reset = PasswordForm(), ReasonForm()
    if request.method == "POST":
        act = request.POST.get("act", "")
        password = PasswordForm(request.POST if act == "password" else None)
        reset = ReasonForm(request.POST if act in ("reset", "link", "unlink") else None)
        if _act(request, user, act, password, reset):
            return HttpResponseRedirect(request.path)
    context = {
        **site.each_context(request),
        "title": _("Sessions and tokens"),
        "subtitle": str(user),
        "account": user,
        "opts": User._meta,
        "accesses": sessions.shown_accesses(user, viewer=actor, current_access=request),
        "identities": _identities(actor, user),
        "may_unlink": actor.has_perm("systemadmin.manage_staff"),
        "has_two_factor": two_factor.confirmed_device(user) is not None,
        "may_set_password": actor.has_perm("systemadmin.set_password"),
        "may_be_given": authentication.may_be_given(user),
        "is_colleague": access_links.is_colleague(user),
        "may_reset": actor.has_perm("systemadmin.reset_two_factor"),
        "password_form": password,
        "reset_form": reset,
    }
    return TemplateResponse(request, "admin/systemadmin/user/access.html", context)


def _identities(actor: Any, user: User) -> list[StaffIdentity]:
    """Return how identity providers name the account, for whoever may look at that."""
    if not actor.has_perm("systemadmin.view_staffidentity"):
        return []
    found = list(StaffIdentity.everything.shown().filter(user=user).order_by("-id"))
    if not sees_personal_data(actor):
        for identity in found:
            identity.subject = masked(identity.subject)
    return found


def _act(
    request: HttpRequest, user: User, act: str, password: PasswordForm, reset: ReasonForm
) -> bool:
    """Do it and say so; False when a form has to be shown again."""
    try:
        text = _do(request, user, act, password, reset)
    except InvalidInput as refusal:
        for error in refusal.errors:
            password.add_error(error["field"] or None, str(error["detail"]))
        return False
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return True
    if text is None:
        return False
    messages.success(request, text)
    return True


def _do(
    request: HttpRequest, user: User, act: str, password: PasswordForm, reset: ReasonForm
) -> str | None:
    actor: Any = request.user
    if act == "end":
        sessions.end_one(actor=actor, user=user, access_id=request.POST.get("access", ""))
        return _("The session has ended.")
    if act == "end_all":
        return _ended(sessions.end_all(actor=actor, user=user, keep=request))
    if act == "password" and password.is_valid():
        _need(actor, "systemadmin.set_password")
        authentication.set_password(actor=actor, user=user, **password.cleaned_data)
        return _("The password is set, and every session and token has ended.")
    if act in WITH_REASON and reset.is_valid():
        permission, do = WITH_REASON[act]
        _need(actor, permission)
        return do(request, user, reset.cleaned_data["reason"])
    return None


def _send_link(request: HttpRequest, user: User, reason: str) -> str:
    access_links.reset_password(actor=cast(User, request.user), user=user, reason=reason)
    return _("A one-time link is on its way, and every session and token has ended.")


def _reset_two_factor(request: HttpRequest, user: User, reason: str) -> str:
    two_factor.reset(actor=cast(User, request.user), user=user, reason=reason)
    if access_links.is_colleague(user):
        return _("A one-time link is on its way, and every session and token has ended.")
    return _("The second factor is off.")


def _unlink(request: HttpRequest, user: User, reason: str) -> str:
    issuer = request.POST.get("issuer", "")
    unlink_identity(actor=cast(User, request.user), user=user, reason=reason, issuer=issuer)
    return _("The account is disconnected, and every session and token has ended.")


# What needs a reason: the permission for it, and what does it and says what happened.
WITH_REASON: Final[dict[str, tuple[str, Callable[[HttpRequest, User, str], str]]]] = {
    "link": ("systemadmin.set_password", _send_link),
    "reset": ("systemadmin.reset_two_factor", _reset_two_factor),
    "unlink": ("systemadmin.manage_staff", _unlink),
}


def _need(actor: Any, permission: str) -> None:
    if not actor.has_perm(permission):
        raise PermissionDenied


def _ended(count: int) -> str:
    return ngettext(
        "%(count)d session or token has ended.", "%(count)d sessions and tokens have ended.", count
    ) % {"count": count}


def end_members_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Ask for a reason, then end the sessions of everybody but staff."""
    actor: Any = request.user
    _need(actor, "systemadmin.end_member_sessions")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        ended = sessions.end_all_of_members(actor=actor, reason=form.cleaned_data["reason"])
        messages.success(request, _ended(ended))
        return HttpResponseRedirect(reverse("admin:systemadmin_user_changelist"))
    context = {
        **site.each_context(request),
        "title": _("Log every member out"),
        "opts": User._meta,
        "form": form,
    }
    return TemplateResponse(request, "admin/systemadmin/user/end_members.html", context)
