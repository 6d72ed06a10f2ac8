"""Categories, products, revisions and reason templates over HTTP."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.api.serializers.shared import AmountField, CurrencyField, PartySerializer
from marketplace.models import Category, Product, ProductReview, ProductRevision, ReasonTemplate
from marketplace.models.fields import PPM, Kind
from marketplace.services.revisions import stale_fields
from marketplace.services.risk import shown_checks
from riskops.querysets import own_accounts
from systemadmin.foundation.api import KeyField, ReferenceField, StrictSerializer
from systemadmin.models import User


class CategorySerializer(serializers.ModelSerializer):
    """A category with its place in the tree."""

    path = serializers.ListField(source="path_ids", child=serializers.IntegerField())

    class Meta:
        model = Category
        fields = ["id", "parent", "name", "slug", "path", "position", "is_active", "version"]
        read_only_fields = fields


class CategoryInput(StrictSerializer):
    """A category to create or change."""

    name = serializers.CharField(max_length=120)
    # "parent" is also what DRF calls the serializer above; as an input field it hides nothing.
    parent = KeyField(  # type: ignore[assignment]
        queryset=Category.objects.all(), required=False, allow_null=True
    )
    slug = serializers.SlugField(max_length=140, required=False)
    position = serializers.IntegerField(min_value=0, max_value=10**6, required=False)
    is_active = serializers.BooleanField(required=False)


class CategoryShortSerializer(serializers.ModelSerializer):
    """A category beside a product."""

    class Meta:
        model = Category
        fields = ["id", "name", "slug"]
        read_only_fields = fields


class ProductListSerializer(serializers.ModelSerializer):
    """A product in the public list."""

    category = CategoryShortSerializer(read_only=True)
    seller = PartySerializer(read_only=True)
    in_stock = serializers.SerializerMethodField()

    class Meta:
        model = Product
        fields = [
            "id",
            "kind",
            "title",
            "price",
            "currency",
            "tax_ppm",
            "shipping_amount",
            "category",
            "seller",
            "images",
            "in_stock",
            "listed_at",
        ]
        read_only_fields = fields

    def get_in_stock(self, product: Product) -> bool:
        """Return whether one can be bought now."""
        return product.stock is None or product.stock > 0


class ProductSerializer(ProductListSerializer):
    """A product with everything the public may know."""

    class Meta(ProductListSerializer.Meta):
        fields = [
            *ProductListSerializer.Meta.fields,
            "description",
            "attributes",
            "stock",
            "status",
            "version",
        ]
        read_only_fields = fields


class ProductRevisionSerializer(serializers.ModelSerializer):
    """An edit under review."""

    class Meta:
        model = ProductRevision
        fields = [
            "id",
            "product",
            "base_version",
            "base",
            "patch",
            "status",
            "status_reason",
            "submitted_at",
            "decided_at",
            "version",
        ]
        read_only_fields = fields


class OwnProductSerializer(ProductSerializer):
    """A product as its seller sees it, with the edit under review if there is one."""

    open_revision = serializers.SerializerMethodField()

    class Meta(ProductSerializer.Meta):
        fields = [
            *ProductSerializer.Meta.fields,
            "status_reason",
            "submitted_at",
            "approved_at",
            "created_at",
            "updated_at",
            "open_revision",
        ]
        read_only_fields = fields

    @extend_schema_field(ProductRevisionSerializer(allow_null=True))
    def get_open_revision(self, product: Product) -> dict[str, Any] | None:
        """Return the edit that waits for review."""
        found = next((one for one in product.revisions.all() if one.status in OPEN), None)
        return ProductRevisionSerializer(found).data if found else None


OPEN = ("draft", "pending", "changes_requested")


class RiskSerializer(serializers.Serializer):
    """A seller's risk."""

    score = serializers.IntegerField()
    level = serializers.CharField()


def _without_own_risk(
    shown: dict[str, Any], seller: int, context: Mapping[str, Any]
) -> dict[str, Any]:
    is_own = seller in own_accounts(context)
    return {**shown, "checks": shown_checks(shown["checks"], is_own=is_own)}


