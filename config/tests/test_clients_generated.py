"""What generators make of the schema imports, and passes the strictest type checkers."""

import sys

import pytest

from config.tests import documented
from config.tests.clients import run
from config.tests.schema_watch import document
from systemadmin.foundation.api.schema_shape import METHODS


def test_every_operation_becomes_a_function_of_the_python_client(library):
    items = document()["paths"].values()
    expected = sum(method in item for item in items for method in METHODS)
    assert len(library.operations) == expected
    assert all(callable(module.sync_detailed) for module in library.operations.values())


def test_the_python_client_passes_mypy_strict(python_client):
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "atalaya_client"]
    assert "Success" in run(mypy, python_client)


@pytest.mark.node
def test_the_types_for_typescript_pass_the_strict_compiler(typescript_client):
    (typescript_client / "typed.ts").write_text(
        'import type { paths } from "./api.js";\n'
        'type Answers = paths["/api/tickets"]["get"]["responses"];\n'
        'type Ticket = Answers[200]["content"]["application/json"]["results"][number];\n'
        "export const id = (ticket: Ticket): number => ticket.id;\n"
        'import { Webhook } from "standardwebhooks";\n'
        'type Body = paths["/api/tickets"]["post"]["requestBody"];\n'
        'type Sent = NonNullable<Body>["content"]["application/json"];\n'
        "// A field with a default may be left out.\n"
        'export const sent: Sent = { subject: "Lost parcel", body: "It never came." };\n'
        "export const check = (secret: string): Webhook => new Webhook(secret);\n"
        "// @ts-expect-error a subject is text\n"
        "export const subject = (ticket: Ticket): number => ticket.subject;\n"
    )
    run(["npm", "run", "check"], typescript_client)


def test_a_body_comes_as_json_alone_unless_it_has_files():
    paths = document()["paths"]
    content = paths["/api/tickets"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    assert content["application/json"] != content["multipart/form-data"]
    assert set(paths["/api/orders"]["post"]["requestBody"]["content"]) == {"application/json"}
    images = paths["/api/products/{id}/images"]["post"]["requestBody"]["content"]
    assert set(images) == {"multipart/form-data"}


def test_every_id_in_a_path_is_a_whole_number():
    parameters = [
        parameter
        for item in document()["paths"].values()
        for method in METHODS
        for parameter in item.get(method, {}).get("parameters", [])
        if parameter["in"] == "path" and parameter["name"] not in {"key", "access_id"}
    ]
    assert parameters
    by_number = [one for one in parameters if one["schema"].get("type") == "integer"]
    # Accounts are named by either id, members by the platform's own, payment services by name.
    others = {one["name"] for one in parameters if one not in by_number}
    assert others <= {"external_id", "id", "user_id", "name"}, others
    assert len(by_number) > 100


def test_the_examples_of_the_pages_pass_mypy(python_client, tmp_path):
    blocks = [
        body
        for page in documented.pages()
        for language, body in documented.BLOCK.findall(page.read_text(encoding="utf-8"))
        if language == "python" and "atalaya_client" in body
    ]
    assert len(blocks) >= 2
    for number, body in enumerate(blocks):
        (tmp_path / f"example_{number}.py").write_text(body)
    mypy = [sys.executable, "-m", "mypy", "--config-file=", "--check-untyped-defs"]
    checked = [*mypy, *sorted(tmp_path.glob("*.py"))]
    assert "Success" in run(checked, tmp_path, MYPYPATH=str(python_client))
