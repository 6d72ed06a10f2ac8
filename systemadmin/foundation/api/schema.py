"""OpenAPI: every operation shows its problems, its key and its version header."""

from importlib import import_module
from typing import Any

from django.conf import settings
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import is_list_serializer
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from systemadmin.foundation.api.access import MEMBER, PUBLIC
from systemadmin.foundation.api.schema_headers import tag_of
from systemadmin.foundation.context import REASON_HEADER
from systemadmin.foundation.references import REFERENCE_REGEX
from systemadmin.foundation.references import SCHEMA as REFERENCE_SCHEMA
from systemadmin.foundation.scopes import ACT_FOR, scope_of

PROBLEM = "Problem"
DESCRIPTIONS = {
    400: "A field is wrong; nothing was done.",
    401: "Sign in first.",
    403: "Not allowed for this account.",
    404: "It does not exist, or not for this account.",
    405: "The path does not take this method.",
    406: "Not acceptable.",
    409: "A rule refuses it now, or the same key is in flight.",
    410: "What was asked for is past its retention.",
    412: "`If-Match` names an older version.",
    413: "The body or file is too large.",
    415: "Send JSON (or multipart where files are taken).",
    422: "The Idempotency-Key was used for another request.",
    429: "Too many requests; see `Retry-After`.",
    500: "A fault on our side; quote the request id.",
    503: "Maintenance, or a part is down; see `Retry-After`.",
}


