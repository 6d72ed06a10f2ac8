"""What staff see where the risk desk looks at an account of their own: nothing of it."""

from collections.abc import Mapping

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from riskops.querysets.shown_scores import not_own
from systemadmin.errors import OwnInterest
from systemadmin.foundation.admin import AtalayaModelAdmin, refusal_text
from systemadmin.foundation.caller import caller
from systemadmin.foundation.parsing import is_whole_number
from systemadmin.services.duties import check_no_own_interest


class OthersModelAdmin(AtalayaModelAdmin):
    """Rows about accounts, without those about the accounts of whoever looks."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows about everybody else."""
        return not_own(super().get_queryset(request), caller(request))


class OwnAccount(PermissionDenied):
    """Somebody of staff asked for an account of their own."""


def back_to_list(pages: admin.ModelAdmin, request: HttpRequest) -> HttpResponseRedirect:
    """Go back to the list and say why, since the list links to every account."""
    text = _("This is about an account of your own: only colleagues look at it here.")
    pages.message_user(request, text, messages.WARNING)
    opts = pages.opts
    return redirect(f"admin:{opts.app_label}_{opts.model_name}_changelist")


def refused_for_own(
    pages: admin.ModelAdmin, request: HttpRequest, acts: Mapping[str, str]
) -> HttpResponseRedirect | None:
    """Say who may decide where an action was chosen for one's own row, which the list leaves out.

    `acts` names the decision behind each action. Returns None where nothing chosen is one's own.
    """
    chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
    accounts = [int(pk) for pk in chosen if is_whole_number(pk)]
    act = acts.get(request.POST.get("action", ""))
    try:
        if act:
            check_no_own_interest(actor=caller(request), concerns=accounts, act=act)
    except OwnInterest as refusal:
        pages.message_user(request, refusal_text(refusal), messages.ERROR)
        return redirect(request.get_full_path())
    return None
