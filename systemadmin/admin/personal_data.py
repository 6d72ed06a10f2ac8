"""The page with a person's data: export, legal holds, erasure and what it will do."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin.foundation.errors import DomainError
from systemadmin.models import AccountExport, LegalHold, User
from systemadmin.services import erasure, personal_exports

EXPORT, ERASE = "systemadmin.export_account", "systemadmin.erase_account"


class EraseForm(forms.Form):
    """Why, the user name once more, and whether open business may stay open."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)
    confirm = forms.CharField(label=gettext_lazy("User name of the account"), max_length=150)
    despite_open_business = forms.BooleanField(
        label=gettext_lazy("Erase despite open business"), required=False
    )


def personal_data_page(request: HttpRequest, site: Any, user_id: int) -> HttpResponseBase:
    """Show exports and what an erasure would do; ask for either."""
    user = _account(request, user_id)
    actor: Any = request.user
    form = EraseForm(request.POST if "erase" in request.POST else None)
    if request.method == "POST" and _act(request, user, form):
        return HttpResponseRedirect(request.path)
    context = {
        **site.each_context(request),
        "title": _("Personal data"),
        "subtitle": str(user),
        "account": user,
        "opts": User._meta,
        "may_export": actor.has_perm(EXPORT),
        "may_erase": actor.has_perm(ERASE),
        "exports": AccountExport.objects.filter(account=user)[:20],
        "holds": LegalHold.objects.in_force().of(user.pk),
        "state": erasure.state_of(user),
        "plan": erasure.tables(),
        "form": form,
    }
    return TemplateResponse(request, "admin/systemadmin/user/personal_data.html", context)


def export_file(request: HttpRequest, user_id: int, export_id: int) -> HttpResponseBase:
    """Download an export."""
    user = _account(request, user_id)
    actor: Any = request.user
    if not actor.has_perm(EXPORT):
        raise PermissionDenied
    export = AccountExport.objects.filter(account=user, pk=export_id).first()
    if export is None:
        raise Http404
    try:
        return personal_exports.download_export(actor=actor, export=export)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect("../../")


def _account(request: HttpRequest, user_id: int) -> User:
    actor: Any = request.user
    if not (actor.has_perm(EXPORT) or actor.has_perm(ERASE)):
        raise PermissionDenied
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise Http404
    return user


def _act(request: HttpRequest, user: User, form: EraseForm) -> bool:
    actor: Any = request.user
    asked = "erase" if "erase" in request.POST else "export"
    if not actor.has_perm(ERASE if asked == "erase" else EXPORT):
        raise PermissionDenied
    if asked == "erase" and not form.is_valid():
        return False
    try:
        if asked == "erase":
            erasure.request_erasure(actor=actor, user=user, **form.cleaned_data)
            messages.success(request, _("The erasure is queued."))
        else:
            personal_exports.request_export(actor=actor, user=user)
            messages.success(request, _("The export is queued."))
    except DomainError as refusal:
        if asked == "erase":
            form.add_error(None, str(refusal))
            return False
        messages.error(request, str(refusal))
    return True
