"""Members from the platform: one, a thousand, a file; by its ids, and never staff."""

import csv
import json
from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from systemadmin.models import AuditEntry, FileImport, Notification, User
from systemadmin.services import members
from systemadmin.services.file_imports import ImportedElsewhere
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
ANA = {"email": "ana@example.test", "first_name": "Ana", "country": "es", "language": "es"}


@pytest.fixture
def client(as_user, staff):
    call_command("setup", verbosity=0)
    return as_user(staff("operator"))


def put(client, name, **values):
    return client.put(f"/api/admin/members/{name}", values, format="json")


def batch(client, *rows):
    return client.post("/api/admin/members/batch", {"members": list(rows)}, format="json")


def test_a_member_is_made_once_and_then_updated(client, as_user, superuser):
    made = put(as_user(superuser), "u-1", **ANA, joined_at="2020-05-01T10:00:00Z")
    assert made.status_code == 201, made.json()
    assert User.objects.get(external_id="u-1").country == "ES"
    again = put(client, "ext:u-1", **ANA)
    assert again.status_code == 200
    assert again.json()["joined_at"] == "2020-05-01T10:00:00Z"
    changed = put(client, "u-1", email="new@example.test")
    assert changed.json()["id"] == made.json()["id"]
    assert User.objects.get(external_id="u-1").first_name == "Ana"
    assert client.get("/api/admin/members/ext:u-1").json()["id"] == made.json()["id"]
    assert client.get("/api/admin/members/u-2").status_code == 404
    entry = AuditEntry.objects.get(action="systemadmin.member.updated")
    assert entry.before["email"] != entry.after["email"]
    assert Notification.objects.filter(user__external_id="u-1").exists()


def test_a_member_has_no_password_and_no_rights(client, api):
    put(client, "u-1", **ANA)
    member = User.objects.get(external_id="u-1")
    assert not member.has_usable_password()
    assert not member.is_staff
    body = {"username": "u-1", "password": "!"}
    assert api.post("/api/auth/login", body).status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no address"),
        ("email", 7),
        ("country", "ESP"),
        ("language", "fr"),
        ("first_name", "a\nb"),
        ("last_name", "x" * 151),
        ("username", "[erased-7]"),
        ("joined_at", "2999-01-01T00:00:00Z"),
        ("joined_at", "yesterday"),
        ("verified_at", True),
        ("is_staff", True),
        ("is_superuser", True),
        ("password", "x"),
        ("groups", [1]),
        ("external_id", "u-2"),
    ],
)
def test_wrong_input_is_a_400_that_names_the_field(client, field, value):
    answer = put(client, "u-1", **{field: value})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert not User.objects.filter(external_id="u-1").exists()


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "7"])
def test_a_body_that_is_no_object_is_a_400(client, body):
    answer = client.put("/api/admin/members/u-1", body, content_type="application/json")
    assert answer.status_code == 400


def test_staff_and_whoever_has_rights_are_not_the_platforms(client):
    StaffFactory(external_id="boss")
    service = UserFactory(external_id="service")
    from django.contrib.auth.models import Permission

    service.user_permissions.add(Permission.objects.get(codename="erase_account"))
    for name in ("boss", "service"):
        answer = put(client, name, email="evil@example.test")
        assert answer.status_code == 403
        assert answer.json()["code"] == "act_for_members_only"
    assert not User.objects.filter(email="evil@example.test").exists()
    assert client.get("/api/admin/members/boss").status_code == 404


def test_names_are_unique_and_made_where_none_fits(client):
    UserFactory(username="u-1")
    assert put(client, "u-1").json()["username"].startswith("member-")
    assert put(client, "gid://shop/7 ñ"[6:].replace("/", ":")).status_code == 201
    taken = put(client, "u-2", username="u-1")
    assert taken.status_code == 400
    assert taken.json()["errors"] == [
        {"field": "username", "code": "unique", "detail": "Another account has this user name."}
    ]


def test_a_batch_answers_row_by_row_and_keeps_what_is_good(client):
    put(client, "u-1", **ANA)
    StaffFactory(external_id="boss")
    answer = batch(
        client,
        {"external_id": "u-1", **ANA},
        {"external_id": "u-2", "email": "b@example.test"},
        {"external_id": "u-3", "email": "wrong"},
        {"external_id": "u-2"},
        {"external_id": "boss", "first_name": "x"},
        {"external_id": "u-1 "},
        {"email": "x@example.test"},
        "text",
        {"external_id": 1001},
        {"external_id": "u-4", "username": "u-2"},
    )
    assert answer.status_code == 200, answer.json()
    got = [(one["status"], [e["code"] for e in one["errors"]]) for one in answer.json()["results"]]
    assert got == [
        ("unchanged", []),
        ("created", []),
        ("refused", ["invalid"]),
        ("refused", ["repeated"]),
        ("refused", ["act_for_members_only"]),
        ("refused", ["invalid"]),
        ("refused", ["required"]),
        ("refused", ["not_an_object"]),
        ("created", []),
        ("refused", ["unique"]),
    ]
    assert answer.json()["created"] == 2
    assert set(User.objects.members().values_list("external_id", flat=True)) == {
        "u-1",
        "u-2",
        "1001",
    }
    again = batch(client, {"external_id": "u-2", "email": "b@example.test"}).json()
    assert again["results"][0]["status"] == "unchanged"


def test_a_batch_has_its_limits(client):
    assert batch(client).status_code == 400
    assert batch(client, *[{"external_id": str(n)} for n in range(1001)]).status_code == 400


