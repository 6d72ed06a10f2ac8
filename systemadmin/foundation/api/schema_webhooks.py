"""OpenAPI `webhooks`: a message for every kind of published event, with an example."""

from typing import Any

from drf_spectacular.plumbing import process_webhooks
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    OpenApiWebhook,
    extend_schema,
    extend_schema_field,
    inline_serializer,
)
from rest_framework import serializers

from systemadmin.foundation.published_events import EventKind, event_kinds

DESCRIPTION = (
    "Signed as Standard Webhooks say: `webhook-id`, `webhook-timestamp`, `webhook-signature`. "
    "Sent again until it is answered with 2xx; the same `id` is the same event."
)


def describe_webhooks(result: Any, generator: Any, request: Any, public: bool) -> Any:
    """Post-processing hook, the first one: drf-spectacular reads its own list before apps load."""
    webhooks = [_webhook(kind) for kind in event_kinds().values()]
    result["webhooks"] = process_webhooks(webhooks, generator.registry)
    result["components"] = generator.registry.build(spectacular_settings.APPEND_COMPONENTS)
    return result


def _camel(name: str) -> str:
    return "".join(part.title() for part in name.replace("_", ".").split("."))


def message_serializer(kind: EventKind) -> Any:
    """Return the serializer of a kind's messages."""
    described = extend_schema_field({"type": "string", "const": kind.name})
    name = described(type("KindField", (serializers.CharField,), {}))
    return inline_serializer(
        f"{_camel(kind.name)}Event",
        {
            "id": serializers.CharField(),
            "type": name(),
            "timestamp": serializers.DateTimeField(),
            "sequence": serializers.IntegerField(allow_null=True),
            "data": kind.payload(),
            "test": serializers.BooleanField(required=False),
        },
    )


def example_message(kind: EventKind) -> dict[str, Any]:
    """Return a message of a kind with its example."""
    return {
        "id": "msg_2yQnXbYw1pXZ4aT0",
        "type": kind.name,
        "timestamp": "2030-01-01T12:00:00+00:00",
        "sequence": 4711,
        "data": dict(kind.example),
    }


def _webhook(kind: EventKind) -> OpenApiWebhook:
    return OpenApiWebhook(
        name=kind.name,
        decorator=extend_schema(
            operation_id=f"on{_camel(kind.name)}",
            summary=str(kind.says),
            description=DESCRIPTION,
            tags=["webhooks"],
            request=message_serializer(kind),
            responses={200: OpenApiResponse(description="Taken.")},
            examples=[OpenApiExample("example", value=example_message(kind))],
        ),
    )
