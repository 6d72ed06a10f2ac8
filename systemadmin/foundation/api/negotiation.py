"""JSON in and out: strict on what comes in, always JSON on what goes out."""

import codecs
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser

MAX_SAFE_INTEGER = 2**63 - 1


class JSONAlways(DefaultContentNegotiation):
    """Answer in JSON whatever the `Accept` header says: an error page helps no client."""

    def select_renderer(
        self, request: Any, renderers: Any, format_suffix: str | None = None
    ) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _check_storable(value: Any) -> None:
    # PostgreSQL stores neither NUL nor lone surrogates, and integers end at 64 bits:
    # refused here, once, they can never surface as a 500 from the driver.
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("a string contains the NUL character")
        value.encode("utf-8")
    elif isinstance(value, bool):
        return
    elif isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise ValueError("a number is too large")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_storable(key)
            _check_storable(item)
    elif isinstance(value, list):
        for item in value:
            _check_storable(item)


class StrictJSONParser(JSONParser):
    """JSON that the database can hold; anything else is a 400 with the reason."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        encoding = (parser_context or {}).get("encoding", settings.DEFAULT_CHARSET)
        try:
            text = codecs.getreader(encoding)(stream).read()
            if not text.strip():
                return {}
            parsed = json.loads(text, parse_constant=_refuse_constant)
            _check_storable(parsed)
        except RecursionError as error:
            raise ParseError("JSON is nested too deeply.") from error
        except (ValueError, LookupError) as error:
            raise ParseError(f"Malformed JSON: {error}") from error
        return parsed
