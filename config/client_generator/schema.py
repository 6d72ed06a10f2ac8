"""The OpenAPI schema as operations and components, in English whatever the server speaks."""

import json
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

METHODS = ("get", "post", "put", "patch", "delete")
STREAM = "text/event-stream"


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    id: str
    doc: str
    parameters: list[dict[str, Any]]
    body: dict[str, Any] | None
    # The schema of the answer; None for 204. `media` tells files from JSON.
    answer: dict[str, Any] | None
    media: str
    group: tuple[str, ...] = field(default=())

    def named(self, place: str) -> list[dict[str, Any]]:
        """Return the parameters in the path, the query or the headers."""
        return [one for one in self.parameters if one["in"] == place]

    @property
    def is_file(self) -> bool:
        """Return whether the answer is bytes to keep and not an object."""
        binary = (self.answer or {}).get("format") == "binary"
        return self.answer is not None and (binary or self.media != "application/json")

    def header(self, name: str) -> bool:
        """Return whether the operation takes that header."""
        return any(one["name"] == name for one in self.named("header"))


def read_schema() -> dict[str, Any]:
    """Return the schema of this server as plain data."""
    with translation.override("en"):
        found = SchemaGenerator().get_schema(request=None, public=True)
        return json.loads(OpenApiJsonRenderer().render(found))


def operations(schema: dict[str, Any]) -> Iterator[Operation]:
    """Yield every operation but the event stream, which the client reads by hand."""
    for path, item in sorted(schema["paths"].items()):
        for method in METHODS:
            if method in item:
                found = _operation(path, method, item[method])
                if found.media != STREAM:
                    yield found


def _operation(path: str, method: str, spec: dict[str, Any]) -> Operation:
    responses: dict[str, Any] = spec["responses"]
    status = min(status for status in responses if status.startswith("2"))
    contents: dict[str, Any] = responses[status].get("content", {})
    media, content = next(iter(contents.items()), ("", dict[str, Any]()))
    bodies = spec.get("requestBody", {}).get("content", {})
    return Operation(
        path=path,
        method=method.upper(),
        id=spec["operationId"],
        doc=". ".join(spec[part] for part in ("summary", "description") if spec.get(part)),
        parameters=spec.get("parameters", []),
        body=bodies.get("application/json", {}).get("schema"),
        answer=content.get("schema") if status != "204" else None,
        media=media,
        group=group_of(path),
    )


def group_of(path: str) -> tuple[str, ...]:
    """Return `("admin", "tickets")` for `/api/admin/tickets/{id}`."""
    parts = path.strip("/").split("/")[1:]
    length = 2 if parts[0] == "admin" else 1
    return tuple(identifier(part) for part in parts[:length])


def identifier(name: str) -> str:
    """Return `name` as Python can spell it."""
    spelled = re.sub(r"\W", "_", name).replace("2fa", "two_factor")
    return f"{spelled}_" if keyword.iskeyword(spelled) else spelled


def component(ref: str) -> str:
    """Return the name that a `$ref` points to."""
    return ref.rsplit("/", 1)[-1]
