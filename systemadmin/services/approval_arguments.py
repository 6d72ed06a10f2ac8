"""The arguments of an act as JSON, and back: rows are kept by key and read again."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.apps import apps
from django.db.models import Model, QuerySet

from systemadmin.foundation.errors import NotFound

T = TypeVar("T", bound=type)
_storable: dict[str, type[Any]] = {}


def storable(kind: T) -> T:
    """Let values of a dataclass be arguments of acts: a request holds their fields."""
    _storable[kind.__name__] = kind
    return kind


class NotStorable(TypeError):
    """An argument has no form in JSON; a mistake of the act's declaration."""


# What is kept as text under a name of its own, in the order asked: a moment is also a day.
_TAGGED: tuple[tuple[type[Any], str, Callable[[Any], str]], ...] = (
    (datetime, "$moment", datetime.isoformat),
    (date, "$day", date.isoformat),
    (Decimal, "$decimal", str),
)


def _encode_row(row: Model) -> dict[str, list[Any]]:
    if row.pk is None:
        raise NotStorable(f"{type(row).__name__} without a key")
    return {"$row": [row._meta.label_lower, row.pk]}


def encode(value: Any) -> Any:
    """Return `value` as JSON holds it; rows, moments, days, decimals
    and values of `storable` classes as objects with one `$` key."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Model):
        return _encode_row(value)
    for kind, tag, write in _TAGGED:
        if isinstance(value, kind):
            return {tag: write(value)}
    if isinstance(value, Mapping):
        return {"$map": {str(key): encode(item) for key, item in value.items()}}
    if isinstance(value, list | tuple | set | frozenset | QuerySet):
        return [encode(item) for item in value]
    return _encode_value(value)


def _encode_value(value: Any) -> Any:
    name = type(value).__name__
    if _storable.get(name) is not type(value):
        raise NotStorable(name)
    held = {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    return {"$value": [name, held]}


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
    if tag == "$day":
        return date.fromisoformat(held)
    if tag == "$value":
        return _storable[held[0]](**decode_all(held[1]))
    if tag == "$decimal":
        return Decimal(held)
    return {key: decode(item) for key, item in held.items()}


def encode_all(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return keyword arguments as JSON holds them."""
    return {name: encode(value) for name, value in arguments.items()}


def decode_all(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments again, with the rows as they are now."""
    return {name: decode(value) for name, value in arguments.items()}


def decode_found(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those keyword arguments whose rows are still there."""
    found = {}
    for name, value in arguments.items():
        with suppress(NotFound):
            found[name] = decode(value)
    return found


def _row(label: str, key: Any) -> Model:
    row = apps.get_model(label)._base_manager.filter(pk=key).first()
    if row is None:
        raise NotFound
    return row
