"""Legal holds in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import ServiceModelAdmin, form_action
from systemadmin.foundation.caller import caller
from systemadmin.models import LegalHold
from systemadmin.services.legal_holds import hold_account, release_hold


class ReleaseForm(forms.Form):
    """Why it ends."""

    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea)


class InForceFilter(admin.SimpleListFilter):
    """In force now, or over."""

    title = _("in force")
    parameter_name = "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.in_force() if self.value() == "yes" else queryset


@admin.register(LegalHold)
class LegalHoldAdmin(ServiceModelAdmin):
    """Whose data has to stay, until when and why."""

    list_display = ("account", "reason", "ends_at", "created_by", "released_at", "is_in_force")
    list_filter = (InForceFilter,)
    list_select_related = ("account", "created_by")
    search_fields = ("account__username__istartswith",)
    fields = ("account", "reason", "ends_at")
    autocomplete_fields = ("account",)
    actions = ("release",)

    def create(self, actor: Any, values: dict[str, Any]) -> LegalHold:
        """Hold the account; a hold is released, never changed or deleted."""
        return hold_account(actor=actor, user=values.pop("account"), **values)

    @admin.display(description=_("in force"), boolean=True)
    def is_in_force(self, obj: LegalHold) -> bool:
        return obj.released_at is None and obj.ends_at > timezone.now()

    @form_action(
        description=_("Release the hold"), perm="systemadmin.change_legalhold", form=ReleaseForm
    )
    def release(self, request: HttpRequest, obj: LegalHold, data: dict[str, Any]) -> None:
        """Let the data go its usual way again."""
        release_hold(actor=caller(request), hold=obj, **data)
