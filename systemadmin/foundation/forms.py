"""Form fields that read numbers by the same strict parsers as the API."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import formats
from django.utils.translation import gettext as _

from systemadmin.foundation.money import TooFine, to_minor
from systemadmin.foundation.parsing import (
    LONGEST_LINE,
    SMALLEST,
    Unreadable,
    is_one_line,
    parse_decimal,
    parse_float,
    parse_local_decimal,
    parse_whole_number,
)
from systemadmin.foundation.readable_text import check_readable


def _read(parse: Callable[[str], Any], value: Any) -> Any:
    """Return the parsed text, or the value as it is when it is no text."""
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        return parse(value.strip())
    except Unreadable as error:
        raise ValidationError(str(error), code=error.code) from error


class PlainIntegerField(forms.IntegerField):
    """A whole number in plain ASCII digits."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(_read(lambda text: parse_whole_number(text, SMALLEST), value))


class PlainDecimalField(forms.DecimalField):
    """A number in plain notation, without an exponent."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(_read(parse_decimal, value))


class LocalDecimalField(forms.DecimalField):
    """A number as people write it in the active language: 1.234,50 or 1,234.50."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(localize=True, widget=forms.TextInput(), **kwargs)

    def to_python(self, value: Any) -> Any:
        return super().to_python(_read(read_local_number, value))


class AmountField(LocalDecimalField):
    """An amount of money in major units: 258 means 258.00.

    The form knows the currency, so it turns the cleaned Decimal into minor units
    (`clean_amount`).
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", 0)
        super().__init__(max_digits=15, decimal_places=4, **kwargs)


def read_local_number(text: str) -> Decimal:
    """Return a number written as in the active language; raises `Unreadable`."""
    mark = formats.get_format("DECIMAL_SEPARATOR")
    return parse_local_decimal(text, mark if mark in (".", ",") else ".")


def clean_amount(field: str, amount: Decimal | None, currency: str) -> int | None:
    """Return a cleaned amount in minor units; a field error where the currency is not that fine."""
    if amount is None:
        return None
    try:
        return to_minor(amount, currency)
    except TooFine as error:
        text = _("%(currency)s has no such small amounts.") % {"currency": currency}
        raise ValidationError({field: text}, code="too_fine") from error


class PercentField(LocalDecimalField):
    """A rate in percent, kept in parts per million: 3.33 becomes 33300."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", 0)
        kwargs.setdefault("max_value", 100)
        super().__init__(max_digits=7, decimal_places=4, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return _percent(value) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value: Any) -> Any:
        percent = super().clean(value)
        return None if percent is None else int(percent * 10_000)


def _percent(ppm: int) -> Decimal:
    """Return parts per million in percent without trailing zeros."""
    percent = Decimal(ppm) / 10_000
    return percent.quantize(Decimal(1)) if percent == percent.to_integral() else percent.normalize()


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
        if text and not isinstance(self.widget, forms.PasswordInput):
            _read(lambda line: check_readable(line, may_be_blank=not self.required), text)
        return text


class DayInput(forms.DateInput):
    """The browser's own field for a day, which takes its value as 2026-06-01 in any language."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")
