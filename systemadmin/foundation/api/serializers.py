"""Input serializers that refuse what they do not know."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from systemadmin.foundation.parsing import (
    LONGEST_LINE,
    SMALLEST,
    Unreadable,
    is_one_line,
    parse_address,
    parse_day,
    parse_decimal,
    parse_float,
    parse_moment_or_day,
    parse_whole_number,
)
from systemadmin.foundation.readable_text import check_readable
from systemadmin.foundation.references import NOBODY, SCHEMA, key_of, parse_reference

MOST_NAMED = 20
# Items of a list or names of an object in a body, where the field says nothing else.
MOST_ITEMS = 1000

Parse = Callable[[Any], Any]
_BY_FIELD: tuple[tuple[type[serializers.Field], Parse], ...] = (
    (serializers.IntegerField, lambda text: parse_whole_number(text, SMALLEST)),
    (serializers.DecimalField, parse_decimal),
    (serializers.FloatField, parse_float),
    (serializers.DateTimeField, parse_moment_or_day),
    (serializers.DateField, parse_day),
    (serializers.IPAddressField, parse_address),
)


class TooManyNames(Unreadable):
    """The object has more names than a call takes."""

    code = "max_length"


class KeyField(serializers.PrimaryKeyRelatedField):
    """An object of `queryset` by its id; anything else is a 400, never an error of the database."""

    default_error_messages = {"does_not_exist": gettext_lazy("Nothing has this id: {pk_value}.")}

    def to_internal_value(self, data: Any) -> Any:
        """Return the object; what names none is refused."""
        key = self._key_in(data)
        if not NOBODY < key < 2**63:
            self.fail("does_not_exist", pk_value=str(data)[:LONGEST_LINE])
        return super().to_internal_value(key)

    def _key_in(self, data: Any) -> int:
        """Return the id that was sent; `NOBODY` for what is none."""
        named = _reference_in(data)
        return named if isinstance(named, int) else NOBODY


@extend_schema_field(SCHEMA)
class ReferenceField(KeyField):
    """An object of `queryset` by its id or, as `ext:…`, by the platform's."""

    def _key_in(self, data: Any) -> int:
        rows = self.get_queryset()
        return key_of(_reference_in(data), rows.model if rows is not None else None)


def _reference_in(data: Any) -> int | str:
    try:
        return parse_reference(data)
    except Unreadable:
        return NOBODY


@extend_schema_field(SCHEMA)
class ReferenceTextField(serializers.Field):
    """A reference that is looked up later, with others in one query."""

    def to_internal_value(self, data: Any) -> int | str:
        """Return our id as a number, or the platform's as a text."""
        try:
            return parse_reference(data)
        except Unreadable as error:
            raise serializers.ValidationError(str(error), code=error.code) from error


@extend_schema_field(SCHEMA)
class AccountKeyField(serializers.Field):
    """An account by its id or, as `ext:…`, by the platform's, where nothing says if it exists.

    The value is a number, 0 for an external id that nobody has.
    """

    def to_internal_value(self, data: Any) -> int:
        """Return the id."""
        try:
            key = key_of(parse_reference(data))
        except Unreadable as error:
            raise serializers.ValidationError(str(error), code=error.code) from error
        if not isinstance(data, str | int) or key >= 2**63 or (key == NOBODY and data in (0, "0")):
            raise serializers.ValidationError(_("An id, or ext: and the platform's own id."))
        return key

    def to_representation(self, value: Any) -> int:
        """Write the id."""
        return int(value)


def _read_strictly(field: serializers.Field, value: Any) -> None:
    """Raise `Unreadable` for a text that is no value of the field; DRF judges other types."""
    if isinstance(field, serializers.ListField):
        for item in value if isinstance(value, list) else ():
            _read_strictly(field.child, item)
    if isinstance(field, serializers.DictField) and isinstance(value, dict):
        _check_number_of_names(value)
    if isinstance(value, str) and value.strip():
        _read_text(field, value)


def _check_number_of_names(value: dict[str, Any]) -> None:
    if len(value) > MOST_ITEMS:
        raise TooManyNames(_("At most %(most)d names.") % {"most": MOST_ITEMS})


def _read_text(field: serializers.Field, value: str) -> None:
    for kind, parse in _BY_FIELD:
        if isinstance(field, kind):
            parse(value.strip())
    if _is_line(field) and not is_one_line(value.strip()):
        raise Unreadable(_("One line, without control characters."))
    if isinstance(field, serializers.CharField) and not _is_secret(field):
        check_readable(value, may_be_blank=field.allow_blank)


def _is_line(field: serializers.Field) -> bool:
    return isinstance(field, serializers.CharField) and _is_short(field) and field.trim_whitespace


def _is_secret(field: serializers.CharField) -> bool:
    """Return whether it is a password, which is taken as it is: it is hashed and shown nowhere."""
    return _is_short(field) and not field.trim_whitespace


def _is_short(field: serializers.CharField) -> bool:
    return field.max_length is not None and field.max_length <= LONGEST_LINE


class StrictSerializer(serializers.Serializer):
    """Parse input only: unknown fields are errors, and nothing is ever saved from here.

    A list of them (`many=True`) takes at most `MOST_ITEMS`, for each wrong item costs an answer.
    """

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("max_length", MOST_ITEMS)
        return super().many_init(*args, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Return the values; what is wrong is named for every field at once."""
        if not isinstance(data, dict):
            return super().to_internal_value(data)
        wrong: dict[str, Any] = {**self._unknown(data), **self._unreadable(data)}
        if not wrong:
            return super().to_internal_value(data)
        try:
            super().to_internal_value({name: data[name] for name in data if name not in wrong})
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                wrong = {**error.detail, **wrong}
        raise serializers.ValidationError(wrong)

    def _unknown(self, data: dict[str, Any]) -> dict[str, list[ErrorDetail]]:
        known = {name for name, field in self.fields.items() if not field.read_only}
        # A body can hold a hundred thousand names; the first of them say enough.
        unknown = sorted(str(name)[:100] for name in set(data) - known)[:MOST_NAMED]
        return {name: [ErrorDetail(_("Unknown field."), code="unknown_field")] for name in unknown}

    def _unreadable(self, data: dict[str, Any]) -> dict[str, list[ErrorDetail]]:
        """Hold texts to the strict parsers: DRF reads Arabic digits, `1_000` and year 1 too."""
        wrong: dict[str, list[ErrorDetail]] = {}
        for name, field in self.fields.items():
            if not field.read_only and name in data:
                try:
                    _read_strictly(field, data[name])
                except Unreadable as error:
                    wrong[name] = [ErrorDetail(str(error), code=error.code)]
        return wrong

    def create(self, validated_data: Any) -> Any:
        raise NotImplementedError("Call a service.")

    def update(self, instance: Any, validated_data: Any) -> Any:
        raise NotImplementedError("Call a service.")


class RowErrorSerializer(serializers.Serializer):
    """What is wrong with a field of a row of a batch."""

    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()
