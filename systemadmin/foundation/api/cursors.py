"""The cursor of a list: the ordering values of the row at a page's edge, signed and typed.

A cursor is `base64url(payload + tag)` without padding. The payload is a JSON list of the direction
and one text per ordering column; the tag authenticates it together with the list it belongs to
(its path and its ordering). Nothing of a cursor is decoded before its tag was checked, there is
exactly one spelling of each, and each value is read by the type of its column, so that a cursor
from before a change of a column is refused too.
"""

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import models
from django.db.models import QuerySet

from systemadmin.foundation.crypto import keyed_tag, keyed_tag_matches
from systemadmin.foundation.parsing import (
    SMALLEST,
    Unreadable,
    parse_decimal,
    parse_float,
    parse_whole_number,
)

# Holds a text column of the greatest length in its longest spelling.
LONGEST: Final = 4096
LONGEST_TEXT: Final = 400
_TAG_BYTES: Final = 16
_PURPOSE: Final = "cursor"


class InvalidCursor(ValueError):
    """The cursor was not made by this list, or was changed since."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """How the values of a column are written into a cursor and read out of it."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]


def _write_moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def _read_moment(text: str) -> datetime:
    # Any year that is stored: only whoever sends a moment is held to the years of `parsing`.
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise Unreadable
    return moment


def _read_text(text: str) -> str:
    if "\x00" in text or len(text) > LONGEST_TEXT:
        raise Unreadable
    return text


def _read_flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise Unreadable
    return text == "1"


def _read_whole(text: str) -> int:
    return parse_whole_number(text, SMALLEST)


def _read_uuid(text: str) -> uuid.UUID:
    if len(text) != 32:
        raise Unreadable
    return uuid.UUID(hex=text)


WHOLE = ColumnType(lambda value: str(int(value)), _read_whole)
MOMENT = ColumnType(_write_moment, _read_moment)
DAY = ColumnType(date.isoformat, date.fromisoformat)
DECIMAL = ColumnType(lambda value: f"{Decimal(value):f}", parse_decimal)
FLOAT = ColumnType(lambda value: repr(float(value)), parse_float)
FLAG = ColumnType(lambda value: "1" if value else "0", _read_flag)
UUID = ColumnType(lambda value: value.hex, _read_uuid)
TEXT = ColumnType(str, _read_text)

# The first that fits counts: to Django a date and time is a date too.
_BY_FIELD: Final[tuple[tuple[type[models.Field], ColumnType], ...]] = (
    (models.DateTimeField, MOMENT),
    (models.DateField, DAY),
    (models.BooleanField, FLAG),
    (models.IntegerField, WHOLE),
    (models.DecimalField, DECIMAL),
    (models.FloatField, FLOAT),
    (models.UUIDField, UUID),
    (models.CharField, TEXT),
    (models.GenericIPAddressField, TEXT),
)


def column_of(queryset: QuerySet, name: str) -> Any:
    """Return the field that an ordering term orders by; `FieldDoesNotExist` for none."""
    annotation = queryset.query.annotations.get(name)
    if annotation is not None:
        return annotation.output_field
    model: Any = queryset.model
    field: Any = None
    for part in name.split("__"):
        field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        model = field.related_model
    while getattr(field, "remote_field", None) is not None and field.concrete:
        field = field.target_field
    return field.output_field if isinstance(field, models.GeneratedField) else field


def type_of(field: Any) -> ColumnType:
    """Return how values of a field are written; `TypeError` for one that no list may order by."""
    for kind, column_type in _BY_FIELD:
        if isinstance(field, kind) and (field.max_length or 0) <= LONGEST_TEXT:
            return column_type
    raise TypeError(f"lists cannot be ordered by {type(field).__name__}")


def column_types(queryset: QuerySet, names: Sequence[str]) -> list[ColumnType]:
    """Return how the values of each ordering column are written."""
    return [type_of(column_of(queryset, name)) for name in names]


def encode(
    values: Sequence[Any], backwards: bool, *, types: Sequence[ColumnType], bound: str
) -> str:
    """Return the signed cursor of a row's ordering values; `bound` names list and ordering."""
    texts = [
        None if value is None else column_type.write(value)
        for value, column_type in zip(values, types, strict=True)
    ]
    payload = json.dumps([int(backwards), *texts], ensure_ascii=False, separators=(",", ":"))
    return _spell(payload.encode(), keyed_tag(_message(payload.encode(), bound), purpose=_PURPOSE))


def decode(raw: str, *, types: Sequence[ColumnType], bound: str) -> tuple[list[Any], bool]:
    """Return the ordering values of a cursor and whether it leads back.

    Raises `InvalidCursor` for whatever `encode` did not make for this list.
    """
    payload = _authentic_payload(raw, bound)
    try:
        backwards, *texts = json.loads(payload)
        values = [
            None if text is None else column_type.read(text)
            for text, column_type in zip(texts, types, strict=True)
        ]
    except (ValueError, TypeError) as error:
        raise InvalidCursor from error
    return values, bool(backwards)


def _authentic_payload(raw: str, bound: str) -> bytes:
    if len(raw) > LONGEST or not raw.isascii():
        raise InvalidCursor
    try:
        blob = base64.b64decode(raw + "=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    payload, tag = blob[:-_TAG_BYTES], blob[-_TAG_BYTES:]
    # Base64 has several spellings of the same bytes; only ours counts.
    if not payload or _spell(payload, tag) != raw:
        raise InvalidCursor
    if not keyed_tag_matches(_message(payload, bound), tag, purpose=_PURPOSE):
        raise InvalidCursor
    return payload


def _spell(payload: bytes, tag: bytes) -> str:
    return base64.urlsafe_b64encode(payload + tag[:_TAG_BYTES]).rstrip(b"=").decode("ascii")


def _message(payload: bytes, bound: str) -> bytes:
    # The length keeps what is bound and the payload apart, whatever either holds.
    binding = bound.encode("utf-8", "surrogatepass")
    return len(binding).to_bytes(4, "big") + binding + payload
