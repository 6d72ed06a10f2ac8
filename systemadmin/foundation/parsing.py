"""Strict parsers for text that others wrote: one for each kind of value, for every way in.

Each returns the value or raises `Unreadable` with a sentence for people. None raises anything
else, and none does more work than the length it accepts allows: the length is checked before a
number is made of the digits, because `int` and `Decimal` cost more than the text is long.
"""

import ipaddress
import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final, TypeVar

from django.utils.translation import gettext as _

Day = TypeVar("Day", bound=date)
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# What a column of 64 bits holds.
SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1
# Beyond these years, sums of moments leave what Python and PostgreSQL can hold.
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2999
# Fields up to this length hold names, titles and codes: one line. Longer ones are written freely.
LONGEST_LINE: Final = 200

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?")
_GROUPED = {mark: re.compile(rf"-?[0-9]{{1,3}}(?:\{mark}[0-9]{{3}})+") for mark in ".,"}
_FLOAT = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.IGNORECASE,
)
_RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,4})?([smhd])")
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_TIME_OF_DAY = re.compile(r"([0-9]{1,2}):([0-9]{2})")
# Embeddings, overrides and isolates: they change the order in which later characters are shown.
DIRECTION_CONTROLS: Final = "\u202a-\u202e\u2066-\u2069"
# Characters that end a line or act on a terminal, a mail header or a log: C0, DEL, C1, the two
# separators of Unicode, its deprecated format characters and the marks of annotations. Lone
# surrogates cannot be stored as UTF-8.
_NOT_IN_A_LINE = re.compile(
    f"[\x00-\x1f\x7f-\x9f\u2028\u2029\u206a-\u206f\ufff9-\ufffb\ud800-\udfff{DIRECTION_CONTROLS}]"
)

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Unreadable(ValueError):
    """The text is not such a value; the message says what would be."""

    code = "invalid"


def parse_whole_number(text: Any, low: int = 0, high: int = LARGEST) -> int:
    """Return a whole number in plain ASCII digits: no sign but a minus, no leading zeros."""
    if isinstance(text, str) and _WHOLE.fullmatch(text) and low <= int(text) <= high:
        return int(text)
    if high >= LARGEST and low <= SMALLEST:
        raise Unreadable(_("A whole number."))
    if high >= LARGEST:
        raise Unreadable(_("A whole number from %(low)s up.") % {"low": low})
    raise Unreadable(_("A whole number from %(low)s to %(high)s.") % {"low": low, "high": high})


def parse_decimal(text: Any) -> Decimal:
    """Return a number in plain notation: up to 18 digits before and after the point."""
    if isinstance(text, str) and _DECIMAL.fullmatch(text):
        return Decimal(text)
    raise Unreadable(_("A number such as 12 or 12.5."))


def _decimal_mark_of(number: str, usual: str) -> str:
    """Return the mark that begins the decimals of a number; `usual` is the language's."""
    marks = [mark for mark in ".," if mark in number]
    if len(marks) == 2:
        return max(marks, key=number.rindex)
    if not marks or marks[0] == usual:
        return usual
    groups = number.lstrip("-").split(marks[0])
    is_grouped = len(groups) > 2 or (len(groups[-1]) == 3 and groups[0] not in ("", "0"))
    return usual if is_grouped else marks[0]


def parse_local_decimal(text: Any, decimal_mark: str) -> Decimal:
    """Return a number as people write it: `1.234,50`, `1,234.50`, `1234.5`, `1 234,50`.

    Where both marks stand, the last one begins the decimals. A single mark that is not the
    language's decimal mark groups thousands only when exactly three digits follow it, so that
    258.00 is never read as 25,800.
    """
    plain = "".join(text.split()) if isinstance(text, str) and len(text) <= 60 else ""
    decimal_mark = _decimal_mark_of(plain, decimal_mark)
    whole, _mark, decimals = plain.partition(decimal_mark)
    thousands = {".": ",", ",": "."}[decimal_mark]
    if thousands in whole:
        if not _GROUPED[thousands].fullmatch(whole):
            raise Unreadable(_("A number such as 12 or 12.5."))
        whole = whole.replace(thousands, "")
    return parse_decimal(f"{whole}.{decimals}" if decimals else whole)


def parse_float(text: Any) -> float:
    """Return a finite number; an exponent of up to three digits is allowed."""
    if isinstance(text, str) and _FLOAT.fullmatch(text):
        value = float(text)
        if abs(value) != float("inf"):
            return value
    raise Unreadable(_("A number such as 12 or 12.5."))


