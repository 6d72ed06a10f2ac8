"""Input serializers that refuse what they do not know."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

MOST_NAMED = 20


class StrictSerializer(serializers.Serializer):
    """Parse input only: unknown fields are errors, and nothing is ever saved from here."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = {name for name, field in self.fields.items() if not field.read_only}
            # A body can hold a hundred thousand names; the first of them say enough.
            unknown = sorted(str(name)[:100] for name in set(data) - known)[:MOST_NAMED]
            if unknown:
                raise serializers.ValidationError(
                    {name: _("Unknown field.") for name in unknown}, code="unknown_field"
                )
        return super().to_internal_value(data)

    def create(self, validated_data: Any) -> Any:
        raise NotImplementedError("Call a service.")

    def update(self, instance: Any, validated_data: Any) -> Any:
        raise NotImplementedError("Call a service.")
