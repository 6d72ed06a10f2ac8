"""Closed months in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.columns import turnover_shown
from marketplace.admin.forms import MonthField
from marketplace.models import ClosedMonth
from systemadmin.foundation.admin import ReasonForm, ServiceModelAdmin, form_action, service_action
from systemadmin.foundation.caller import caller


class CloseMonthForm(forms.ModelForm):
    """Ask which month to close; the oldest open one is filled in."""

    month = MonthField(label=_("Month"))
    is_sure = forms.BooleanField(
        label=_("Close it for good"),
        help_text=_("Only a superuser can open it again, and only the month that was closed last."),
    )

    class Meta:
        model = ClosedMonth
        fields = ["month", "note"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "month" in self.fields:
            self.fields["month"].initial = f"{services.month_to_close():%Y-%m}"
            self.fields["month"].help_text = _(
                "Its books are checked first. Then nothing more is booked in it: what comes later "
                "counts when it comes and refers to this month."
            )


@admin.register(ClosedMonth)
class ClosedMonthAdmin(ServiceModelAdmin):
    """Close a month by adding it here."""

    form = CloseMonthForm
    list_display = ["__str__", "closed_by", "closed_at", "reopened_at", "note"]
    list_select_related = ["closed_by"]
    ordering = ["-month", "-id"]
    readonly_fields = ["month_shown", "closed_at", "totals_shown"]
    actions = ["make_statements", "reopen"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return month and note when it is closed; everything afterwards."""
        if obj is None:
            return ["month", "note", "is_sure"]
        return [
            "month_shown", "closed_by", "closed_at", "note", "totals_shown", "reopened_by",
            "reopened_at", "reopen_reason",
        ]  # fmt: skip

    @admin.display(description=_("closed at"), ordering="created_at")
    def closed_at(self, closed: ClosedMonth) -> Any:
        """Return when it was closed."""
        return closed.created_at

    @admin.display(description=_("month"))
    def month_shown(self, closed: ClosedMonth) -> str:
        """Return the month in words."""
        return date_format(closed.month, "YEAR_MONTH_FORMAT")

    @admin.display(description=_("turnover"))
    def totals_shown(self, closed: ClosedMonth) -> Any:
        """Return what was booked in the month, by kind of account."""
        return turnover_shown(closed.totals)

    def create(self, actor: Any, values: dict[str, Any]) -> ClosedMonth:
        """Close the month by its service."""
        return services.close_month(actor=actor, month=values["month"], note=values["note"])

    @service_action(
        description=_("Make statements and invoices"), perm="marketplace.add_sellerstatement"
    )
    def make_statements(self, request: HttpRequest, obj: ClosedMonth) -> None:
        """For every seller; those that exist stay as they are."""
        services.make_statements(actor=caller(request), month=obj.month)

    @form_action(
        description=_("Open again"), form=ReasonForm, perm="marketplace.reopen_closedmonth"
    )
    def reopen(self, request: HttpRequest, obj: ClosedMonth, data: dict[str, Any]) -> None:
        """Reopen the last closed month, and no other."""
        services.reopen_month(actor=caller(request), closed=obj, reason=data["reason"])
