"""`docs/api.md` and the schema say the same: which calls there are, what they take and give."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from config.tests.schema_watch import document
from systemadmin.foundation.api.schema_shape import METHODS

PAGE = Path(settings.BASE_DIR) / "docs" / "api.md"


def table():
    """Yield (METHOD, path, sends, answers) of every call on the page."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if "/api/" not in line or not line.startswith("| `"):
            continue
        call, sends, answers, _note = line.strip("|").split(" |", 3)
        path = re.search(r"/api/\S+(?=`)", call).group()
        for method in re.findall(r"\b(GET|POST|PUT|PATCH|DELETE)\b", call):
            yield method, path, sends.strip(" `"), answers.strip(" `")


CALLS = list(table())
SAYING = [call for call in CALLS if call[2] or call[3]]


def names(text):
    return [name.strip() for name in re.search(r"\{(.*)\}", text).group(1).split(",")]


class Schema:
    """The served schema, references followed."""

    def __init__(self):
        self.document = document()
        self.calls = {
            (method.upper(), path): operation
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
            if method in METHODS
        }

    def resolve(self, node):
        while "$ref" in node:
            node = self.document["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
        return node

    def shape(self, node):
        """Return (properties, required) of an object, parts of `allOf` joined."""
        node = self.resolve(node)
        properties, required = dict(node.get("properties", {})), set(node.get("required", ()))
        for part in node.get("allOf", ()):
            more, needed = self.shape(part)
            properties.update(more)
            required |= needed
        return properties, required

    def sent(self, call):
        content = self.calls[call].get("requestBody", {}).get("content", {})
        return self.shape(
            content.get("multipart/form-data", next(iter(content.values()), {}))["schema"]
        )

    def given(self, call, status):
        content = self.calls[call]["responses"][status].get("content", {})
        found = self.resolve(next(iter(content.values()), {"schema": {}})["schema"])
        # The page says what is done; where that may wait for a second person, it comes first.
        return self.resolve(found["oneOf"][0]) if "oneOf" in found else found


@pytest.fixture(scope="module")
def schema():
    return Schema()


def test_the_page_names_every_call_once_and_no_other(schema):
    listed = [(method, path) for method, path, _sends, _answers in CALLS]
    assert sorted(set(schema.calls) - set(listed)) == [], "calls that the page does not name"
    assert sorted(set(listed) - set(schema.calls)) == [], "calls that do not exist"
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("method", "path", "sends", "answers"), SAYING, ids=[f"{c[0]} {c[1]}" for c in SAYING]
)
def test_a_call_takes_and_gives_what_the_page_says(schema, method, path, sends, answers):
    call = (method, path)
    if sends.startswith("?"):
        known = {one["name"] for one in schema.calls[call]["parameters"]}
        assert set(sends[1:].split(", ")) - known == set(), "filters that do not exist"
    elif sends:
        properties, required = schema.sent(call)
        optional = {name[:-1] for name in names(sends) if name.endswith("?")}
        needed = {name for name in names(sends) if not name.endswith("?")}
        assert (optional | needed) - set(properties) == set(), "fields that are not taken"
        assert required - needed == set(), "needed, and not said to be"
    if answers:
        given = schema.given(call, answers.split()[0])
        if "[{" in answers:
            given = given["items"]
        properties, _required = schema.shape(given)
        if " page " in answers:
            assert {"results", "next", "previous"} <= set(properties)
            properties, _required = schema.shape(properties["results"]["items"])
        if "{" in answers:
            assert set(names(answers)) - set(properties) == set(), "fields that are not given"
