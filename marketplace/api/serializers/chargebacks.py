"""Chargebacks and appeals over HTTP."""

from rest_framework import serializers

from marketplace.api.serializers.shared import MomentField
from systemadmin.foundation.api import StrictSerializer


class ChargebackInput(StrictSerializer):
    """What the payment service says of a chargeback."""

    reference = serializers.CharField(max_length=120)
    network_reason = serializers.CharField(
        max_length=120, required=False, allow_blank=True, default=""
    )
    amount = serializers.IntegerField(min_value=1, required=False, allow_null=True)
    fee = serializers.IntegerField(min_value=0, required=False, default=0)
    evidence_due_at = MomentField(required=False, allow_null=True)


class AppealInput(StrictSerializer):
    """Why it is decided again."""

    reason = serializers.CharField(max_length=500)
