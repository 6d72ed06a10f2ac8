"""Names, tags, headers and stability of the operations in the schema."""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from config.operation_ids import NAMES
from config.tests.schema_watch import document
from systemadmin.api.health import HealthViewSet
from systemadmin.foundation.api.schema_shape import METHODS
from systemadmin.foundation.api.views import Retiring

DOCS = Path(settings.BASE_DIR) / "docs"
spec = importlib.util.spec_from_file_location("list_operations", DOCS / "list_operations.py")
list_operations = importlib.util.module_from_spec(spec)
spec.loader.exec_module(list_operations)


def operations():
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def test_every_operation_has_a_name_that_people_would_choose():
    names = [operation["operationId"] for _call, operation in operations()]
    assert len(names) == len(set(names))
    assert [name for name in names if not name[0].islower() or not name.isalnum()] == []
    assert {"payOrder", "listTickets", "createTicket", "upsertMember", "importOrders"} <= set(names)


def test_names_are_given_to_operations_that_exist():
    assert set(NAMES) - {call for call, _operation in operations()} == set()


def test_every_operation_has_a_summary_and_a_tag_that_is_explained():
    tags = {tag["name"] for tag in document()["tags"]}
    for call, operation in operations():
        assert 0 < len(operation["summary"]) <= 120, call
        assert set(operation["tags"]) <= tags, call
    assert document()["servers"][0]["url"] == settings.PUBLIC_URL.rstrip("/")


# What may be anything, and the figures of reports whose rows differ.
# What may be anything: rows of the audit, attributes, evidence, what other services sent.
ANYTHING = {
    "Anomaly.evidence", "AuditEntry.after", "AuditEntry.before", "AuditEntry.metadata",
    "ChangedField.after", "ChangedField.before", "DecisionBodyRequest.data", "EventMessage.data",
    "EventRowRequest.data", "ListingInputRequest.attributes", "OwnProduct.attributes",
    "PatchedProductInputRequest.attributes", "PaymentEventDetail.body", "Product.attributes",
    "ProductInputRequest.attributes", "ProductRevision.base", "ProductRevision.patch",
    "Ruleset.definition", "RulesetInputRequest.definition",
    "RulesetPreviewInputRequest.definition", "StaffProduct.attributes",
    "StaffProductInputRequest.attributes", "StaffRevision.base", "StaffRevision.patch",
    "SystemStatus.checks", "SystemStatus.database", "receivePaymentEvent",
}  # fmt: skip


