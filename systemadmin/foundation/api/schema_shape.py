"""OpenAPI post-processing: the shapes that client generators turn into types people can use."""

from typing import Any

from systemadmin.foundation.api.routing import ID_REGEX

Schema = dict[str, Any]

JSON = "application/json"
MULTIPART = "multipart/form-data"
METHODS = ("get", "post", "put", "patch", "delete")
# The largest number that ID_REGEX takes.
LARGEST_ID = 10**18 - 1


def shape_for_clients(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Post-processing hook: whole numbers as ids, and a body in one way unless it has files."""
    components = result.setdefault("components", {}).setdefault("schemas", {})
    for item in result["paths"].values():
        for method in METHODS:
            if method in item:
                _number_ids(item[method].get("parameters", []))
                _split_body(item[method].get("requestBody", {}).get("content", {}), components)
    return result


def _number_ids(parameters: list[Schema]) -> None:
    for parameter in parameters:
        if parameter["schema"].get("pattern") == f"^{ID_REGEX}$":
            parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}
        elif parameter["schema"].get("type") == "number":
            # django-filter calls every number a decimal; all of ours are keys and minor units.
            parameter["schema"]["type"] = "integer"


def _split_body(content: dict[str, Schema], components: dict[str, Schema]) -> None:
    """Leave JSON alone, or JSON without the files and a form with them.

    A body that can come in two ways under one name makes generated clients send it twice.
    """
    if JSON not in content or MULTIPART not in content:
        return
    name = content[JSON]["schema"].get("$ref", "").rsplit("/", 1)[-1]
    form = f"{name.removesuffix('Request')}FormRequest"
    whole = components.get(form) or components.get(name, {})
    files = _file_fields(whole)
    if not files:
        del content[MULTIPART]
    elif files & set(whole.get("required", ())):
        del content[JSON]
    else:
        components[form] = whole
        components[name] = whole | {"properties": _without(files, whole["properties"])}
        content[MULTIPART]["schema"] = {"$ref": f"#/components/schemas/{form}"}


def _without(names: set[str], properties: Schema) -> Schema:
    return {name: field for name, field in properties.items() if name not in names}


def _file_fields(component: Schema) -> set[str]:
    return {
        name
        for name, field in component.get("properties", {}).items()
        if "binary" in (field.get("format"), field.get("items", {}).get("format"))
    }
