"""Balances, payouts and the ledger over HTTP."""

from typing import Any

from rest_framework import serializers

from marketplace.api.serializers.commission import QuoteChargeSerializer
from marketplace.api.serializers.shared import CurrencyField, PartySerializer
from marketplace.models import LedgerEntry, Payout, PayoutBatch, PayoutCharge
from systemadmin.foundation.api import ReferenceField, StrictSerializer
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
    gross = serializers.IntegerField(read_only=True, help_text="Amount and fees together.")
    bank_reference = serializers.CharField(read_only=True)

    class Meta:
        model = Payout
        fields = [
            "id",
            "seller",
            "currency",
            "gross",
            "fee",
            "fee_tax",
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


class PayoutChargeSerializer(serializers.ModelSerializer):
    """One fee of a payout, and how much of it went back."""

    class Meta:
        model = PayoutCharge
        fields = [
            "fee",
            "fee_name",
            "rule",
            "rule_version",
            "base",
            "amount",
            "tax",
            "reversed_amount",
            "reversed_tax",
        ]
        read_only_fields = fields


class PayoutPreviewSerializer(serializers.Serializer):
    """A payout as it would be now: `gross` less the fees with their taxes is `amount`."""

    seller = PartySerializer()
    currency = serializers.CharField()
    debt = serializers.IntegerField(help_text="What the seller owes is taken off first.")
    held = serializers.IntegerField(help_text="Then what open disputes still lack.")
    minimum = serializers.IntegerField()
    gross = serializers.IntegerField(source="quote.gross")
    fee = serializers.IntegerField(source="quote.fee")
    fee_tax = serializers.IntegerField(source="quote.fee_tax")
    amount = serializers.IntegerField(source="quote.amount")
    charges = QuoteChargeSerializer(source="quote.charged.charges", many=True)
    trace = serializers.ListField(source="quote.charged.trace", child=serializers.DictField())
    reasons = serializers.ListField(
        child=serializers.CharField(),
        help_text="What is against it: suspended, fraud, risk, dispute, identity, too_little.",
    )


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
    charges = PayoutChargeSerializer(many=True, read_only=True)
    fee_trace = serializers.ListField(child=serializers.DictField(), read_only=True)

    class Meta(PayoutSerializer.Meta):
        fields = [*PayoutSerializer.Meta.fields, "orders", "other", "charges", "fee_trace"]
        read_only_fields = fields


class PayoutInput(StrictSerializer):
    """Whom to pay, in which currency."""

    seller = ReferenceField(queryset=User.objects.all())
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
    """Input of marking a payout as paid: the bank's reference."""

    reference = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")


class FailedInput(StrictSerializer):
    """Input of marking a payout as failed: what went wrong."""

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
