"""The review list: what waits for a second person, decided here."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin.foundation.admin import AtalayaModelAdmin, form_action, service_action
from systemadmin.foundation.money import format_money
from systemadmin.models import ApprovalRequest
from systemadmin.services import approval_texts, approvals
from systemadmin.services.approvers import DECIDE, obstacle, who_may
from systemadmin.services.second_person import act_named


class ApproveForm(forms.Form):
    """Ask for an optional remark on an approval."""

    reason = forms.CharField(
        label=gettext_lazy("Remark"), required=False, max_length=approvals.LONGEST_REASON
    )


class RefuseForm(forms.Form):
    """Ask for the reason of a refusal."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=approvals.LONGEST_REASON)


class StateFilter(admin.SimpleListFilter):
    """By state: what nobody decided in time has expired."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(ApprovalRequest.State.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.standing(self.value()) if self.value() else queryset


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(AtalayaModelAdmin):
    """Who asks for what, why, and until when."""

    list_display = [
        "title_shown",
        "subject_name",
        "amount_shown",
        "asked_by_name",
        "reason",
        "standing_shown",
        "expires_at",
    ]
    list_filter = [StateFilter, "kind"]
    list_select_related = ["asked_by", "decided_by"]
    search_fields = ["subject_name__istartswith", "asked_by_name__istartswith"]
    ordering = ["-id"]
    actions = ["approve", "refuse", "withdraw"]
    exclude = ["arguments", "subject_state", "state"]
    readonly_fields = ["standing_shown"]

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def standing_shown(self, obj: ApprovalRequest) -> str:
        """Where it stands by the clock."""
        return obj.get_standing_display()

    @admin.display(description=gettext_lazy("act"), ordering="act")
    def title_shown(self, obj: ApprovalRequest) -> str:
        """Return what would be done."""
        return str(act_named(obj.act).title)

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def amount_shown(self, obj: ApprovalRequest) -> str:
        """Return the amount with its currency; empty without one."""
        return "" if obj.amount is None else format_money(obj.amount, obj.currency)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return one request, with its object as it is now and the buttons."""
        row = self.get_object(request, object_id)
        context = {} if row is None else _context(request, row)
        # The page has buttons of its own, each where it may be pressed.
        context["object_actions"] = []
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    @form_action(description=gettext_lazy("Approve and do it"), perm=DECIDE, form=ApproveForm)
    def approve(self, request: HttpRequest, obj: ApprovalRequest, data: dict[str, Any]) -> None:
        """Do it now, as it was asked for."""
        actor: Any = request.user
        row = approvals.approve(actor=actor, request=obj, reason=data["reason"])
        if row.state == ApprovalRequest.State.FAILED:
            text = _("%(what)s was not done: %(why)s")
            values = {"what": row.subject_name, "why": row.result["error"]}
            self.message_user(request, text % values, messages.ERROR)

    @form_action(description=gettext_lazy("Refuse"), perm=DECIDE, form=RefuseForm)
    def refuse(self, request: HttpRequest, obj: ApprovalRequest, data: dict[str, Any]) -> None:
        """Nothing is done; who asked reads why."""
        actor: Any = request.user
        approvals.refuse(actor=actor, request=obj, reason=data["reason"])

    @service_action(
        description=gettext_lazy("Withdraw (one's own)"), perm="systemadmin.view_approvalrequest"
    )
    def withdraw(self, request: HttpRequest, obj: ApprovalRequest) -> None:
        """Take one's own request back."""
        actor: Any = request.user
        approvals.withdraw(actor=actor, request=obj)


def _context(request: HttpRequest, row: ApprovalRequest) -> dict[str, Any]:
    actor: Any = request.user
    act = act_named(row.act)
    why_not = obstacle(actor, row, act)
    return {
        "act_title": act.title,
        "facts": approval_texts.facts(row, viewer=actor),
        "caution": approval_texts.caution_of(row, viewer=actor),
        "who": who_may(act, row.arguments)["text"],
        "why_not": why_not,
        "may_decide": not why_not,
        "is_own": actor.pk == row.asked_by_id,
    }
