"""What the generated classes stand on: answers as dataclasses, and values left out."""

from __future__ import annotations

import dataclasses
import types
from datetime import date, datetime
from functools import cache
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

# A file to send: its name and its bytes.
Upload = tuple[str, bytes]


class Unset:
    """The type of a value that is not sent at all (`None` is sent, as null)."""

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """An object of the API; `etag` names the version read, where the API keeps versions."""

    etag: str | None = dataclasses.field(default=None, compare=False, repr=False)


def decode(kind: Any, value: Any) -> Any:
    """Return the JSON `value` as the annotated `kind`; fields the kind lacks are ignored."""
    if value is None or kind in (Any, None):
        return value
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return decode(_only_real(kind), value)
    if origin in (list, dict):
        *_key, item = get_args(kind)
        if origin is list:
            return [decode(item, one) for one in value]
        return {name: decode(item, one) for name, one in value.items()}
    return _decode_plain(kind, value)


def _decode_plain(kind: Any, value: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Model):
        return _build(kind, value)
    if kind is datetime and isinstance(value, str):
        return datetime.fromisoformat(value)
    if kind is date and isinstance(value, str):
        return date.fromisoformat(value)
    return value


def _build(kind: Any, value: dict[str, Any]) -> Any:
    fields = _fields(kind)
    return kind(**{field: decode(fields[field], value.get(name)) for field, name in _names(kind)})


def _only_real(union: Any) -> Any:
    """Return what an optional value is when it is there."""
    real = [one for one in get_args(union) if one is not type(None)]
    return real[0] if len(real) == 1 else Any


@cache
def _fields(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _names(kind: Any) -> tuple[tuple[str, str], ...]:
    """Return attribute and JSON name; they differ where the name is a Python keyword."""
    return tuple(
        (field.name, field.metadata.get("name", field.name))
        for field in dataclasses.fields(kind)
        if field.name != "etag"
    )


def encode(value: Any) -> Any:
    """Return `value` as JSON takes it, without what is UNSET."""
    if isinstance(value, dict):
        return {name: encode(one) for name, one in value.items() if not isinstance(one, Unset)}
    if isinstance(value, (list, tuple)):
        return [encode(one) for one in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value
