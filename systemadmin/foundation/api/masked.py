"""Output that is masked for staff who may not see personal data."""

from typing import Any

from django.db.models import DateField
from rest_framework import serializers

from systemadmin.foundation.personal_data import (
    masked,
    masked_texts,
    personal_fields,
    personal_texts,
    sees_personal_data,
)


class MaskedModelSerializer(serializers.ModelSerializer):
    """Masks the model's `personal_fields`, and mentions of people in its `personal_texts`."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the row as the caller may see it."""
        data = super().to_representation(instance)
        request = self.context.get("request")
        if request is not None and not sees_personal_data(request.user):
            mask_row(self.Meta.model, data)
        return data


def mask_row(model: Any, data: dict[str, Any]) -> None:
    """Mask the values of one row in place; a date has no masked form and becomes null."""
    dates = {field.name for field in model._meta.fields if isinstance(field, DateField)}
    for name in personal_fields(model):
        if data.get(name):
            data[name] = None if name in dates else masked(data[name])
    for name in personal_texts(model):
        if data.get(name):
            data[name] = masked_texts(data[name])
