"""Commission rules, quotes, previews and reports over HTTP."""

from typing import Any

from rest_framework import serializers

from marketplace.api.serializers.shared import AmountField, CurrencyField, KeysField
from marketplace.models import Category, CommissionRule, Product
from marketplace.models.fields import PPM, Kind
from marketplace.services.commission import SIMPLE
from systemadmin.foundation.api import StrictSerializer
from systemadmin.models import User

RATE: dict[str, Any] = {"min_value": 0, "max_value": PPM}


class CommissionRuleSerializer(serializers.ModelSerializer):
    """One rule of the list."""

    class Meta:
        model = CommissionRule
        fields = [
            "id",
            "position",
            *SIMPLE,
            "categories",
            "sellers",
            "products",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class CommissionRuleInput(StrictSerializer):
    """A rule to create, change or try out."""

    name = serializers.CharField(max_length=120)
    position = serializers.IntegerField(min_value=1, max_value=10**6, required=False)
    is_active = serializers.BooleanField(required=False)
    applies_to_all = serializers.BooleanField(required=False)
    categories = KeysField(queryset=Category.objects.all(), required=False)
    sellers = KeysField(queryset=User.objects.all(), required=False)
    products = KeysField(queryset=Product.objects.all(), required=False)
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=Kind.choices), required=False, max_length=2
    )
    currency = CurrencyField(required=False, allow_blank=True)
    value_from = AmountField(required=False, allow_null=True)
    value_below = AmountField(required=False, allow_null=True)
    valid_from = serializers.DateTimeField(required=False, allow_null=True)
    valid_to = serializers.DateTimeField(required=False, allow_null=True)
    ppm = serializers.IntegerField(required=False, help_text="33300 is 3.33 %.", **RATE)
    tiers = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2),
        required=False,
        max_length=20,
        help_text="Marginal tiers: [[lower bound, parts per million], …].",
    )
    fixed = AmountField(required=False)
    fixed_per = serializers.ChoiceField(choices=CommissionRule.FixedPer.choices, required=False)
    minimum = AmountField(required=False, allow_null=True)
    maximum = AmountField(required=False, allow_null=True)
    tax_ppm = serializers.IntegerField(required=False, **RATE)
    include_shipping = serializers.BooleanField(required=False)
    include_tax = serializers.BooleanField(required=False)
    fixed_refundable = serializers.BooleanField(required=False)
    refund_fee_ppm = serializers.IntegerField(required=False, **RATE)
    refund_fee_maximum = AmountField(required=False, allow_null=True)


class ReorderInput(StrictSerializer):
    """The whole list in its new order."""

    order = serializers.ListField(child=serializers.IntegerField(min_value=1), max_length=1000)


class FindingSerializer(serializers.Serializer):
    """A rule that no sale can reach."""

    rule = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    shadowed_by = serializers.ListField(child=serializers.IntegerField())


class LintSerializer(serializers.Serializer):
    """All of them."""

    findings = FindingSerializer(many=True)


class PreviewInput(StrictSerializer):
    """A list of rules to try on past orders; without one, the stored list is tried."""

    rules = CommissionRuleInput(many=True, required=False)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The period runs forwards."""
        if attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError({"end": "The end is not after the start."})
        return attrs


class PreviewSerializer(serializers.Serializer):
    """What would have been charged."""

    currencies = serializers.ListField(child=serializers.DictField())
    rules = serializers.ListField(child=serializers.DictField())
    largest_changes = serializers.ListField(child=serializers.DictField())
    is_complete = serializers.BooleanField()
    findings = FindingSerializer(many=True)


class QuoteInput(StrictSerializer):
    """A sale to quote: of a product, or of a seller in a category."""

    product = serializers.PrimaryKeyRelatedField(
        queryset=Product.objects.select_related("category"), required=False
    )
    category = serializers.PrimaryKeyRelatedField(queryset=Category.objects.all(), required=False)
    seller = serializers.PrimaryKeyRelatedField(queryset=User.objects.all(), required=False)
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    amount = AmountField(
        required=False, help_text="Price of one unit; the product's own when left out."
    )
    currency = CurrencyField(required=False)
    quantity = serializers.IntegerField(min_value=1, max_value=100_000, default=1)
    shipping = AmountField(default=0)
    discount = AmountField(default=0)
    tax_included = AmountField(default=0)
    at = serializers.DateTimeField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A product, or category and seller with an amount and its currency."""
        product = attrs.get("product")
        if product is None:
            needed = ("category", "seller", "amount", "currency")
            missing = [name for name in needed if name not in attrs]
            if missing:
                raise serializers.ValidationError(
                    dict.fromkeys(missing, "Required without a product."), code="required"
                )
        else:
            attrs.setdefault("amount", product.price)
            attrs.setdefault("currency", product.currency)
        return attrs


class QuoteRuleSerializer(serializers.Serializer):
    """The rule that decided."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    version = serializers.IntegerField()


class QuoteSerializer(serializers.Serializer):
    """What a sale costs, and why."""

    commission = serializers.IntegerField(source="amount")
    seller_net = serializers.IntegerField()
    tax = serializers.IntegerField()
    base = serializers.IntegerField()
    captured = serializers.IntegerField()
    currency = serializers.CharField()
    rule = QuoteRuleSerializer(allow_null=True)
    trace = serializers.ListField(child=serializers.DictField())


class ReportRowSerializer(serializers.Serializer):
    """One row of a report: amounts are in minor units of the row's currency."""

    period = serializers.DateTimeField(required=False)
    seller = serializers.IntegerField(required=False)
    seller_name = serializers.CharField(required=False)
    category = serializers.IntegerField(required=False)
    category_name = serializers.CharField(required=False)
    currency = serializers.CharField()
    commission = serializers.IntegerField()
    reversed = serializers.IntegerField()
    net = serializers.IntegerField()
    tax = serializers.IntegerField()


class CommissionReportSerializer(serializers.Serializer):
    """Commissions earned."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    group_by = serializers.ListField(child=serializers.CharField())
    results = ReportRowSerializer(many=True)


class SalesRowSerializer(serializers.Serializer):
    """One row of the sales history."""

    period = serializers.DateTimeField(required=False)
    seller = serializers.IntegerField(required=False)
    seller_name = serializers.CharField(required=False)
    currency = serializers.CharField()
    orders = serializers.IntegerField()
    gross = serializers.IntegerField()
    refunded = serializers.IntegerField()
    net = serializers.IntegerField()


class SalesReportSerializer(serializers.Serializer):
    """Sales by period."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    group_by = serializers.ListField(child=serializers.CharField())
    results = SalesRowSerializer(many=True)
