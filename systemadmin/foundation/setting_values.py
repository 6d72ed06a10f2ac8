"""What a stored setting may hold, checked when it is stored and when it is read."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from zoneinfo import available_timezones

from django.utils.translation import gettext as _

from systemadmin.foundation.parsing import (
    LARGEST,
    SMALLEST,
    Unreadable,
    is_one_line,
    parse_network,
    parse_rate,
)

LONGEST_TEXT = 5000
MOST_ENTRIES = 2000
LONGEST_ENTRY = 500


class Declared(Protocol):
    """The part of a declared setting that its check needs."""

    @property
    def type(self) -> type | str: ...
    @property
    def min(self) -> float | None: ...
    @property
    def max(self) -> float | None: ...
    @property
    def choices(self) -> Sequence[str]: ...
    @property
    def check(self) -> Callable[[Any], Any] | None: ...


def read_value(declared: Declared, value: Any) -> Any:
    """Return a setting's value when it is one; raises `Unreadable` with what is wrong."""
    _check_type(declared, value)
    if declared.check is not None:
        declared.check(value)
    return value


def check_rows(parse: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Return a check that each entry of a list can be parsed."""

    def check(rows: Any) -> None:
        for row in rows:
            parse(row)

    return check


check_networks = check_rows(parse_network)


def _check_type(declared: Declared, value: Any) -> None:
    kind = declared.type
    if kind is bool:
        if not isinstance(value, bool):
            raise Unreadable(_("True or false."))
    elif kind in (int, float):
        _check_number(declared, value)
    elif kind is list:
        _check_list(value)
    elif not isinstance(value, str):
        raise Unreadable(_("A text."))
    else:
        _check_text(declared, value)


def _check_text(declared: Declared, value: str) -> None:
    if declared.type == "rate":
        parse_rate(value)
    elif declared.type == "timezone":
        if value not in available_timezones():
            raise Unreadable(_("Unknown time zone."))
    elif declared.choices:
        if value not in declared.choices:
            choices = ", ".join(declared.choices)
            raise Unreadable(_("One of: %(choices)s.") % {"choices": choices})
    else:
        _check_entry(value, LONGEST_TEXT)
        _check_bounds(declared, len(value))


def _check_number(declared: Declared, value: Any) -> None:
    allowed = (int,) if declared.type is int else (int, float)
    # Python takes a bool for an int; for people it is none.
    is_number = isinstance(value, allowed) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and not math.isfinite(value)):
        raise Unreadable(_("A number.") if declared.type is float else _("A whole number."))
    if not SMALLEST <= value <= LARGEST:
        raise Unreadable(_("The number is too large."))
    _check_bounds(declared, value)


def _check_list(value: Any) -> None:
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise Unreadable(_("A list of up to %(count)s texts.") % {"count": MOST_ENTRIES})
    for entry in value:
        _check_entry(entry, LONGEST_ENTRY)


def _check_entry(value: Any, longest: int) -> None:
    if not isinstance(value, str) or len(value) > longest or not is_one_line(value):
        raise Unreadable(
            _("One line of text, up to %(count)s characters, without control characters.")
            % {"count": longest}
        )


def _check_bounds(declared: Declared, size: float) -> None:
    if declared.min is not None and size < declared.min:
        raise Unreadable(_("At least %(bound)s.") % {"bound": declared.min})
    if declared.max is not None and size > declared.max:
        raise Unreadable(_("At most %(bound)s.") % {"bound": declared.max})