class ProblemFieldSerializer(serializers.Serializer):
    """One field's error."""

    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """RFC 9457 problem."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = ProblemFieldSerializer(many=True, required=False)  # type: ignore[assignment]


def problem_responses(*statuses: int) -> dict[Any, OpenApiResponse]:
    """Return the responses to name in `@extend_schema(responses=...)` for these statuses."""
    return {
        (status, "application/problem+json"): OpenApiResponse(
            ProblemSerializer, DESCRIPTIONS.get(status, "Refused.")
        )
        for status in statuses
    }


class ProblemAutoSchema(AutoSchema):
    """Adds what the base viewset does to every operation."""

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.method == "POST" and self._stores_answers():
            parameters.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    str,
                    OpenApiParameter.HEADER,
                    description="Repeat safely: the same key and body give the first answer.",
                )
            )
        if self.method in {"PUT", "PATCH", "DELETE"} and getattr(self.view, "versioned", False):
            parameters.append(
                OpenApiParameter(
                    "If-Match",
                    str,
                    OpenApiParameter.HEADER,
                    description="The ETag you read; a stale one is refused with 412.",
                )
            )
        if self._may_wait():
            parameters.append(
                OpenApiParameter(
                    REASON_HEADER,
                    str,
                    OpenApiParameter.HEADER,
                    description="Why, for a second person or for the colleague whose act this "
                    "undoes, where the body has no `reason`; percent-encoded.",
                )
            )
        if self._opens_to_keys():
            parameters.append(
                OpenApiParameter(
                    ACT_FOR,
                    str,
                    OpenApiParameter.HEADER,
                    description="Beside a service key: the member that it calls for, as our id "
                    "or `ext:` and yours, percent-encoded.",
                )
            )
        return parameters

    def _map_serializer_field(
        self, field: Any, direction: Any, bypass_extensions: bool = False
    ) -> Any:
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        most = getattr(field, "max_length", None) if is_list_serializer(field) else None
        if most is not None and "items" in schema:
            schema["maxItems"] = most
        return schema

    def _may_wait(self) -> bool:
        view, action = self.view, getattr(self.view, "action", None)
        return action in (
            getattr(view, "needs_second_person", set()) | getattr(view, "takes_reason", set())
        )

    def _opens_to_keys(self) -> bool:
        closed = getattr(self.view, "closed_to_keys", set())
        is_open = getattr(self.view, "action", None) not in closed
        return is_open and self._required() is MEMBER and bool(scope_of(self.method, self.path))

    def _required(self) -> Any:
        access = getattr(self.view, "access", {})
        return access.get(getattr(self.view, "action", None), access.get("default"))

    def is_deprecated(self) -> bool:
        """Return whether the action will go."""
        retiring = getattr(self.view, "retiring", {})
        return getattr(self.view, "action", None) in retiring or bool(super().is_deprecated())

    def get_tags(self) -> list[str]:
        """Return the desk that the operation belongs to."""
        return [tag_of(type(self.view).__module__, self.path)]

    def _resolve_path_parameters(self, variables: list[str]) -> list[Any]:
        """Describe objects that the path names by our id or by the platform's."""
        parameters: list[Any] = super()._resolve_path_parameters(variables)
        is_reference = getattr(self.view, "lookup_value_regex", "") == REFERENCE_REGEX
        for parameter in parameters:
            name = parameter["name"]
            if f"<account:{name}>" in self.path_regex or (is_reference and name in ("id", "pk")):
                parameter["schema"] = dict(REFERENCE_SCHEMA)
        return parameters

    def _stores_answers(self) -> bool:
        action = getattr(self.view, "action", None)
        return action not in getattr(self.view, "not_idempotent", set())

    def _is_list_view(self, serializer: Any = None) -> bool:
        if getattr(self.view, "action", None) in getattr(self.view, "singular", set()):
            return False
        return super()._is_list_view(serializer)

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Require a model's own columns: every answer has them, whatever a request leaves out."""
        schema = super()._map_basic_serializer(serializer, direction)
        if direction == "response" and isinstance(serializer, serializers.ModelSerializer):
            columns = set(schema.get("properties", {})) - set(serializer._declared_fields)
            schema["required"] = sorted({*schema.get("required", []), *columns})
        return schema

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Add the answer 202 to acts that may wait for a second person."""
        operation = super().get_operation(*args, **kwargs)
        action = getattr(self.view, "action", None)
        if operation is not None and getattr(self.view, "versioned", False) and action != "list":
            for status, answer in operation["responses"].items():
                if status in ("200", "201"):
                    answer["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
        if operation is None or action not in getattr(self.view, "needs_second_person", set()):
            return operation
        serializer = import_module(settings.DEFERRED_ACTS).DeferredAnswer
        waiting = self.resolve_serializer(serializer, "response").ref
        usual = operation["responses"].pop("202", None)
        text = "It waits for a second person; nothing was done yet."
        schema = waiting
        if usual is not None:
            done = usual["content"]["application/json"]["schema"]
            text = f"{usual['description']} Or: {text}"
            schema = {"oneOf": [done, waiting]}
        operation["responses"]["202"] = {
            "description": text.strip(),
            "content": {"application/json": {"schema": schema}},
        }
        return operation

    def get_auth(self) -> list[Any]:
        # Generators make a call that takes no token of an empty list alone, of no alternative `{}`.
        return [] if self._required() is PUBLIC else super().get_auth()


def describe_problems(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Post-processing hook: name the problems that any operation may answer."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas[PROBLEM] = _problem_schema()
    for path_item in result.get("paths", {}).values():
        for method, operation in path_item.items():
            if isinstance(operation, dict) and "responses" in operation:
                _add_problems(method, operation)
    return result


def _add_problems(method: str, operation: dict[str, Any]) -> None:
    statuses = [400, 401, 403, 404, 405, 406, 429, 500, 503]
    if method in {"post", "put", "patch", "delete"}:
        statuses += [409, 412, 413, 415, 422]
    for status in statuses:
        operation["responses"].setdefault(
            str(status),
            {
                "description": DESCRIPTIONS[status],
                "content": {
                    "application/problem+json": {
                        "schema": {"$ref": f"#/components/schemas/{PROBLEM}"}
                    }
                },
            },
        )


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    error = {
        "type": "object",
        "required": ["field", "code", "detail"],
        "properties": {"field": text, "code": text, "detail": text},
    }
    return {
        "type": "object",
        "description": "RFC 9457 problem.",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "code": text,
            "request_id": text,
            "errors": {"type": "array", "items": error},
        },
        "example": {
            "type": "urn:atalaya:problem:invalid",
            "title": "The input is not valid.",
            "status": 400,
            "detail": "The input is not valid.",
            "code": "invalid",
            "request_id": "4be0643f1d98573b97cdca98a65347dd",
            "errors": [{"field": "subject", "code": "required", "detail": "Required."}],
        },
    }