def parse_day(text: Any) -> date:
    """Return the day that `YYYY-MM-DD` names."""
    day = None
    if isinstance(text, str) and _DAY.fullmatch(text):
        with suppress(ValueError):
            day = date.fromisoformat(text)
    if day is None:
        raise Unreadable(_("A date such as 2026-06-01."))
    return _within_years(day)


def _within_years(day: Day) -> Day:
    """Return a day or moment of a year that every part of the place can count with."""
    if FIRST_YEAR <= day.year <= LAST_YEAR:
        return day
    years = {"first": FIRST_YEAR, "last": LAST_YEAR}
    raise Unreadable(_("A year from %(first)d to %(last)d.") % years)


def parse_month(text: Any) -> date:
    """Return the first day of the month that `YYYY-MM` names."""
    if isinstance(text, str) and len(text) == 7:
        try:
            return parse_day(f"{text}-01")
        except Unreadable:
            pass
    raise Unreadable(_("A month such as 2026-06."))


def parse_moment(text: Any, *, zone: tzinfo | None = UTC) -> datetime:
    """Return the moment (UTC) that an ISO 8601 text names.

    Without a zone of its own it is read in `zone`; with None it has to have one.
    """
    found = None
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match and (match[1] or zone):
        with suppress(ValueError):
            found = datetime.fromisoformat(text.upper().replace(",", "."))
    if found is None:
        raise Unreadable(_("A moment such as 2026-06-01T14:30:00Z."))
    return _within_years(found).replace(tzinfo=found.tzinfo or zone).astimezone(UTC)


def parse_moment_or_day(text: Any, zone: tzinfo = UTC) -> datetime:
    """Return the moment (UTC) that a text names; a day is its midnight in `zone`."""
    if isinstance(text, str) and _DAY.fullmatch(text):
        return datetime.combine(parse_day(text), time(), zone).astimezone(UTC)
    return parse_moment(text, zone=zone)


def parse_rate(text: Any) -> tuple[int, int]:
    """`"100/m"` -> (100, 60); `"10/5m"` -> (10, 300)."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise Unreadable(_("A rate such as 100/m or 10/5m."))
    count, multiple, period = match.groups()
    return int(count), int(multiple or 1) * _SECONDS[period]


def parse_duration(text: Any) -> timedelta:
    """`"90s"`, `"15m"`, `"12h"`, `"7d"` or `"2w"` as a time span of at most 100 years."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is not None:
        seconds = int(match[1]) * _SECONDS[match[2]]
        if seconds <= 36525 * 86400:
            return timedelta(seconds=seconds)
    raise Unreadable(_("A duration such as 90s, 15m, 12h or 7d."))


def parse_time_of_day(text: Any) -> int:
    """Return the minutes since midnight of `HH:MM`; `24:00` is the end of the day."""
    match = _TIME_OF_DAY.fullmatch(text) if isinstance(text, str) else None
    if match is not None and int(match[2]) < 60:
        minutes = int(match[1]) * 60 + int(match[2])
        if minutes <= 24 * 60:
            return minutes
    raise Unreadable(_("A time of day such as 09:30."))


def parse_line(text: Any, max_length: int = 1000) -> str:
    """Return one line of text, trimmed, without characters that break a line or a terminal."""
    if not isinstance(text, str):
        raise Unreadable(_("A text."))
    line = text.strip(" \t")
    if len(line) > max_length:
        raise Unreadable(_("At most %(count)s characters.") % {"count": max_length})
    if not is_one_line(line):
        raise Unreadable(_("One line, without control characters."))
    return line


def is_one_line(text: str) -> bool:
    """Return whether a text has no line break, control of text or direction, or lone surrogate."""
    return _NOT_IN_A_LINE.search(text) is None


def parse_address(text: Any) -> str:
    """Return an IP address as it is stored; an IPv4-mapped one becomes IPv4."""
    try:
        if isinstance(text, str) and len(text) <= 45 and "%" not in text:
            address = ipaddress.ip_address(text)
            return str(getattr(address, "ipv4_mapped", None) or address)
    except ValueError:
        pass
    raise Unreadable(_("An IP address such as 192.0.2.1 or 2001:db8::1."))


def parse_network(text: Any) -> IPNetwork:
    """Return the network that an address or a CIDR block names; host bits are dropped."""
    try:
        if isinstance(text, str) and len(text) <= 49 and "%" not in text:
            return ipaddress.ip_network(text, strict=False)
    except ValueError:
        pass
    raise Unreadable(_("An address or a CIDR block such as 192.0.2.0/24."))


def is_whole_number(text: Any) -> bool:
    """Return whether a text is a whole number that can be an id."""
    try:
        return parse_whole_number(text) >= 0
    except Unreadable:
        return False
