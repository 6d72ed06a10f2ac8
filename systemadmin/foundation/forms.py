"""Form fields that read numbers by the same strict parsers as the API."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from systemadmin.foundation.parsing import (
    LONGEST_LINE,
    SMALLEST,
    Unreadable,
    is_one_line,
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


class LineField(forms.CharField):
    """One line of text up to the length of a name or title; longer texts are written freely."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        is_short = self.max_length is not None and self.max_length <= LONGEST_LINE
        has_own_widget = isinstance(self.widget, forms.Textarea | forms.PasswordInput)
        if is_short and not has_own_widget and text and not is_one_line(text):
            raise ValidationError(_("One line, without control characters."), code="invalid")
        return text
