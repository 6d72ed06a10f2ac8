"""The admin's door for acts that wait: why they should be done is asked for, then they are kept."""

from dataclasses import asdict
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin.foundation.errors import Deferred, DomainError
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import ApprovalRequest
from systemadmin.services import approval_texts, approvals
from systemadmin.services.approval_notices import page_of
from systemadmin.services.approvers import who_may
from systemadmin.services.second_person import RequestDraft, SecondPersonNeeded, acts

KEPT: Final = "wishes_for_a_second_person"


class AskForm(forms.Form):
    """Ask for the reason of a request."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=approvals.LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def deferred(request: HttpRequest, found: Deferred) -> HttpResponse:
    """Keep requests for what waits, after asking why where the page did not ask already."""
    wishes = [one.wish for one in found.each() if isinstance(one, SecondPersonNeeded)]
    if all(is_visible(wish.reason) for wish in wishes):
        return _keep(request, wishes, "")
    request.session[KEPT] = [asdict(wish) for wish in wishes]
    return HttpResponseRedirect(reverse("admin:ask_second_person"))


def ask_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Ask why an act that needs a second person should be done, and keep the requests."""
    wishes = [RequestDraft.from_json(kept) for kept in request.session.get(KEPT, [])]
    if not wishes:
        return HttpResponseRedirect(reverse("admin:index"))
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        del request.session[KEPT]
        return _keep(request, wishes, form.cleaned_data["reason"])
    context = {
        **site.each_context(request),
        "title": _("This needs a second person"),
        "form": form,
        "wishes": [
            {
                "title": acts()[wish.act].title,
                "subject": wish.subject.name,
                "who": who_may(acts()[wish.act], wish.arguments)["text"],
            }
            for wish in wishes
        ],
    }
    return TemplateResponse(request, "admin/systemadmin/ask_second_person.html", context)


def _keep(request: HttpRequest, wishes: list[RequestDraft], reason: str) -> HttpResponse:
    actor: Any = request.user
    for wish in wishes:
        try:
            row = approvals.ask(actor=actor, wish=wish, reason=reason)
        except DomainError as refusal:
            messages.error(request, f"{wish.subject.name}: {refusal}")
        else:
            messages.warning(request, _message(actor, row))
    return HttpResponseRedirect(_after(actor))


def _message(actor: Any, row: ApprovalRequest) -> str:
    text = approval_texts.waiting_text(row)
    if not actor.has_perm("systemadmin.view_approvalrequest"):
        return text
    return format_html('<a href="{}">{}</a>', page_of(row), text)


def _after(actor: Any) -> str:
    if actor.has_perm("systemadmin.view_approvalrequest"):
        return reverse("admin:systemadmin_approvalrequest_changelist")
    return reverse("admin:index")
