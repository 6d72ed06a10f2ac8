"""Orders and listings of a platform over HTTP."""

from typing import Any, Final

from rest_framework import serializers

from marketplace.api.serializers.catalogue import StaffProductInput
from marketplace.services.order_imports import MOST_ROWS
from systemadmin.foundation.api import StrictSerializer
from systemadmin.foundation.api.serializers import ReferenceTextField, RowErrorSerializer
from systemadmin.foundation.errors import DomainError, FieldError
from systemadmin.foundation.parsing import Unreadable
from systemadmin.foundation.references import parse_external_id

MOST_LISTINGS = 100


class ImportedLineBody(serializers.Serializer):
    """One product of an order; amounts in minor units, tax included in price and shipping."""

    product = ReferenceTextField()
    quantity = serializers.IntegerField(min_value=1)
    unit_price = serializers.IntegerField(min_value=0)
    shipping = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    discount = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    platform_discount = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    tax_included = serializers.IntegerField(min_value=0, required=False, allow_null=True)


class ImportedPaymentBody(serializers.Serializer):
    """When and how it was paid."""

    reference = serializers.CharField(max_length=120, required=False, allow_null=True)
    paid_at = serializers.DateTimeField()
    processing_fee = serializers.IntegerField(min_value=0, required=False, allow_null=True)


class ImportedOrderBody(serializers.Serializer):
    """An order that happened elsewhere; without `payment` it waits for its payment."""

    external_id = serializers.CharField(max_length=128)
    buyer = ReferenceTextField()
    currency = serializers.CharField(max_length=3)
    ordered_at = serializers.DateTimeField()
    lines = ImportedLineBody(many=True)
    total = serializers.IntegerField(
        min_value=1,
        required=False,
        allow_null=True,
        help_text="Compared with the sum of the lines and fees.",
    )
    payment = ImportedPaymentBody(required=False, allow_null=True)
    completed_at = serializers.DateTimeField(required=False, allow_null=True)


class ImportedOrdersBody(serializers.Serializer):
    """A batch of orders."""

    orders = ImportedOrderBody(many=True)


class ImportedOrdersInput(StrictSerializer):
    """As `ImportedOrdersBody`; its rows are judged one by one."""

    orders = serializers.ListField(
        child=serializers.JSONField(allow_null=True), min_length=1, max_length=MOST_ROWS
    )


# What became of a row: an order that was there is known, a listing unchanged.
ROW_STATUSES: Final = ("created", "updated", "unchanged", "known", "refused")


class RowResult(serializers.Serializer):
    """What became of one row; of a refused one all errors, and the first of them by itself."""

    index = serializers.IntegerField()
    external_id = serializers.CharField()
    status = serializers.ChoiceField(ROW_STATUSES)
    id = serializers.IntegerField(allow_null=True)
    field = serializers.CharField(required=False)
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors: Any = RowErrorSerializer(many=True, required=False)


class ImportedOrdersResult(serializers.Serializer):
    """What became of a batch of orders."""

    created = serializers.IntegerField()
    known = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = RowResult(many=True)


class ListingInput(StaffProductInput):
    """A listing of the platform."""

    external_id = serializers.CharField(max_length=128, trim_whitespace=False)

    def validate_external_id(self, value: str) -> str:
        """Refuse what is no id of a platform."""
        try:
            return parse_external_id(value)
        except Unreadable as error:
            raise serializers.ValidationError(str(error), code=error.code) from error


class ListingsBody(serializers.Serializer):
    """A batch of listings."""

    products = ListingInput(many=True)


class ListingsInput(StrictSerializer):
    """As `ListingsBody`; its rows are judged one by one."""

    products = serializers.ListField(
        child=serializers.JSONField(allow_null=True), min_length=1, max_length=MOST_LISTINGS
    )


class ListingsResult(serializers.Serializer):
    """What became of a batch of listings."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = RowResult(many=True)


def refusal_of(error: DomainError) -> dict[str, Any]:
    """Return why a row was refused: every error, and field, code and sentence of the first."""
    errors = [_error_of(error, one) for one in error.errors or [{}]]
    return {**errors[0], "errors": errors}


def _error_of(error: DomainError, one: FieldError) -> dict[str, str]:
    """Return an error of a field; what it does not say is that of the whole."""
    return {
        "field": str(one.get("field", "")),
        "code": str(one.get("code") or error.code),
        "detail": str(one.get("detail") or error.detail),
    }
