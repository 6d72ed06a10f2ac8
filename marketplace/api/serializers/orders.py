"""Orders, refunds and disputes over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.api.serializers.fees import CommissionChargeSerializer
from marketplace.api.serializers.shared import AmountField, PartySerializer
from marketplace.models import (
    CommissionLine,
    Dispute,
    DisputeMessage,
    Order,
    OrderLine,
    Refund,
)
from systemadmin.foundation.api import StrictSerializer

QUANTITY: dict[str, Any] = {"min_value": 1, "max_value": 100_000}


class OrderLineSerializer(serializers.ModelSerializer):
    """One product of an order."""

    class Meta:
        model = OrderLine
        fields = [
            "id",
            "product",
            "kind",
            "title",
            "quantity",
            "unit_price",
            "shipping",
            "discount",
            "platform_discount",
            "tax_included",
            "buyer_fee",
            "kept_buyer_fee",
            "total",
            "refunded",
            "refunded_shipping",
            "refunded_platform_discount",
            "refunded_quantity",
            "restocked_quantity",
        ]
        read_only_fields = fields


class OrderSerializer(serializers.ModelSerializer):
    """An order as its buyer sees it."""

    buyer = PartySerializer(read_only=True)
    seller = PartySerializer(read_only=True)
    lines = OrderLineSerializer(many=True, read_only=True)
    open_dispute = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = [
            "id",
            "buyer",
            "seller",
            "status",
            "currency",
            "total",
            "discount",
            "platform_discount",
            "tax_included",
            "buyer_fee",
            "kept_buyer_fee",
            "refunded",
            "lines",
            "reserved_until",
            "paid_at",
            "completed_at",
            "closed_at",
            "cancel_reason",
            "open_dispute",
            "created_at",
            "version",
        ]
        read_only_fields = fields

    def get_open_dispute(self, order: Order) -> int | None:
        """Return the dispute that stops the order."""
        return next((one.pk for one in order.disputes.all() if one.status == "open"), None)


class SellerOrderSerializer(OrderSerializer):
    """An order with what it costs the seller."""

    class Meta(OrderSerializer.Meta):
        fields = [
            *OrderSerializer.Meta.fields,
            "commission",
            "tax",
            "processing_fee",
            "refunded_commission",
            "refunded_tax",
        ]
        read_only_fields = fields


class CommissionLineSerializer(serializers.ModelSerializer):
    """The frozen commission of a line."""

    commission = serializers.IntegerField(source="amount", read_only=True)
    charges = CommissionChargeSerializer(source="line.charges", many=True, read_only=True)

    class Meta:
        model = CommissionLine
        fields = [
            "line",
            "rule",
            "rule_version",
            "base",
            "captured",
            "commission",
            "tax",
            "seller_net",
            "refundable",
            "charges",
            "trace",
        ]
        read_only_fields = fields


class RefundSerializer(serializers.ModelSerializer):
    """A refund."""

    class Meta:
        model = Refund
        fields = [
            "id",
            "order",
            "number",
            "amount",
            "commission",
            "tax",
            "shipping",
            "platform_discount",
            "buyer_fee",
            "reason",
            "actor",
            "created_at",
        ]
        read_only_fields = fields


class StaffOrderSerializer(SellerOrderSerializer):
    """An order as staff see it in a list."""

    class Meta(SellerOrderSerializer.Meta):
        fields = [*SellerOrderSerializer.Meta.fields, "external_id", "payment_reference"]
        read_only_fields = fields


class StaffOrderDetailSerializer(StaffOrderSerializer):
    """An order with its commission lines and refunds."""

    refunds = RefundSerializer(many=True, read_only=True)
    commission_lines = serializers.SerializerMethodField()

    class Meta(StaffOrderSerializer.Meta):
        fields = [*StaffOrderSerializer.Meta.fields, "refunds", "commission_lines"]
        read_only_fields = fields

    @extend_schema_field(CommissionLineSerializer(many=True))
    def get_commission_lines(self, order: Order) -> list[dict[str, Any]]:
        """Return why it cost what it cost."""
        lines = [line.commission for line in order.lines.all()]
        return CommissionLineSerializer(lines, many=True).data  # type: ignore[return-value]


class OrderItemInput(StrictSerializer):
    """One product and how many."""

    product = serializers.IntegerField(min_value=1)
    quantity = serializers.IntegerField(default=1, **QUANTITY)


class OrderInput(StrictSerializer):
    """A purchase: one product, or several of one seller."""

    product = serializers.IntegerField(min_value=1, required=False)
    quantity = serializers.IntegerField(default=1, **QUANTITY)
    items = OrderItemInput(many=True, required=False)
    expected_total = AmountField(
        required=False, help_text="Refused with 409 `price_changed` when it is not this."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Either a product or items."""
        if ("product" in attrs) == bool(attrs.get("items")):
            raise serializers.ValidationError(
                {"product": "Give a product, or a list of items."}, code="required"
            )
        return attrs


