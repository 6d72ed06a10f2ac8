"""What a JSON schema is called in Python."""

from typing import Any

from config.client_generator.schema import component

PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
FORMATS = {"date-time": "datetime", "date": "date", "binary": "Upload"}


def class_name(name: str) -> str:
    """Return a component's class: choices without `Enum`, bodies without `Request`."""
    return name.removesuffix("Enum").removesuffix("Request")


def python_type(schema: dict[str, Any], *, array: str = "list") -> str:
    """Return the annotation for a schema; `array` is `Sequence` where callers pass one."""
    kinds = _kinds(schema, array)
    if schema.get("nullable"):
        kinds.append("None")
    real = [kind for kind in dict.fromkeys(kinds) if kind != "None"]
    return " | ".join([*real, "None"] if "None" in kinds else real)


def _kinds(schema: dict[str, Any], array: str) -> list[str]:
    if "$ref" in schema:
        return [class_name(component(schema["$ref"]))]
    if "enum" in schema:
        return [literal(schema["enum"])]
    for combined in ("allOf", "oneOf", "anyOf"):
        if combined in schema:
            return [python_type(part, array=array) for part in schema[combined]]
    named = schema.get("type", "any")
    types = named if isinstance(named, list) else [named]
    return [_single(kind, schema, array) for kind in types]


def _single(kind: str, schema: dict[str, Any], array: str) -> str:
    if kind == "null":
        return "None"
    if kind == "array":
        return f"{array}[{python_type(schema.get('items', {}), array=array)}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return (
            f"dict[str, {python_type(values, array=array) if isinstance(values, dict) else 'Any'}]"
        )
    if kind == "string" and schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    return PLAIN.get(kind, "Any")


def query_type(schema: dict[str, Any]) -> str:
    """Return the annotation of a query parameter: django-filter calls every id a number."""
    if schema.get("type") == "number":
        return "int"
    return python_type(schema, array="Sequence")


def literal(values: list[Any]) -> str:
    """Return the type that holds exactly these values."""
    return f"Literal[{', '.join(repr(value) for value in values)}]"


def references(schema: Any) -> set[str]:
    """Return every component that a schema names."""
    if isinstance(schema, dict):
        own = {component(schema["$ref"])} if "$ref" in schema else set()
        return own.union(*(references(part) for part in schema.values()))
    if isinstance(schema, list):
        return set().union(*(references(part) for part in schema))
    return set()