class StaffProductSerializer(OwnProductSerializer):
    """A product as staff see it: with checks, waiting time and the seller's risk."""

    waiting_seconds = serializers.SerializerMethodField()
    seller_risk = serializers.SerializerMethodField()

    class Meta(OwnProductSerializer.Meta):
        fields = [
            *OwnProductSerializer.Meta.fields,
            "external_id",
            "checks",
            "is_paused_by_staff",
            "waiting_seconds",
            "seller_risk",
        ]
        read_only_fields = fields

    def to_representation(self, product: Product) -> dict[str, Any]:
        """Leave the seller's risk out of the findings about one's own product."""
        shown = super().to_representation(product)
        return _without_own_risk(shown, product.seller_id, self.context)

    def get_waiting_seconds(self, product: Product) -> int | None:
        """Return how long it has been in the queue."""
        if product.status != Product.Status.PENDING or product.submitted_at is None:
            return None
        return int((timezone.now() - product.submitted_at).total_seconds())

    @extend_schema_field(RiskSerializer(allow_null=True))
    def get_seller_risk(self, product: Product) -> dict[str, Any] | None:
        """Return the seller's score, where there is one."""
        return self.context.get("risk", {}).get(product.seller_id)


class ProductInput(StrictSerializer):
    """A product's content."""

    category = KeyField(queryset=Category.objects.filter(is_active=True))
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    title = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    price = AmountField(min_value=1)
    currency = CurrencyField()
    tax_ppm = serializers.IntegerField(
        min_value=0,
        max_value=PPM,
        required=False,
        help_text="Sales tax that price and shipping include; 210000 is 21 %.",
    )
    shipping_amount = AmountField(required=False)
    stock = serializers.IntegerField(
        min_value=0,
        max_value=10**9,
        required=False,
        allow_null=True,
        help_text="Null means unlimited.",
    )
    images = serializers.ListField(
        child=serializers.CharField(max_length=500), required=False, max_length=12
    )
    attributes = serializers.DictField(required=False)


class ProductImageInput(StrictSerializer):
    """A picture to add, as multipart/form-data."""

    file = serializers.FileField(
        allow_empty_file=True, help_text="PNG, JPEG or WebP, at most 5 MB."
    )


class StaffProductInput(ProductInput):
    """A product that staff create for a seller."""

    seller = ReferenceField(queryset=User.objects.all())


class StaffRevisionSerializer(ProductRevisionSerializer):
    """An edit as a moderator sees it: each field before and after, and what is stale."""

    product_title = serializers.CharField(source="product.title", read_only=True)
    seller = PartySerializer(source="product.seller", read_only=True)
    diff = serializers.SerializerMethodField()
    stale_fields = serializers.SerializerMethodField()

    class Meta(ProductRevisionSerializer.Meta):
        fields = [
            *ProductRevisionSerializer.Meta.fields,
            "product_title",
            "seller",
            "checks",
            "diff",
            "stale_fields",
        ]
        read_only_fields = fields

    def to_representation(self, revision: ProductRevision) -> dict[str, Any]:
        """Leave the seller's risk out of the findings about one's own product."""
        shown = super().to_representation(revision)
        return _without_own_risk(shown, revision.product.seller_id, self.context)

    def get_diff(self, revision: ProductRevision) -> list[dict[str, Any]]:
        """Return each changed field."""
        return [
            {"field": field, "before": revision.base.get(field), "after": value}
            for field, value in sorted(revision.patch.items())
        ]

    def get_stale_fields(self, revision: ProductRevision) -> list[str]:
        """Return fields that changed on the live product since."""
        return stale_fields(revision.product, revision)


class ReviewSerializer(serializers.ModelSerializer):
    """A decision of a moderator on a product."""

    class Meta:
        model = ProductReview
        fields = [
            "id",
            "revision",
            "actor",
            "action",
            "from_status",
            "to_status",
            "reason",
            "created_at",
        ]
        read_only_fields = fields


class ReasonTemplateSerializer(serializers.ModelSerializer):
    """A ready-made reason."""

    class Meta:
        model = ReasonTemplate
        fields = ["id", "code", "action", "title", "body", "is_active"]
        read_only_fields = fields


class ReasonTemplateInput(StrictSerializer):
    """A ready-made reason to create or change."""

    code = serializers.SlugField(max_length=60)
    action = serializers.ChoiceField(choices=ReasonTemplate.Action.choices)
    title = serializers.CharField(max_length=120)
    body = serializers.CharField(max_length=2000)
    is_active = serializers.BooleanField(required=False)