def test_a_row_that_is_nothing_holds_up_no_other(client):
    answer = batch(client, None, {"external_id": "u-1"}).json()
    assert [one["status"] for one in answer["results"]] == ["refused", "created"]
    assert answer["results"][0]["errors"][0]["code"] == "not_an_object"


def test_the_statements_of_a_batch_do_not_grow_with_it(client):
    def cost(first, last):
        rows = [{"external_id": f"n-{n}", "country": "ES"} for n in range(first, last)]
        with CaptureQueriesContext(connection) as queries:
            assert batch(client, *rows).json()["created"] == last - first
        return len(queries)

    cost(0, 1)
    # SQLite takes some fifty rows per statement.
    assert cost(1, 4) == cost(4, 34)


# -- files ---------------------------------------------------------------------------------


def load(path, *words):
    out = StringIO()
    # Exit code 1 says that some rows were refused; the text says how many.
    with suppress(SystemExit):
        call_command("import_members", str(path), *words, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.fixture
def listing(tmp_path):
    lines = ["id,mail,country"]
    lines += [f"p-{n},p{n}@example.test,ES" for n in range(25)]
    lines[5] = "p-4,wrong,ES"
    path = tmp_path / "users.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


MAPPING = ("--map", "external_id=id,email=mail,country=country", "--batch", "4")


def test_a_file_is_imported_with_its_mapping_and_twice_makes_no_double(listing, tmp_path):
    refused = tmp_path / "refused.csv"
    text = load(listing, *MAPPING, "--refused", str(refused))
    assert "25 rows: 24 created, 0 updated, 0 unchanged, 1 refused" in text
    assert "email" in refused.read_text()
    load(listing, *MAPPING)
    assert "24 unchanged" in load(listing, *MAPPING, "--restart")
    assert User.objects.members().count() == 24
    assert FileImport.objects.get().finished_at is not None


def test_a_killed_import_goes_on_where_it_stopped(listing, monkeypatch):
    real, calls = members.upsert_members, []

    def dies(**values):
        calls.append(len(values["rows"]))
        if len(calls) == 3:
            real(**values)
            raise KeyboardInterrupt
        return real(**values)

    where = "systemadmin.management.commands.import_members.upsert_members"
    monkeypatch.setattr(where, dies)
    with pytest.raises(KeyboardInterrupt):
        load(listing, *MAPPING)
    # The third batch is gone with its transaction.
    assert FileImport.objects.get().rows_done == 8
    assert User.objects.members().count() == 7
    monkeypatch.setattr(where, real)
    assert "24 created" in load(listing, *MAPPING)
    assert User.objects.members().count() == 24


def test_two_imports_of_one_file_do_not_count_twice(listing):
    load(listing, *MAPPING)
    state = FileImport.objects.get()
    from systemadmin.services import file_imports

    plan = file_imports.ImportPlan(kind="members", apply=lambda rows: [])
    FileImport.objects.update(rows_done=12)
    state.rows_done = 0
    with pytest.raises(ImportedElsewhere):
        file_imports._import_batch([(1, {})], plan, state, None)


def test_columns_are_read_by_their_names_beside_a_mapping(tmp_path):
    path = tmp_path / "users.csv"
    path.write_text("id,first_name,country,colour\nu-1,Ana,ES,red\n")
    err = StringIO()
    call_command("import_members", str(path), map="external_id=id", stdout=StringIO(), stderr=err)
    member = User.objects.get(external_id="u-1")
    assert (member.first_name, member.country) == ("Ana", "ES")
    assert "Columns that are not read: colour" in err.getvalue()
    assert "Nothing was done now" in load(path, "--map", "external_id=id")


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        ("id\n1\n", ["--map", "external_id=idd"], "no column idd"),
        ("external_id,country,country\n1,ES,FR\n", [], "names a column twice: country"),
        ("", [], "is empty"),
        ("external_id\n1\n\xe9\n", [], "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_whole(tmp_path, text, words, says):
    path = tmp_path / "users.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(CommandError, match=says) as refusal:
        call_command("import_members", str(path), *words, stdout=StringIO(), stderr=StringIO())
    assert refusal.value.returncode == 2
    assert not User.objects.filter(external_id="1").exists()


def test_a_row_that_cannot_be_read_is_kept_as_it_was(tmp_path):
    path = tmp_path / "users.csv"
    path.write_text("external_id,country\nu-1,ES,more\nu-2,ES\n")
    refused = tmp_path / "refused.csv"
    load(path, "--refused", str(refused))
    (row,) = csv.DictReader(refused.open())
    assert (row["code"], row["content"]) == ("unreadable_row", "u-1,ES,more")
    assert row["detail"] == "3 values, where the header has 2."


def test_json_lines_and_wrong_files(tmp_path):
    path = tmp_path / "users.jsonl"
    path.write_text("\n".join(json.dumps({"external_id": n}) for n in range(3)) + "\nnot json\n")
    assert "3 created, 0 updated, 0 unchanged, 1 refused" in load(path)
    (tmp_path / "x.csv").write_bytes(b"external_id\n\xff\xfe\n")
    for wrong in (
        (str(tmp_path / "none.csv"),),
        (str(path), "--map", "external_id"),
        (str(path), "--map", "shoe=x"),
        (str(path), "--batch", "0"),
        (str(tmp_path / "x.csv"),),
    ):
        with pytest.raises(CommandError):
            call_command("import_members", *wrong, stdout=StringIO(), stderr=StringIO())
