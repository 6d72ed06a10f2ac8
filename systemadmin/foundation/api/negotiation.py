"""JSON in and out: strict on what comes in, always JSON on what goes out."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser

from systemadmin.foundation.errors import TooLarge
from systemadmin.foundation.strict_json import MalformedJSON, read_json


class JSONAlways(DefaultContentNegotiation):
    """Answer in JSON whatever the `Accept` header says: an error page helps no client."""

    def select_renderer(
        self, request: Any, renderers: Any, format_suffix: str | None = None
    ) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type


class StrictJSONParser(JSONParser):
    """JSON that the database can hold; anything else is a 400 with the field and the reason."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        # Always UTF-8, whatever the client names (RFC 8259); never more than fits the memory.
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise TooLarge
        if not raw.strip():
            return {}
        try:
            return read_json(raw)
        except MalformedJSON as error:
            raise ParseError(f"Malformed JSON: {error}") from error
