"""The page behind a one-time link: a new password, or the way to a new second factor."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin.errors import LinkNotValid
from systemadmin.foundation.admin.refusals import add_refusal
from systemadmin.foundation.errors import DomainError
from systemadmin.models import AccessLink
from systemadmin.services import authentication, two_factor
from systemadmin.services.access_links import find_link


class OwnPasswordForm(forms.Form):
    """The password, which whoever took the mail does not know."""

    password = forms.CharField(
        label=gettext_lazy("Your password"), strip=False, widget=forms.PasswordInput
    )


def access_link_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the form of the link's purpose; looking at it does not use the link up."""
    token = request.GET.get("token", "")
    try:
        link = find_link(token)
    except LinkNotValid as refusal:
        return _page(request, site, None, str(refusal))
    form: Any
    if link.purpose == AccessLink.Purpose.PASSWORD:
        form = SetPasswordForm(link.user, request.POST or None)
    else:
        form = OwnPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _use(request, link, form):
        return HttpResponseRedirect(reverse("admin:login"))
    return _page(request, site, form, "")


def _use(request: HttpRequest, link: AccessLink, form: Any) -> bool:
    try:
        if link.purpose == AccessLink.Purpose.PASSWORD:
            authentication.choose_password(
                link=link, new_password=form.cleaned_data["new_password1"]
            )
            messages.success(request, _("Your new password is set. Sign in with it."))
        else:
            two_factor.give_up_by_link(link=link, password=form.cleaned_data["password"])
            text = _("The old second factor is off. Sign in and set up a new one.")
            messages.success(request, text)
    except DomainError as refusal:
        add_refusal(form, refusal)
        return False
    return True


def _page(request: HttpRequest, site: Any, form: Any, refusal: str) -> HttpResponse:
    context = {
        **site.each_context(request),
        "title": _("The security of your account"),
        "form": form,
        "refusal": refusal,
    }
    status = 410 if refusal else 200
    return TemplateResponse(request, "admin/systemadmin/access_link.html", context, status=status)
