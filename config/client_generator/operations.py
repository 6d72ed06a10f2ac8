"""Writes one class for each group of paths, with one method for each operation."""

import re
from typing import Any

from config.client_generator.models import HEADER, Layout, docstring, needed
from config.client_generator.schema import Operation, component, identifier
from config.client_generator.types import python_type, query_type, references

VERBS = {
    "list": "list",
    "retrieve": "get",
    "create": "create",
    "update": "replace",
    "partial_update": "update",
    "destroy": "delete",
}
SUFFIX = re.compile(r"_(list|retrieve|create|partial_update|update|destroy)$")


def group_module(layout: Layout, group: tuple[str, ...], operations: list[Operation]) -> str:
    """Return the source of one group."""
    names = method_names(operations)
    methods = "\n".join(_method(layout, one, names[one.id]) for one in operations)
    where = "/".join(["/api", *group])
    source = f'class {group_class(group)}(Group):\n    """`{where}`."""\n\n{methods}'
    used: set[str] = set()
    for one in operations:
        used |= references(one.answer)
        for name in references(one.body):
            used |= references(layout.components[name])
    used |= {
        component(layout.components[name]["properties"]["results"]["items"]["$ref"])
        for name in used
        if layout.is_page(name)
    }
    doc = HEADER.format(doc=f"Operations under `{where}`.")
    return doc + needed(source) + layout.imports(used, "", "..models.") + "\n\n" + source + "\n"


def group_class(group: tuple[str, ...]) -> str:
    """Return `AdminTicketsGroup` for `("admin", "tickets")`."""
    words = [part for name in group for part in name.split("_")]
    return "".join(word.capitalize() for word in words) + "Group"


def method_names(operations: list[Operation]) -> dict[str, str]:
    """Return a method name for each operation: its id without the group and, mostly, the verb."""
    rest = {one.id: _rest(one) for one in operations}
    bare = {id_: SUFFIX.sub("", name) for id_, name in rest.items()}
    reads = [bare[one.id] for one in operations if one.method == "GET"]
    names = {}
    for one in operations:
        name, short = rest[one.id], bare[one.id]
        # The short name is the only read's; else an act's, as in `tickets.reply`.
        clear = reads.count(short) == 1 if one.method == "GET" else short not in reads
        if name in VERBS:
            names[one.id] = VERBS[name]
        elif clear and one.method in {"GET", "POST"}:
            names[one.id] = short
        else:
            found = SUFFIX.search(name)
            names[one.id] = f"{short}_{VERBS[found[1]]}" if found else name
    if len(set(names.values())) < len(names):
        raise ValueError(f"two operations would share a method: {names}")
    return names


def _rest(operation: Operation) -> str:
    return identifier(operation.id).removeprefix("_".join(operation.group) + "_")


def _method(layout: Layout, operation: Operation, name: str) -> str:
    path = [f"{one}: int | str" for one in re.findall(r"\{(\w+)\}", operation.path)]
    named = _arguments(layout, operation)
    signature = ", ".join(["self", *path, *(["*", *named] if named else [])])
    returned, call = _call(layout, operation)
    return (
        f"    def {name}({signature}) -> {returned}:\n"
        f"        {docstring(operation.doc, operation.id)}\n"
        f"        {call}\n"
    )


def _arguments(layout: Layout, operation: Operation) -> list[str]:
    found = []
    for one in operation.named("query"):
        kind = query_type(one["schema"])
        optional = "" if one.get("required") else " | None = None"
        found.append(f"{identifier(one['name'])}: {kind}{optional}")
    properties, required = _body(layout, operation)
    if operation.body is not None and properties is None:
        found.append("body: dict[str, Any]")
    for field, schema in (properties or {}).items():
        kind = python_type(schema, array="Sequence")
        unset = "" if field in required else " | Unset = UNSET"
        found.append(f"{identifier(field)}: {kind}{unset}")
    if operation.header("If-Match"):
        found.append("if_match: Version | None = None")
    if operation.header("Idempotency-Key"):
        found.append("idempotency_key: str | None = None")
    # Those with a default may stand anywhere: all are passed by name.
    return found


def _body(layout: Layout, operation: Operation) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the body's fields, or None of a body whose keys are open."""
    if operation.body is None or "$ref" not in operation.body:
        return None, []
    schema = layout.components[component(operation.body["$ref"])]
    return schema.get("properties"), schema.get("required", [])


def _call(layout: Layout, operation: Operation) -> tuple[str, str]:
    """Return the annotation of the answer and the statement that gets it."""
    path = _path(operation)
    query = _query(operation)
    if operation.is_file:
        return "Download", f"return self._file({path}{', ' + query if query else ''})"
    request = "".join(f", {part}" for part in _request(layout, operation, query))
    if operation.answer is None:
        return "None", f'self._none("{operation.method}", {path}{request})'
    ref = component(operation.answer.get("$ref", ""))
    if ref and layout.is_page(ref):
        item = layout.item_of(ref)
        return f"Pages[{item}]", f"return self._pages({item}, {path}, {query or '{}'})"
    kind = python_type(operation.answer)
    annotation = kind.replace("list[", "Sequence[")
    return annotation, f'return self._one({kind}, "{operation.method}", {path}{request})'


def _path(operation: Operation) -> str:
    if "{" not in operation.path:
        return f'"{operation.path}"'
    return 'f"' + re.sub(r"\{(\w+)\}", r"{quote(\1)}", operation.path) + '"'


def _query(operation: Operation) -> str:
    names = [one["name"] for one in operation.named("query")]
    pairs = ", ".join(f'"{name}": {identifier(name)}' for name in names)
    return f"{{{pairs}}}" if pairs else ""


def _request(layout: Layout, operation: Operation, query: str) -> list[str]:
    found = [f"query={query}"] if query else []
    properties, _required = _body(layout, operation)
    if properties is not None:
        pairs = ", ".join(f'"{field}": {identifier(field)}' for field in properties)
        found.append(f"body={{{pairs}}}")
    elif operation.body is not None:
        found.append("body=body")
    if operation.header("If-Match"):
        found.append('headers={"If-Match": etag_of(if_match)}')
    if operation.header("Idempotency-Key"):
        found.append("keyed=True, key=idempotency_key")
    return found
