"""The arguments of an act as JSON, and back: rows are kept by key and read again."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from systemadmin.foundation.errors import NotFound


class NotStorable(TypeError):
    """An argument has no form in JSON; a mistake of the act's declaration."""


def encode(value: Any) -> Any:
    """Return `value` as JSON holds it; rows, moments and decimals as objects with one `$` key."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Model):
        if value.pk is None:
            raise NotStorable(f"{type(value).__name__} without a key")
        return {"$row": [value._meta.label_lower, value.pk]}
    if isinstance(value, datetime):
        return {"$moment": value.isoformat()}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, Mapping):
        return {"$map": {str(key): encode(item) for key, item in value.items()}}
    if isinstance(value, list | tuple | set | frozenset | QuerySet):
        return [encode(item) for item in value]
    raise NotStorable(type(value).__name__)


def decode(value: Any) -> Any:
    """Return what `encode` was given; raises `NotFound` for a row that is gone."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, held),) = value.items()
    if tag == "$row":
        return _row(*held)
    if tag == "$moment":
        return datetime.fromisoformat(held)
    if tag == "$decimal":
        return Decimal(held)
    return {key: decode(item) for key, item in held.items()}


def encode_all(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return keyword arguments as JSON holds them."""
    return {name: encode(value) for name, value in arguments.items()}


def decode_all(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments again, with the rows as they are now."""
    return {name: decode(value) for name, value in arguments.items()}


def _row(label: str, key: Any) -> Model:
    row = apps.get_model(label)._base_manager.filter(pk=key).first()
    if row is None:
        raise NotFound
    return row
