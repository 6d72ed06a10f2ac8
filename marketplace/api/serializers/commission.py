"""Commission rules, quotes, previews and reports over HTTP."""

from typing import Any

from rest_framework import serializers

from marketplace.api.serializers.shared import (
    AmountField,
    CountryField,
    CurrencyField,
    KeysField,
    MomentField,
)
from marketplace.models import Category, CommissionFee, CommissionRule, Product, SellerProfile
from marketplace.models.fields import PPM, Kind
from marketplace.services.commission import SIMPLE
from systemadmin.foundation.api import KeyField, ReferenceField, StrictSerializer
from systemadmin.models import User

RATE: dict[str, Any] = {"min_value": 0, "max_value": PPM}


class CommissionRuleSerializer(serializers.ModelSerializer):
    """One rule of the list."""

    class Meta:
        model = CommissionRule
        fields = [
            "id",
            "fee",
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
    fee = KeyField(
        queryset=CommissionFee.objects.all(),
        required=False,
        help_text="The fee the rule belongs to; the commission when left out.",
    )
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
    value_from = AmountField(
        required=False, allow_null=True, help_text="What the whole order costs, at least."
    )
    value_below = AmountField(required=False, allow_null=True)
    line_from = AmountField(
        required=False, allow_null=True, help_text="What the order line costs, at least."
    )
    line_below = AmountField(required=False, allow_null=True)
    unit_from = AmountField(
        required=False,
        allow_null=True,
        help_text="What one unit sells for, less the seller's discount, at least.",
    )
    unit_below = AmountField(required=False, allow_null=True)
    volume_window = serializers.ChoiceField(
        choices=CommissionRule.VolumeWindow.choices,
        required=False,
        allow_blank=True,
        help_text="Which earlier sales make up the volume.",
    )
    volume_between = serializers.ChoiceField(
        choices=CommissionRule.VolumeBetween.choices, required=False
    )
    volume_measure = serializers.ChoiceField(
        choices=CommissionRule.VolumeMeasure.choices, required=False
    )
    volume_from = AmountField(required=False, allow_null=True)
    volume_below = AmountField(required=False, allow_null=True)
    countries = serializers.ListField(
        child=CountryField(),
        required=False,
        max_length=250,
        help_text="The seller's countries, two letters each.",
    )
    buyer_countries = serializers.ListField(
        child=CountryField(),
        required=False,
        max_length=250,
        help_text="The buyer's countries, two letters each.",
    )
    tax_statuses = serializers.ListField(
        child=serializers.ChoiceField(choices=SellerProfile.TaxStatus.choices),
        required=False,
        max_length=2,
    )
    levels = serializers.ListField(
        child=serializers.RegexField(r"\A[a-z0-9_-]{1,40}\Z"), required=False, max_length=50
    )
    valid_from = MomentField(required=False, allow_null=True)
    valid_to = MomentField(required=False, allow_null=True)
    per = serializers.ChoiceField(
        choices=CommissionRule.Per.choices,
        required=False,
        help_text="What rate, tiers, minimum, maximum and rounding apply to.",
    )
    ppm = serializers.IntegerField(required=False, help_text="33300 is 3.33 %.", **RATE)
    tiers = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2),
        required=False,
        max_length=20,
        help_text="[[lower bound, parts per million], …], from 0 upwards.",
    )
    tiers_mode = serializers.ChoiceField(choices=CommissionRule.TiersMode.choices, required=False)
    tiers_by = serializers.ChoiceField(choices=CommissionRule.TiersBy.choices, required=False)
    rounding = serializers.ChoiceField(choices=CommissionRule.Rounding.choices, required=False)
    fixed = AmountField(required=False)
    fixed_per = serializers.ChoiceField(choices=CommissionRule.Per.choices, required=False)
    minimum = AmountField(required=False, allow_null=True)
    maximum = AmountField(required=False, allow_null=True)
    tax_ppm = serializers.IntegerField(required=False, **RATE)
    tax_by_seller = serializers.BooleanField(
        required=False, help_text="Take the tax from `/api/admin/fee-tax-rates`."
    )
    include_item = serializers.BooleanField(required=False)
    include_shipping = serializers.BooleanField(required=False)
    include_tax = serializers.BooleanField(required=False)
    include_discount = serializers.BooleanField(required=False)
    include_platform_discount = serializers.BooleanField(required=False)
    include_buyer_fees = serializers.BooleanField(required=False)
    on_refund = serializers.ChoiceField(choices=CommissionRule.OnRefund.choices, required=False)
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
    """All findings about the commission rules."""

    findings = FindingSerializer(many=True)


