"""Accounts of staff that are connected with the identity provider, in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import ReasonForm, ServiceModelAdmin, form_action
from systemadmin.foundation.caller import caller
from systemadmin.models import StaffIdentity
from systemadmin.services.staff_identities import unlink_identity


@admin.register(StaffIdentity)
class StaffIdentityAdmin(ServiceModelAdmin):
    """Who signs in at the provider; made by signing in or by the command, cut here."""

    list_display = ("account", "issuer", "subject", "is_in_force", "created_at", "last_used_at")
    search_fields = ("user__username__istartswith",)
    search_help_text = _("Beginning of the user name.")
    ordering = ("-id",)
    fields = readonly_fields = ("account", "issuer", "subject", "created_at", "last_used_at")
    actions = ("unlink",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return StaffIdentity.everything.shown().order_by(*self.ordering)

    @admin.display(description=_("account"), ordering="user__username")
    def account(self, obj: StaffIdentity) -> str:
        return obj.user.get_username()

    @admin.display(description=_("in force"), boolean=True)
    def is_in_force(self, obj: StaffIdentity) -> bool:
        return obj.is_in_force

    @form_action(description=_("Disconnect"), perm="systemadmin.manage_staff", form=ReasonForm)
    def unlink(self, request: HttpRequest, obj: StaffIdentity, data: dict[str, Any]) -> None:
        """Cut the connection; every session and token of the account ends."""
        unlink_identity(actor=caller(request), user=obj.user, issuer=obj.issuer, **data)
