"""JSON that others wrote: UTF-8, bounded in depth, and nothing in it that cannot be stored."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.parsing import LARGEST

DEEPEST: Final = 32
# The largest call takes 1,000 events of 14 fields. Each value may cost its field a check, an
# error with its path, or a query; 200,000 of them cost 4 s.
MOST_VALUES: Final = 30_000
_LONGEST_NUMBER: Final = 400
# Only an escape can bring NUL or half a surrogate pair into a text that is UTF-8.
_DOUBTFUL_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_TOO_LARGE = ("out_of_range", gettext_lazy("The number is too large."))
_NOT_A_NUMBER = ("not_json", gettext_lazy("NaN and Infinity are not JSON."))
_TWICE = ("duplicate_key", gettext_lazy("This name stands twice in one object."))
_NOT_TEXT = ("not_text", gettext_lazy("Text cannot hold NUL or half a surrogate pair."))
_TOO_MANY = ("too_many_values", gettext_lazy("The JSON holds too many values."))
_TOO_DEEP = ("too_deep", gettext_lazy("The JSON is nested too deeply."))


class MalformedJSON(ValueError):
    """The body is not JSON; the message says where."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """Stands in the place of a value that cannot be taken, until its path is known."""

    code: str
    detail: Any


class _Reader:
    """The hooks of one reading, which note whether anything has to be refused."""

    def __init__(self) -> None:
        self.has_refused = False

    def refuse(self, why: tuple[str, Any]) -> _Refused:
        self.has_refused = True
        return _Refused(*why)

    def constant(self, _name: str) -> Any:
        return self.refuse(_NOT_A_NUMBER)

    def whole(self, text: str) -> Any:
        # The length comes first: making a number of many digits costs their square.
        if len(text) > 20:
            return self.refuse(_TOO_LARGE)
        number = int(text)
        return number if abs(number) <= LARGEST else self.refuse(_TOO_LARGE)

    def fraction(self, text: str) -> Any:
        number = float(text) if len(text) <= _LONGEST_NUMBER else math.inf
        return number if math.isfinite(number) else self.refuse(_TOO_LARGE)

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        if len(read) != len(pairs):
            seen: set[str] = set()
            for name, _value in pairs:
                if name in seen:
                    read[name] = self.refuse(_TWICE)
                seen.add(name)
        return read


def read_json(raw: bytes) -> Any:
    """Return what a body says.

    Raises `MalformedJSON` for what is no JSON in UTF-8, and `InvalidInput` that names the fields
    with NUL, half a surrogate pair, a number beyond 64 bits or a name that stands twice.
    """
    reader = _Reader()
    try:
        text = raw.decode("utf-8")
        read = json.loads(
            text,
            parse_constant=reader.constant,
            parse_int=reader.whole,
            parse_float=reader.fraction,
            object_pairs_hook=reader.pairs,
        )
    except UnicodeDecodeError as error:
        raise MalformedJSON(_("The body is not UTF-8.")) from error
    except RecursionError as error:
        raise _problem({"": _TOO_DEEP}) from error
    except ValueError as error:
        raise MalformedJSON(str(error)) from error
    _check_size(read)
    if reader.has_refused or _DOUBTFUL_ESCAPE.search(text):
        found = dict(list(_refused(read, ""))[:20])
        if found:
            raise _problem(found)
    return read


def _problem(found: dict[str, tuple[str, Any]]) -> InvalidInput:
    problem = InvalidInput("", "")
    problem.errors = [
        {"field": path, "code": code, "detail": detail} for path, (code, detail) in found.items()
    ]
    return problem


def _check_size(read: Any) -> None:
    level, depth, values = [read], 0, 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise _problem({"": _TOO_DEEP})
        values += sum(len(value) for value in level if type(value) in (dict, list))
        if values > MOST_VALUES:
            raise _problem({"": _TOO_MANY})
        inner = [value for value in level if type(value) in (dict, list)]
        level = [
            item
            for value in inner
            for item in (value.values() if type(value) is dict else value)
            if type(item) in (dict, list)
        ]


def _refused(value: Any, path: str) -> Iterator[tuple[str, tuple[str, Any]]]:
    """Yield path and reason of whatever cannot be taken; the depth is known to be bounded."""
    if isinstance(value, _Refused):
        yield path, (value.code, value.detail)
    elif isinstance(value, str):
        if _UNSTORABLE.search(value):
            yield path, _NOT_TEXT
    elif isinstance(value, dict):
        yield from _refused_members(value, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _refused(item, f"{path}.{index}" if path else str(index))


def _refused_members(value: dict[str, Any], path: str) -> Iterator[tuple[str, tuple[str, Any]]]:
    for name, item in value.items():
        shown = _UNSTORABLE.sub("\ufffd", name)[:100]
        inner = f"{path}.{shown}" if path else shown
        if shown != name and _UNSTORABLE.search(name):
            yield inner, _NOT_TEXT
        yield from _refused(item, inner)
