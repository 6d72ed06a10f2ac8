"""Write docs/operations.txt: every operation of the API with what it takes and gives.

    python docs/list_operations.py          # write the page
    python docs/list_operations.py --check  # show what changed; exit with 1 if something is gone

A line is `name METHOD path | fields taken, ! where required | fields given`. What a caller builds
on does not go: a name, a path, a field that is taken or given, freedom to leave a field out.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "operations.txt"
METHODS = ("get", "post", "put", "patch", "delete")


def lines(document: dict[str, Any]) -> list[str]:
    """Return a line for each operation of a schema, by name."""
    return sorted(_lines(document), key=str.lower)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            content = operation.get("requestBody", {}).get("content", {})
            taken, required = _fields(document, _largest(content))
            given: set[str] = set()
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    given |= _fields(document, _largest(response.get("content", {})))[0]
            marked = {f"{name}!" if name in required else name for name in taken}
            queries = {f"?{one['name']}" for one in operation.get("parameters", [])
                       if one["in"] == "query"}  # fmt: skip
            sends = " ".join(sorted(marked) + sorted(queries))
            yield f"{operation['operationId']} {method.upper()} {path} | {sends} | " + " ".join(
                sorted(given)
            )


def _largest(content: dict[str, Any]) -> dict[str, Any]:
    """Return the largest form: it has what JSON has, and files."""
    chosen = content.get("multipart/form-data") or next(iter(content.values()), {})
    return chosen.get("schema", {})


def _fields(document: dict[str, Any], node: dict[str, Any]) -> tuple[set[str], set[str]]:
    while "$ref" in node:
        node = document["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
    found, required = set(node.get("properties", {})), set(node.get("required", ()))
    for part in (*node.get("allOf", ()), *node.get("oneOf", ())[:1]):
        more, needed = _fields(document, part)
        found |= more
        required |= needed
    results = node.get("properties", {}).get("results", {})
    if "next" in found and "items" in results:
        return _fields(document, results["items"])
    return found, required


def gone(before: list[str], after: list[str]) -> list[str]:
    """Return what callers built on before and that is there no more, in words."""
    now = {line.split(" ", 1)[0]: line for line in after}
    found = []
    for line in before:
        name = line.split(" ", 1)[0]
        found += _lost(name, line, now[name]) if name in now else [f"{name} is gone"]
    return sorted(found)


def _lost(name: str, line: str, new_line: str) -> list[str]:
    """Return what one operation no longer takes or gives, and what it asks for now."""
    call, sent, given = _parts(line)
    new_call, new_sent, new_given = _parts(new_line)
    found = [f"{name} is now {new_call}"] if call != new_call else []
    taken, takes = set(sent.split()), set(new_sent.split())
    plain = {one.rstrip("!") for one in takes}
    needed = {one for one in takes if one.endswith("!")} - taken
    found += [f"{name} takes no {one}" for one in taken if one.rstrip("!") not in plain]
    found += [f"{name} needs {one.rstrip('!')}" for one in needed]
    found += [f"{name} gives no {one}" for one in set(given.split()) - set(new_given.split())]
    return found


def _parts(line: str) -> list[str]:
    """Return the call, the fields sent and the fields given of a line of the page."""
    return (line if line.count(" | ") == 2 else f"{line} ").split(" | ")


def main() -> None:
    """Write the page, or compare it with the code."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("DJANGO_DEBUG", "1")
    import django  # noqa: PLC0415

    django.setup()
    # Both read the settings.
    from django.utils import translation  # noqa: PLC0415
    from drf_spectacular.generators import SchemaGenerator  # noqa: PLC0415

    with translation.override("en"):
        made = lines(SchemaGenerator().get_schema(request=None, public=True))
    if "--check" not in sys.argv:
        PAGE.write_text("\n".join(made) + "\n")
        return
    before = PAGE.read_text().splitlines()
    changed = [f"- {line}" for line in before if line not in set(made)]
    changed += [f"+ {line}" for line in made if line not in set(before)]
    missing = gone(before, made)
    sys.stdout.write("\n".join([*changed, *(f"GONE: {one}" for one in missing), ""]))
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
