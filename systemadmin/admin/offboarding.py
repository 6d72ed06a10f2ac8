"""The page that off-boards an account of staff and shows what is left of it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin.foundation.errors import DomainError
from systemadmin.models import User
from systemadmin.services import offboarding


class OffboardForm(forms.Form):
    """Why, and who takes the work over."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)
    successor = forms.ModelChoiceField(
        label=gettext_lazy("Colleague who takes the work over"),
        queryset=User.objects.none(),
        required=False,
        help_text=gettext_lazy("Empty: tickets become free for every agent."),
    )

    def __init__(self, user: User, *args: Any) -> None:
        super().__init__(*args)
        field: Any = self.fields["successor"]
        field.queryset = User.objects.staff().exclude(pk=user.pk).order_by("username")


def offboarding_page(request: HttpRequest, site: Any, user_id: int) -> HttpResponse:
    """Show what an account has of staff's, before and after it is taken away."""
    actor: Any = request.user
    if not actor.has_perm("systemadmin.manage_staff"):
        raise PermissionDenied
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise Http404
    form = OffboardForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid() and _offboard(request, user, form):
        return HttpResponseRedirect(request.path)
    left = offboarding.what_is_left(user)
    context = {
        **site.each_context(request),
        "title": _("Off-board"),
        "subtitle": str(user),
        "account": user,
        "opts": User._meta,
        "left": left,
        "is_done": not any(one.count for one in left),
        "form": form,
    }
    return TemplateResponse(request, "admin/systemadmin/user/offboarding.html", context)


def _offboard(request: HttpRequest, user: User, form: OffboardForm) -> bool:
    actor: Any = request.user
    try:
        offboarding.offboard(actor=actor, user=user, **form.cleaned_data)
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        return False
    messages.success(request, _("The account is off-boarded."))
    return True