class PayInput(StrictSerializer):
    """What the payment service reports."""

    reference = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    amount = AmountField(required=False)
    processing_fee = AmountField(required=False, default=0)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class RefundLineInput(StrictSerializer):
    """Units of a line, or an amount of their price, or all of the line's price."""

    line = serializers.IntegerField(min_value=1)
    quantity = serializers.IntegerField(required=False, **QUANTITY)
    amount = AmountField(min_value=1, required=False)
    restock = serializers.BooleanField(
        required=False,
        allow_null=True,
        help_text="Whether the units go back into stock; by default until completion.",
    )


class RefundInput(StrictSerializer):
    """What to give back.

    Nothing: all that is left. `amount`: that much, spread over all parts, or of one `line`.
    `lines` and `shipping`: exactly these; `amount` is then compared with their sum.
    """

    amount = AmountField(min_value=1, required=False)
    line = serializers.IntegerField(min_value=1, required=False)
    lines = RefundLineInput(many=True, required=False)
    shipping = AmountField(min_value=1, required=False)
    restock = serializers.BooleanField(required=False, allow_null=True)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class DisputeInput(StrictSerializer):
    """Input of opening a dispute: the reason."""

    reason = serializers.ChoiceField(choices=Dispute.Reason.choices)
    body = serializers.CharField(max_length=10_000)


class DisputeMessageSerializer(serializers.ModelSerializer):
    """A message with its evidence by name; the file is downloaded apart."""

    author = PartySerializer(read_only=True)
    has_evidence = serializers.SerializerMethodField()

    class Meta:
        model = DisputeMessage
        fields = [
            "id",
            "author",
            "body",
            "is_internal",
            "has_evidence",
            "evidence_name",
            "evidence_type",
            "created_at",
        ]
        read_only_fields = fields

    def get_has_evidence(self, message: DisputeMessage) -> bool:
        """Return whether there is a file."""
        return bool(message.evidence)


class DisputeMessageInput(StrictSerializer):
    """A message of a party."""

    body = serializers.CharField(max_length=10_000, required=False, allow_blank=True, default="")
    evidence = serializers.FileField(required=False)


class StaffDisputeMessageInput(DisputeMessageInput):
    """A message of staff, or a note among staff."""

    internal = serializers.BooleanField(required=False, default=False)


class DisputeSerializer(serializers.ModelSerializer):
    """A dispute."""

    opened_by = PartySerializer(read_only=True)

    class Meta:
        model = Dispute
        fields = [
            "id",
            "order",
            "opened_by",
            "reason",
            "source",
            "external_reference",
            "network_reason",
            "charged_back",
            "fee",
            "evidence_due_at",
            "appealed_at",
            "status",
            "held_amount",
            "refund_amount",
            "resolution_note",
            "resolved_at",
            "resolved_by",
            "created_at",
            "version",
        ]
        read_only_fields = fields


class DisputeDetailSerializer(DisputeSerializer):
    """A dispute with its conversation."""

    messages = DisputeMessageSerializer(many=True, read_only=True)

    class Meta(DisputeSerializer.Meta):
        fields = [*DisputeSerializer.Meta.fields, "messages"]
        read_only_fields = fields


class ResolveInput(StrictSerializer):
    """Input of resolving a dispute: for whom, and the refund."""

    in_favour_of = serializers.ChoiceField(choices=["buyer", "seller"])
    refund_amount = AmountField(min_value=1, required=False)
    note = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