class PreviewInput(StrictSerializer):
    """A list of rules to try on past orders; without one, the stored list is tried."""

    rules = CommissionRuleInput(many=True, required=False)
    start = MomentField()
    end = MomentField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check that the period runs forwards."""
        if attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError({"end": "The end is not after the start."})
        return attrs


class PreviewSerializer(serializers.Serializer):
    """What would have been charged."""

    currencies = serializers.ListField(child=serializers.DictField())
    rules = serializers.ListField(child=serializers.DictField())
    largest_changes = serializers.ListField(child=serializers.DictField())
    payouts = serializers.ListField(
        child=serializers.DictField(), help_text="Fees per payout, per currency."
    )
    is_complete = serializers.BooleanField()
    findings = FindingSerializer(many=True)


class QuoteLineInput(StrictSerializer):
    """One line of an order to quote: of a product, or of a category."""

    product = KeyField(queryset=Product.objects.select_related("category"), required=False)
    category = KeyField(queryset=Category.objects.all(), required=False)
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    amount = AmountField(
        required=False, help_text="Price of one unit; the product's own when left out."
    )
    quantity = serializers.IntegerField(min_value=1, max_value=100_000, default=1)
    shipping = AmountField(required=False, help_text="The product's own when left out.")
    discount = AmountField(default=0, help_text="What the seller gives away on the line.")
    platform_discount = AmountField(default=0, help_text="What the platform pays of the line.")
    tax_included = AmountField(
        required=False, help_text="Sales tax within the line; the product's own when left out."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return a product, or a category with an amount."""
        product = attrs.get("product")
        if product is None:
            missing = [name for name in ("category", "amount") if name not in attrs]
            if missing:
                raise serializers.ValidationError(
                    dict.fromkeys(missing, "Required without a product."), code="required"
                )
        else:
            attrs.setdefault("amount", product.price)
            attrs.setdefault("shipping", product.shipping_amount)
        attrs.setdefault("shipping", 0)
        return attrs


class QuoteInput(QuoteLineInput):
    """An order to quote: one line, or `lines` of one seller; the same sum as in an order.

    Beside `lines`, `discount` and `platform_discount` are of the whole order.
    """

    seller = ReferenceField(queryset=User.objects.all(), required=False)
    buyer = ReferenceField(
        queryset=User.objects.all(),
        required=False,
        help_text="For rules that look at the buyer's country or at the volume between the two.",
    )
    buyer_country = CountryField(
        required=False, help_text="Instead of the buyer's own, two letters."
    )
    currency = CurrencyField(required=False)
    order_value = AmountField(
        required=False,
        help_text="What the whole order costs, where this line is only a part of it.",
    )
    lines = QuoteLineInput(many=True, required=False)
    at = MomentField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One line or several; seller and currency come from the product where there is one."""
        lines = attrs.get("lines")
        if lines is None:
            attrs = super().validate(attrs)
        else:
            self._check_lines(attrs, lines)
        products = [one["product"] for one in (lines or [attrs]) if "product" in one]
        if products:
            attrs.setdefault("seller", products[0].seller)
            attrs.setdefault("currency", products[0].currency)
        missing = [name for name in ("seller", "currency") if name not in attrs]
        if missing:
            raise serializers.ValidationError(
                dict.fromkeys(missing, "Required without a product."), code="required"
            )
        if any(product.seller_id != attrs["seller"].pk for product in products):
            raise serializers.ValidationError({"seller": "All products are of one seller."})
        return attrs

    def _check_lines(self, attrs: dict[str, Any], lines: list[Any]) -> None:
        if not 1 <= len(lines) <= 50:
            raise serializers.ValidationError({"lines": "An order has 1 to 50 lines."})
        if "product" in attrs or "category" in attrs:
            raise serializers.ValidationError({"lines": "Give one line, or a list of lines."})


class QuoteRuleSerializer(serializers.Serializer):
    """The rule that decided."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    version = serializers.IntegerField()


class QuoteChargeSerializer(serializers.Serializer):
    """One fee on one line."""

    fee = serializers.CharField(source="fee.code")
    name = serializers.CharField(source="fee.name")
    payer = serializers.CharField(source="fee.payer")
    rule = QuoteRuleSerializer()
    per = serializers.CharField(source="rule.per")
    on_refund = serializers.ChoiceField(
        choices=CommissionRule.OnRefund.choices, source="rule.on_refund"
    )
    base = serializers.IntegerField(source="base.amount")
    amount = serializers.IntegerField()
    tax = serializers.IntegerField()


class QuoteLineSerializer(serializers.Serializer):
    """What one line costs, and why."""

    commission = serializers.IntegerField(source="amount")
    seller_net = serializers.IntegerField()
    tax = serializers.IntegerField()
    base = serializers.IntegerField()
    captured = serializers.IntegerField()
    discount = serializers.IntegerField()
    platform_discount = serializers.IntegerField()
    tax_included = serializers.IntegerField()
    buyer_fee = serializers.IntegerField(help_text="What the buyer pays on top, taxes included.")
    kept_buyer_fee = serializers.IntegerField(help_text="The part that no refund gives back.")
    total = serializers.IntegerField(help_text="What the buyer pays.")
    rule = QuoteRuleSerializer(allow_null=True)
    charges = QuoteChargeSerializer(many=True)
    trace = serializers.ListField(child=serializers.DictField())


class QuoteSerializer(QuoteLineSerializer):
    """What an order costs, and why: the sums, and each line where there are several."""

    currency = serializers.CharField()
    lines = QuoteLineSerializer(many=True)


class PeriodField(serializers.DateTimeField):
    """The beginning of a period, in the time zone that the report was asked for."""

    def to_representation(self, value: Any) -> str:
        """Write the moment with its own offset: in UTC, March in Madrid begins in February."""
        return value.isoformat().replace("+00:00", "Z")


class ReportRowSerializer(serializers.Serializer):
    """One row of a report: amounts are in minor units of the row's currency."""

    period = PeriodField(required=False)
    seller = serializers.IntegerField(required=False, allow_null=True)
    seller_name = serializers.CharField(required=False, allow_null=True)
    category = serializers.IntegerField(required=False, allow_null=True)
    category_name = serializers.CharField(required=False, allow_null=True)
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

    period = PeriodField(required=False)
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