def untyped(shape, place):
    """Yield the places of a shape that say nothing, however deep."""
    if not {"type", "$ref", "oneOf", "allOf", "anyOf", "const", "enum"} & set(shape):
        yield place
    for name, field in shape.get("properties", {}).items():
        yield from untyped(field, f"{place}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(shape.get(key), dict):
            yield from untyped(shape[key], place)
    for key in ("oneOf", "allOf", "anyOf"):
        for part in shape.get(key, ()):
            yield from untyped(part, place)


def shapes_of(operation):
    """Return what an operation takes and answers in JSON, where it stands."""
    contents = [operation.get("requestBody", {}).get("content", {})]
    contents += [answer.get("content", {}) for answer in operation["responses"].values()]
    return [content["application/json"]["schema"] for content in contents
            if "application/json" in content]  # fmt: skip


def test_every_field_is_typed_unless_it_may_be_anything():
    found = {
        place
        for name, component in document()["components"]["schemas"].items()
        for place in untyped(component, name)
    } | {
        place
        for _call, operation in operations()
        for shape in shapes_of(operation)
        for place in untyped(shape, operation["operationId"])
    }
    assert found == ANYTHING, "add its shape to config/json_shapes.py"


def test_headers_of_answers_are_described():
    paths, known = document()["paths"], document()["components"]["headers"]
    pay = paths["/api/admin/orders/{id}/pay"]["post"]["responses"]
    assert {"X-Request-ID", "RateLimit", "Idempotent-Replayed"} <= set(pay["200"]["headers"])
    assert "Retry-After" in pay["429"]["headers"]
    assert "WWW-Authenticate" in pay["401"]["headers"]
    product = paths["/api/products/{id}"]
    assert "ETag" in product["put"]["responses"]["200"]["headers"]
    for _call, operation in operations():
        for response in operation["responses"].values():
            for header in response["headers"].values():
                assert header["$ref"].rpartition("/")[2] in known


def test_act_for_is_a_parameter_of_the_members_side_alone():
    taking = {
        call for call, operation in operations()
        if "Act-For" in [one["name"] for one in operation.get("parameters", [])]
    }  # fmt: skip
    assert {"GET /api/tickets", "POST /api/messages"} <= taking
    assert [call for call in taking if "/api/admin/" in call or "/api/auth/" in call] == []


def test_what_is_public_asks_for_no_token():
    found = {call for call, operation in operations() if operation["security"] == []}
    assert {"POST /api/auth/login", "GET /api/products", "GET /api/health"} <= found
    assert [call for call in found if "/api/admin/" in call] == []
    assert not any({} in operation["security"] for _call, operation in operations())


def test_a_stream_names_no_act_for_because_no_key_opens_it():
    stream = document()["paths"]["/api/messages/stream"]["get"]
    assert "Act-For" not in [one["name"] for one in stream["parameters"]]


def test_what_may_wait_for_a_second_person_takes_the_reason_in_a_header():
    for call, operation in operations():
        waiting = operation["responses"].get("202", {}).get("description", "")
        if "second person" in waiting:
            names = [one["name"] for one in operation["parameters"]]
            assert "Approval-Reason" in names, call
    others = {"POST /api/admin/backups/{id}/unpin", "DELETE /api/admin/blocked-senders/{id}"}
    taking = {
        call for call, operation in operations()
        if "Approval-Reason" in [one["name"] for one in operation.get("parameters", [])]
    }  # fmt: skip
    assert others <= taking


def test_nothing_is_gone_that_callers_build_on():
    """`python docs/list_operations.py` writes the page anew; say what is gone in the changelog."""
    page = (DOCS / "operations.txt").read_text().splitlines()
    assert list_operations.gone(page, list_operations.lines(document())) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ([], ["pay is gone"]),
        (["pay PUT /x | a b! | id"], ["pay is now pay PUT /x"]),
        (["pay POST /x | b! | id"], ["pay takes no a"]),
        (["pay POST /x | a! b! | id"], ["pay needs a"]),
        (["pay POST /x | a b! c! | id"], ["pay needs c"]),
        (["pay POST /x | a b! | "], ["pay gives no id"]),
        (["pay POST /x | a b c | id new", "more GET /y |  | "], []),
    ],
)
def test_what_is_gone_is_told_from_what_is_new(after, said):
    assert list_operations.gone(["pay POST /x | a b! | id"], after) == said


def test_an_action_that_will_go_says_since_when_and_until(client, monkeypatch, db):
    since, until = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 7, 1, tzinfo=UTC)
    monkeypatch.setattr(HealthViewSet, "retiring", {"list": Retiring(since, until)})
    answer = client.get("/api/health")
    assert answer["Deprecation"] == "@1893456000"
    assert answer["Sunset"] == "Mon, 01 Jul 2030 00:00:00 GMT"
    assert "Deprecation" not in client.get("/api/health/ready")


def test_rules_that_the_linters_do_not_hold_have_a_reason():
    lines = (Path(settings.BASE_DIR) / "config/api_lint/redocly.yaml").read_text().splitlines()
    assert "extends: [recommended-strict]" in lines
    off = [number for number, line in enumerate(lines) if line.endswith(": off")]
    assert off
    assert [lines[one] for one in off if not lines[one - 1].startswith("  # ")] == []
