"""What staff see where the risk desk looks at an account of their own: nothing of it."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext as _


class OwnAccount(PermissionDenied):
    """Somebody of staff asked for an account of their own."""


def back_to_list(pages: admin.ModelAdmin, request: HttpRequest) -> HttpResponseRedirect:
    """Go back to the list and say why, since the list links to every account."""
    text = _("This is about an account of your own: only colleagues look at it here.")
    pages.message_user(request, text, messages.WARNING)
    opts = pages.opts
    return redirect(f"admin:{opts.app_label}_{opts.model_name}_changelist")
