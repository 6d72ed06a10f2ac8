"""Fees, the taxes on them, and what rules look at of a seller, over HTTP."""

from rest_framework import serializers

from marketplace.api.serializers.shared import CountryField
from marketplace.models import CommissionCharge, CommissionFee, FeeTaxRate, SellerProfile
from marketplace.models.fields import PPM
from systemadmin.foundation.api import StrictSerializer


class CommissionFeeSerializer(serializers.ModelSerializer):
    """One fee of the schedule."""

    class Meta:
        model = CommissionFee
        fields = [
            "id",
            "code",
            "name",
            "position",
            "combine",
            "payer",
            "is_active",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class CommissionFeeInput(StrictSerializer):
    """A fee to create or change."""

    code = serializers.SlugField(max_length=40)
    name = serializers.CharField(max_length=120)
    position = serializers.IntegerField(min_value=1, max_value=10**6, required=False)
    combine = serializers.ChoiceField(
        choices=CommissionFee.Combine.choices,
        required=False,
        help_text="`first`: the first rule that matches decides; `sum`: all that match charge.",
    )
    payer = serializers.ChoiceField(
        choices=CommissionFee.Payer.choices,
        required=False,
        help_text="`seller`: out of what was paid; `buyer`: on top of the price.",
    )
    is_active = serializers.BooleanField(required=False)


class FeeTaxRateSerializer(serializers.ModelSerializer):
    """The tax on fees for sellers of a country and status; empty means any."""

    tax_status = serializers.CharField(read_only=True)

    class Meta:
        model = FeeTaxRate
        fields = [
            "id",
            "country",
            "tax_status",
            "ppm",
            "is_reverse_charge",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class FeeTaxRateInput(StrictSerializer):
    """A row to create or change."""

    country = CountryField(required=False, allow_blank=True)
    tax_status = serializers.ChoiceField(
        choices=SellerProfile.TaxStatus.choices, required=False, allow_blank=True
    )
    ppm = serializers.IntegerField(
        min_value=0, max_value=PPM, required=False, help_text="210000 is 21 %."
    )
    is_reverse_charge = serializers.BooleanField(required=False)


class CommissionChargeSerializer(serializers.ModelSerializer):
    """One fee on one order line, and how much of it went back."""

    class Meta:
        model = CommissionCharge
        fields = [
            "fee",
            "fee_name",
            "payer",
            "rule",
            "rule_version",
            "base",
            "amount",
            "tax",
            "refundable",
            "reversed_amount",
            "reversed_tax",
        ]
        read_only_fields = fields
