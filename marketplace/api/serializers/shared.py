"""Inputs that several endpoints share."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.models.fields import MAX_AMOUNT
from systemadmin.foundation.api import KeyField, ReferenceTextField, StrictSerializer
from systemadmin.foundation.money import is_currency
from systemadmin.foundation.parsing import Unreadable, parse_day, parse_month
from systemadmin.foundation.references import keys_of
from systemadmin.models import User

# The most objects that one rule names.
MOST_KEYS = 1_000


class AmountField(serializers.IntegerField):
    """An amount in minor units."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", 0)
        kwargs.setdefault("max_value", MAX_AMOUNT)
        super().__init__(**kwargs)


class CountryField(serializers.RegexField):
    """A country by its two capital letters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(r"\A[A-Z]{2}\Z", **kwargs)


class CurrencyField(serializers.CharField):
    """An ISO 4217 code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=3, max_length=3, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Accept active currencies only."""
        code = super().to_internal_value(data)
        if not is_currency(code):
            raise serializers.ValidationError(
                "Not an ISO 4217 currency code.", code="unknown_currency"
            )
        return code


class KeysField(serializers.ListField):
    """Ids of objects, looked up in one query and given back as these objects."""

    default_error_messages = {"does_not_exist": KeyField.default_error_messages["does_not_exist"]}

    def __init__(self, *, queryset: QuerySet, **kwargs: Any) -> None:
        self.queryset = queryset
        super().__init__(child=ReferenceTextField(), max_length=MOST_KEYS, **kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return the objects; refuses what is too long before it looks at any of it."""
        if isinstance(data, list) and len(data) > MOST_KEYS:
            raise serializers.ValidationError(
                _("At most %(most)d.") % {"most": MOST_KEYS}, code="max_length"
            )
        named = super().to_internal_value(data)
        keys = keys_of(named, self.queryset.model)
        found = self.queryset.in_bulk(set(keys.values()))
        for one in named:
            if keys[one] not in found:
                self.fail("does_not_exist", pk_value=one)
        return [found[keys[one]] for one in named]


class MomentField(serializers.DateTimeField):
    """A moment with its time; a bare day is refused, for it may mean its beginning or its end."""

    def to_internal_value(self, value: Any) -> Any:
        """Accept a day with a time only."""
        if isinstance(value, str):
            try:
                parse_day(value.strip())
            except Unreadable:
                return super().to_internal_value(value)
            raise serializers.ValidationError(
                "Give the time too, as in 2026-12-31T23:59:59Z.", code="time_missing"
            )
        return super().to_internal_value(value)


@extend_schema_field(OpenApiTypes.STR)
class MonthField(serializers.Field):
    """A month as in 2026-10; its first day inside."""

    def to_internal_value(self, value: Any) -> Any:
        """Read it."""
        try:
            return parse_month(value)
        except Unreadable as error:
            raise serializers.ValidationError(str(error), code=error.code) from error

    def to_representation(self, value: Any) -> str:
        """Write it."""
        return f"{value:%Y-%m}"


class PartySerializer(serializers.ModelSerializer):
    """A member as others see them."""

    class Meta:
        model = User
        fields = ["id", "username"]
        read_only_fields = fields


class ModerationReasonInput(StrictSerializer):
    """A reason, written or taken from a template."""

    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    template = serializers.SlugField(
        required=False, help_text="Code of a reason template to start from."
    )


class OptionalReasonInput(StrictSerializer):
    """A reason that may be left out."""

    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
