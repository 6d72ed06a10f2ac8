"""Balances, payouts and the ledger over HTTP."""

from typing import Any

from rest_framework import serializers

from marketplace.api.serializers.shared import CurrencyField, PartySerializer
from marketplace.models import LedgerEntry, Payout, PayoutBatch
from systemadmin.foundation.api import StrictSerializer
from systemadmin.models import User


class BalanceSerializer(serializers.Serializer):
    """What a seller has in one currency; `balance` may be negative."""

    currency = serializers.CharField()
    available = serializers.IntegerField()
    held = serializers.IntegerField()
    owed = serializers.IntegerField()
    balance = serializers.IntegerField()
    pending = serializers.IntegerField()
    in_transit = serializers.IntegerField()


class SellerBalanceSerializer(serializers.Serializer):
    """A seller's balances."""

    seller = PartySerializer()
    balances = BalanceSerializer(many=True)


class PayoutSerializer(serializers.ModelSerializer):
    """A payout."""

    seller = PartySerializer(read_only=True)
    bank_reference = serializers.CharField(read_only=True)

    class Meta:
        model = Payout
        fields = [
            "id",
            "seller",
            "currency",
            "amount",
            "status",
            "attempts",
            "reference",
            "bank_reference",
            "batch",
            "failure_reason",
            "paid_at",
            "created_at",
            "version",
        ]
        read_only_fields = fields


class PaidOrderSerializer(serializers.Serializer):
    """An order's part of a payout: what was sold, what was kept, what the payout pays of it."""

    order = serializers.IntegerField()
    gross = serializers.IntegerField()
    commission = serializers.IntegerField()
    tax = serializers.IntegerField()
    refunded = serializers.IntegerField()
    net = serializers.IntegerField()


class OtherEntrySerializer(serializers.Serializer):
    """What a payout pays or takes besides orders."""

    kind = serializers.CharField()
    amount = serializers.IntegerField()


class PayoutDetail:
    """A payout with what it pays, under the names of the answer."""

    def __init__(
        self, payout: Payout, orders: list[dict[str, Any]], other: list[dict[str, Any]]
    ) -> None:
        self.payout, self.orders, self.other = payout, orders, other

    def __getattr__(self, name: str) -> Any:
        return getattr(self.payout, name)


class PayoutDetailSerializer(PayoutSerializer):
    """A payout with the orders it pays; the parts add up to its amount."""

    orders = PaidOrderSerializer(many=True, read_only=True)
    other = OtherEntrySerializer(many=True, read_only=True)

    class Meta(PayoutSerializer.Meta):
        fields = [*PayoutSerializer.Meta.fields, "orders", "other"]
        read_only_fields = fields


class PayoutInput(StrictSerializer):
    """Whom to pay, in which currency."""

    seller = serializers.PrimaryKeyRelatedField(queryset=User.objects.all())
    currency = CurrencyField()


class HoldsSerializer(serializers.Serializer):
    """Codes: suspended, fraud, risk, dispute, identity."""

    reasons = serializers.ListField(child=serializers.CharField())


class PayoutBatchSerializer(serializers.ModelSerializer):
    """Payouts in one file for the bank."""

    class Meta:
        model = PayoutBatch
        fields = ["id", "currency", "execution_on", "count", "amount", "sha256", "created_at"]
        read_only_fields = fields


class PayoutBatchInput(StrictSerializer):
    """Which currency, and when the bank carries it out."""

    currency = CurrencyField()
    execution_on = serializers.DateField(required=False, allow_null=True)


class BatchPaidSerializer(serializers.Serializer):
    """How many payouts became paid."""

    paid = serializers.IntegerField()


class PaidInput(StrictSerializer):
    """The bank's reference."""

    reference = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")


class FailedInput(StrictSerializer):
    """What went wrong."""

    reason = serializers.CharField(max_length=500)


class LedgerEntrySerializer(serializers.ModelSerializer):
    """An entry with its account and transaction."""

    account = serializers.CharField(source="account.code", read_only=True)
    seller = serializers.IntegerField(source="account.seller_id", read_only=True, allow_null=True)
    key = serializers.CharField(source="transaction.key", read_only=True)
    kind = serializers.CharField(source="transaction.kind", read_only=True)
    order = serializers.IntegerField(source="transaction.order_id", read_only=True, allow_null=True)
    payout = serializers.IntegerField(
        source="transaction.payout_id", read_only=True, allow_null=True
    )
    reverses = serializers.IntegerField(
        source="transaction.reverses_id", read_only=True, allow_null=True
    )
    posted_at = serializers.DateTimeField(source="transaction.posted_at", read_only=True)
    belongs_to = serializers.DateField(
        source="transaction.belongs_to", read_only=True, allow_null=True
    )

    class Meta:
        model = LedgerEntry
        fields = [
            "id",
            "transaction",
            "key",
            "kind",
            "account",
            "seller",
            "currency",
            "amount",
            "order",
            "line",
            "payout",
            "reverses",
            "posted_at",
            "belongs_to",
        ]
        read_only_fields = fields


class TrialBalanceRowSerializer(serializers.Serializer):
    """One kind of account in one currency; debits are positive, credits negative."""

    currency = serializers.CharField()
    account = serializers.CharField()
    opening = serializers.IntegerField()
    debit = serializers.IntegerField()
    credit = serializers.IntegerField()
    closing = serializers.IntegerField()


class TrialBalanceSerializer(serializers.Serializer):
    """Every kind of account over a period."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    results = TrialBalanceRowSerializer(many=True)
