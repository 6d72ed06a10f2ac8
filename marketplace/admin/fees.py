"""The fees of the schedule and the taxes on them in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.commission import percent
from marketplace.models import CommissionFee, FeeTaxRate
from systemadmin.foundation.admin import ServiceModelAdmin
from systemadmin.foundation.forms import PercentField


@admin.register(CommissionFee)
class CommissionFeeAdmin(ServiceModelAdmin):
    """Every order is charged by each active fee."""

    list_display = ["name", "code", "position", "combine", "payer", "rule_count", "is_active"]
    ordering = ["position", "id"]
    fields = ["name", "code", "position", "combine", "payer", "is_active"]
    prepopulated_fields = {"code": ["name"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with the number of rules."""
        return super().get_queryset(request).annotate(rules_in_it=Count("rules"))

    @admin.display(description=_("rules"))
    def rule_count(self, fee: Any) -> int:
        """Return how many rules it has."""
        return fee.rules_in_it

    def create(self, actor: Any, values: dict[str, Any]) -> CommissionFee:
        """Add it to the schedule."""
        return services.create_fee(actor=actor, **values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> CommissionFee:
        """Change the commission fee by its service."""
        return services.update_fee(actor=actor, fee=obj, **values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete what has no rules and never charged."""
        services.delete_fee(actor=actor, fee=obj)


class FeeTaxRateForm(ModelForm):
    """The rate in percent."""

    ppm = PercentField(label=_("rate (%)"), required=False)

    class Meta:
        model = FeeTaxRate
        fields = ["country", "tax_status", "ppm", "is_reverse_charge"]

    def clean_ppm(self) -> int:
        """Return the rate in millionths; an empty field is a rate of zero."""
        return self.cleaned_data["ppm"] or 0


@admin.register(FeeTaxRate)
class FeeTaxRateAdmin(ServiceModelAdmin):
    """The tax on fees by a seller's country and tax status."""

    form = FeeTaxRateForm
    list_display = ["__str__", "country", "tax_status", "rate_shown", "is_reverse_charge"]
    ordering = ["country", "tax_status"]

    @admin.display(description=_("rate (%)"), ordering="ppm")
    def rate_shown(self, rate: FeeTaxRate) -> str:
        """Return the rate in percent."""
        return percent(rate.ppm)

    def create(self, actor: Any, values: dict[str, Any]) -> FeeTaxRate:
        """Add the fee tax rate by its service."""
        return services.create_fee_tax_rate(actor=actor, **values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> FeeTaxRate:
        """Change the fee tax rate by its service."""
        return services.update_fee_tax_rate(actor=actor, rate=obj, **values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete the fee tax rate by its service."""
        services.delete_fee_tax_rate(actor=actor, rate=obj)
