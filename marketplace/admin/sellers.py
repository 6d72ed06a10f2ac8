"""Sellers in the admin: who they are for taxes, fees and payouts."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.dac7 import Dac7Pages
from marketplace.models import SellerProfile
from marketplace.services.payee_accounts import since
from systemadmin.foundation.admin import ServiceModelAdmin, form_action
from systemadmin.foundation.caller import caller


class SellerProfileForm(forms.ModelForm):
    """The payout account is typed anew; what is kept is never shown whole."""

    iban = forms.CharField(
        required=False,
        max_length=50,
        label=_("New payout account (IBAN)"),
        help_text=_("Leave it empty to keep the account that there is."),
    )

    class Meta:
        model = SellerProfile
        fields = ["user", "tax_status", "level", "legal_name", "tax_id", "birth_date",
                  "address", "postal_code", "city"]  # fmt: skip


class IdentityForm(forms.Form):
    """How the check stands."""

    identity = forms.ChoiceField(choices=SellerProfile.Identity.choices, label=_("Identity check"))


@admin.register(SellerProfile)
class SellerProfileAdmin(Dac7Pages, ServiceModelAdmin):
    """Tax status and level, legal name, tax id, address, payout account, identity."""

    form = SellerProfileForm
    list_display = ["user", "tax_status", "level", "identity", "account_masked"]
    list_filter = ["tax_status", "identity"]
    list_select_related = ["user"]
    search_fields = ["user__username__istartswith"]
    autocomplete_fields = ["user"]
    actions = ["check_identity"]
    fieldsets = [
        (None, {"fields": ["user", "tax_status", "level"]}),
        (
            _("For taxes and invoices"),
            {
                "fields": [
                    "legal_name",
                    "tax_id",
                    "birth_date",
                    "address",
                    ("postal_code", "city"),
                ]
            },
        ),
        (_("Payouts"), {"fields": ["account_masked", "account_since", "iban", "identity"]}),
    ]

    readonly_fields = ["account_masked", "account_since", "identity"]

    @admin.display(description=_("the account is on file"))
    def account_since(self, profile: SellerProfile) -> str:
        """Since when, and who entered it: whoever approves a payout reads the same."""
        return since(profile.user) if profile.account_masked else ""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Whose it is does not change; identity and account have their own ways."""
        return [*super().get_readonly_fields(request, obj), *(["user"] if obj else [])]

    def create(self, actor: Any, values: dict[str, Any]) -> SellerProfile:
        """Set it for an account."""
        seller = values.pop("user")
        return services.save_seller_profile(actor=actor, seller=seller, **_entered(values))

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> SellerProfile:
        """Change the seller profile by its service."""
        return services.save_seller_profile(actor=actor, seller=obj.user, **_entered(values))

    @form_action(
        description=_("Record an identity check"),
        form=IdentityForm,
        perm="marketplace.check_identity",
    )
    def check_identity(
        self, request: HttpRequest, obj: SellerProfile, data: dict[str, Any]
    ) -> None:
        """Record the check as verified, refused, or under way."""
        services.check_identity(actor=caller(request), seller=obj.user, identity=data["identity"])


def _entered(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out an account that was not typed."""
    return {name: value for name, value in values.items() if name != "iban" or value}
