"""A pytest plugin: every API answer that any test gets is held against the served schema.

The tests of the desks call most operations in most states; so what the schema promises is
checked where it is really used, without a test of its own for each.
"""

import json
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import jsonschema_rs
import pytest
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from rest_framework.test import APIClient

from config.tests.routes import normal

SCHEMA: Final = "urn:atalaya"


@cache
def document() -> dict[str, Any]:
    """Return the schema as served, in English; made once per process.

    Of the project's own addresses, whichever ones the first test that asks has put in their place.
    """
    with translation.override("en"):
        found = SchemaGenerator(urlconf="config.urls").get_schema(request=None, public=True)
        return json.loads(OpenApiJsonRenderer().render(found))


@cache
def registry() -> Any:
    """The schema where validators find it: one copy, not one in each of them."""
    return jsonschema_rs.Registry([(SCHEMA, document())])


@cache
def paths_by_shape() -> dict[tuple[str, ...], list[str]]:
    """Schema paths by their parts, placeholders as `{}`."""
    found: dict[tuple[str, ...], list[str]] = {}
    for path in document()["paths"]:
        found.setdefault(tuple(normal(path).split("/")), []).append(path)
    return found


def path_of(url: str) -> str | None:
    """The schema path that a URL was routed to: fixed parts win over placeholders."""
    parts = url.split("?")[0].rstrip("/").split("/")
    best, score = None, -1
    for shape, (path, *_others) in paths_by_shape().items():
        if len(shape) != len(parts):
            continue
        fixed = [known == part for known, part in zip(shape, parts, strict=True)]
        routed = all(same or known == "{}" for same, known in zip(fixed, shape, strict=True))
        if routed and sum(fixed) > score:
            best, score = path, sum(fixed)
    return best


@cache
def validator(path: str, method: str, status: str, media: str) -> Any:
    """Return a compiled validator, or None where the schema says nothing of the body."""
    content = document()["paths"][path][method]["responses"][status].get("content", {})
    if media not in content:
        return None
    steps = ("paths", path, method, "responses", status, "content", media, "schema")
    pointer = "/".join(quote(step.replace("~", "~0").replace("/", "~1")) for step in steps)
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"{SCHEMA}#/{pointer}"}, registry=registry(), validate_formats=True
    )


def complaint(method: str, url: str, response: Any) -> str | None:
    """Say in what an answer departs from the schema, or None."""
    path = path_of(url)
    if path is None or method not in document()["paths"][path]:
        return None
    responses = document()["paths"][path][method]["responses"]
    status = str(response.status_code)
    if status not in responses:
        return f"{method.upper()} {path} answered {status}, known are {sorted(responses)}"
    media = response.get("Content-Type", "").split(";")[0]
    if response.streaming or "json" not in media:
        return None
    check = validator(path, method, status, media)
    if check is None:
        return f"{method.upper()} {path} {status} answered {media}, which is not in the schema"
    for error in check.iter_errors(response.json()):
        where = "/".join(str(step) for step in error.instance_path)
        return f"{method.upper()} {path} {status} at {where or 'the top'}: {error.message[:300]}"
    return None


@pytest.fixture(autouse=True)
def answers_keep_to_the_schema(monkeypatch):
    """Fail the test whose call got an answer that the schema does not allow."""
    original = APIClient.request

    def request(self, **kwargs):
        response = original(self, **kwargs)
        url, method = kwargs.get("PATH_INFO", ""), kwargs.get("REQUEST_METHOD", "").lower()
        if url.startswith("/api/") and method not in ("head", "options"):
            wrong = complaint(method, url, response)
            assert wrong is None, wrong
        return response

    monkeypatch.setattr(APIClient, "request", request)
