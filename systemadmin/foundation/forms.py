"""Form fields that read numbers by the same strict parsers as the API."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from systemadmin.foundation.parsing import (
    SMALLEST,
    Unreadable,
    parse_decimal,
    parse_float,
    parse_whole_number,
)


def _read(parse: Callable[[str], Any], value: Any) -> Any:
    """Return the parsed text, or the value as it is when it is no text."""
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        return parse(value.strip())
    except Unreadable as error:
        raise ValidationError(str(error), code="invalid") from error


class PlainIntegerField(forms.IntegerField):
    """A whole number in plain ASCII digits."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(_read(lambda text: parse_whole_number(text, SMALLEST), value))


class PlainDecimalField(forms.DecimalField):
    """A number in plain notation, without an exponent."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(_read(parse_decimal, value))


class PlainFloatField(forms.FloatField):
    """A finite number in plain digits."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(_read(parse_float, value))
