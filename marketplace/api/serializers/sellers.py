"""Sellers over HTTP: what staff know of them, and what they say of themselves."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.models import SellerProfile
from marketplace.services.payee_accounts import last_change
from systemadmin.foundation.api import StrictSerializer
from systemadmin.foundation.api.masked import mask_row
from systemadmin.foundation.personal_data import sees_personal_data


class OwnProfileSerializer(serializers.ModelSerializer):
    """A seller's own details; the payout account is masked even for them."""

    seller = serializers.IntegerField(source="user_id", read_only=True)
    country = serializers.CharField(source="user.country", read_only=True)
    payout_account = serializers.CharField(source="account_masked", read_only=True)
    tax_status = serializers.CharField(read_only=True)
    identity = serializers.CharField(read_only=True)

    class Meta:
        model = SellerProfile
        fields = [
            "seller",
            "country",
            "legal_name",
            "tax_id",
            "birth_date",
            "address",
            "postal_code",
            "city",
            "payout_account",
            "tax_status",
            "identity",
            "version",
        ]
        read_only_fields = fields


class AccountChangeSerializer(serializers.Serializer):
    """Who entered the present payout account, when, and which one there was before."""

    at = serializers.DateTimeField(source="occurred_at")
    by = serializers.CharField(source="actor_name")
    before = serializers.CharField(source="before.account_masked", default="")


class SellerProfileSerializer(OwnProfileSerializer):
    """What staff see of a seller; personal fields are masked for some."""

    payout_account_changed = serializers.SerializerMethodField()

    class Meta(OwnProfileSerializer.Meta):
        fields = [*OwnProfileSerializer.Meta.fields, "payout_account_changed", "level"]
        read_only_fields = fields

    @extend_schema_field(AccountChangeSerializer(allow_null=True))
    def get_payout_account_changed(self, profile: SellerProfile) -> dict[str, Any] | None:
        """Return the change that put the account on file, as far as the audit trail knows."""
        found = last_change(profile.user)
        return AccountChangeSerializer(found).data if found else None

    def to_representation(self, instance: SellerProfile) -> dict[str, Any]:
        """Mask what the reader may not see."""
        shown = super().to_representation(instance)
        request = self.context.get("request")
        if not sees_personal_data(getattr(request, "user", None)):
            mask_row(SellerProfile, shown)
        return shown


class OwnDetailsInput(StrictSerializer):
    """What a seller says of themselves; a missing field stays as it is."""

    legal_name = serializers.CharField(max_length=140, required=False, allow_blank=True)
    tax_id = serializers.CharField(max_length=30, required=False, allow_blank=True)
    birth_date = serializers.DateField(required=False, allow_null=True)
    address = serializers.CharField(max_length=200, required=False, allow_blank=True)
    postal_code = serializers.CharField(max_length=20, required=False, allow_blank=True)
    city = serializers.CharField(max_length=100, required=False, allow_blank=True)
    iban = serializers.CharField(max_length=50, required=False, allow_blank=True)


class SellerProfileInput(OwnDetailsInput):
    """The same by staff, with tax status and level."""

    tax_status = serializers.ChoiceField(
        choices=SellerProfile.TaxStatus.choices, required=False, allow_blank=True
    )
    level = serializers.RegexField(r"\A[a-z0-9_-]{0,40}\Z", required=False, allow_blank=True)


class IdentityInput(StrictSerializer):
    """How the check of the identity stands."""

    identity = serializers.ChoiceField(choices=SellerProfile.Identity.choices)
