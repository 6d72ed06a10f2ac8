"""Tickets of another desk: taken in whole, once, quietly, whatever the file holds."""

import csv
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from support.models import Attachment, OutboundMessage, Reply, Ticket, TicketEvent
from support.tests import factories as desk
from systemadmin.models import AuditEntry, Notification, PublishedEvent, User
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def take_in(tmp_path, settings):
    """`take_in(rows or text, **options)`: runs the command; returns output and refused rows."""
    settings.VAR_DIR = tmp_path

    def run(rows, name="export.jsonl", **options):
        path = tmp_path / name
        if isinstance(rows, bytes):
            path.write_bytes(rows)
        elif isinstance(rows, str):
            path.write_text(rows, encoding="utf-8")
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        refused, out, codes = tmp_path / "refused.csv", StringIO(), []
        refused.unlink(missing_ok=True)
        try:
            call_command(
                "import_tickets", str(path), refused=refused, stdout=out, stderr=StringIO(),
                **options,
            )  # fmt: skip
        except SystemExit as end:
            codes.append(end.code)
        found = list(csv.DictReader(refused.open())) if refused.exists() else []
        assert codes in ([], [1])
        return out.getvalue(), found

    return run


def ticket(**values):
    usual = {
        "external_id": "7",
        "subject": "Where is my order?",
        "status": "closed",
        "created_at": "2024-03-01T10:00:00Z",
        "resolved_at": "2024-03-02T10:00:00Z",
        "requester": {"email": "Bob@example.test", "name": "Bob"},
        "messages": [
            {"external_id": "m1", "from": "customer", "body": "It is late.",
             "at": "2024-03-01T10:00:00Z"},
            {"external_id": "m3", "from": "agent", "body": "It came.", "at": "2024-03-01T12:00:00Z",
             "author": {"name": "Ana"}},
            {"external_id": "m2", "from": "agent", "is_internal": True, "body": "Carrier knows.",
             "at": "2024-03-01T11:00:00Z"},
        ],
    }  # fmt: skip
    return {**usual, **values}


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


# -- what is kept ------------------------------------------------------------------------


def test_a_closed_ticket_keeps_all_it_was(take_in):
    ana = StaffFactory(username="ana", role="support_agent", email="ana@desk.test")
    bob = UserFactory(username="bob", email="bob@example.test")
    row = ticket(priority="high", tags=["late", "Parcel"], assignee={"email": "ana@desk.test"},
                 category="shipping", language="es")  # fmt: skip
    desk.make_category(code="shipping")
    out, refused = take_in([row])
    assert "1 created" in out
    assert refused == []
    found = Ticket.objects.get()
    assert (found.external_id, found.status, found.priority) == ("atalaya:7", "closed", "high")
    assert (found.requester, found.assignee) == (bob, ana)
    assert found.category.code == "shipping"
    assert sorted(found.tags.values_list("name", flat=True)) == ["late", "parcel"]
    assert found.created_at == at(2024, 3, 1, 10)
    assert found.resolved_at == found.closed_at == at(2024, 3, 2, 10)
    assert found.number == "T-2024-000001"
    said = list(Reply.objects.order_by("said_at").values_list("body", "kind", "is_from_customer"))
    assert said == [
        ("It is late.", "public", True),
        ("Carrier knows.", "internal", False),
        ("It came.", "public", False),
    ]
    assert Reply.objects.get(body="It came.").author_name == "Ana"
    assert found.reply_count == 2
    assert found.first_responded_at == found.last_staff_reply_at == at(2024, 3, 1, 12)
    # Search finds what was said, and the number it had.
    words = found.search.document.split()
    assert {"carrier", "order", "7"} <= set(words)


def test_nobody_is_told_and_no_promise_is_counted(take_in):
    desk.make_policy()
    UserFactory(email="bob@example.test")
    take_in([ticket(), ticket(external_id="8", status="in_progress", resolved_at=None)])
    assert mail.outbox == []
    assert not Notification.objects.exists()
    assert not OutboundMessage.objects.exists()
    assert not PublishedEvent.objects.exists()
    assert not TicketEvent.objects.filter(kind="breach").exists()
    closed = Ticket.objects.get(external_id="atalaya:7")
    assert closed.sla_version is None
    assert closed.next_due_at is None
    entry = AuditEntry.objects.get(action="systemadmin.file.imported")
    assert entry.metadata["kind"] == "tickets:atalaya"
    assert entry.metadata["created"] == 2


def test_an_open_ticket_is_promised_an_answer_from_now_on(take_in):
    desk.make_policy()
    take_in([ticket(status="new", resolved_at=None, messages=ticket()["messages"][:1])])
    found = Ticket.objects.get()
    assert found.created_at == at(2024, 3, 1, 10)
    assert found.sla_version is not None
    assert found.first_response_due_at > timezone.now() - timedelta(minutes=1)
    assert found.overdue_since is None


def test_what_was_resolved_long_ago_is_closed(take_in):
    take_in([ticket(status="resolved")])
    assert Ticket.objects.get().status == "closed"


def test_guests_stay_guests_and_members_are_made_where_allowed(take_in):
    row = ticket(requester={"external_id": "u-1", "email": "bob@example.test", "name": "Bob Q"})
    take_in([row])
    found = Ticket.objects.get()
    assert found.requester is None
    assert (found.requester_email, found.requester_name) == ("bob@example.test", "Bob Q")
    take_in([{**row, "external_id": "8"}], create_people=True)
    made = Ticket.objects.get(external_id="atalaya:8").requester
    assert (made.external_id, made.first_name, made.last_name) == ("u-1", "Bob", "Q")
    # Their next ticket is theirs, whether people may be made or not.
    take_in([{**row, "external_id": "9"}])
    assert Ticket.objects.get(external_id="atalaya:9").requester == made
    assert User.objects.filter(external_id="u-1").count() == 1


def test_a_second_run_makes_no_double(take_in):
    rows = [ticket(), ticket(external_id="8")]
    take_in(rows)
    out, _refused = take_in([*rows, ticket(external_id="9")])
    assert "1 created, 0 updated, 2 unchanged" in out
    out, _refused = take_in([*rows, ticket(external_id="9")], restart=True)
    assert "0 created, 0 updated, 3 unchanged" in out
    assert Ticket.objects.count() == 3
    assert Reply.objects.count() == 9
    # The same numbers of another desk are other tickets.
    take_in(rows, source="old-desk")
    assert Ticket.objects.count() == 5


def test_a_dry_run_keeps_nothing(take_in):
    rows = [ticket(), ticket(external_id="8", status="lost"), ticket()]
    out, refused = take_in(rows, dry_run=True, create_people=True)
    assert "1 created, 0 updated, 1 unchanged, 1 refused" in out
    assert refused[0]["field"] == "status"
    assert not Ticket.objects.exists()
    assert not Attachment.objects.exists()
    out, _refused = take_in(rows)
    assert "1 created" in out


# -- files -------------------------------------------------------------------------------


def with_file(**file):
    row = ticket()
    row["messages"][0]["files"] = [{"name": "note.txt", **file}]
    return row


def test_files_come_from_the_folder(take_in, tmp_path):
    folder = tmp_path / "files"
    (folder / "7" / "m1").mkdir(parents=True)
    (folder / "7" / "m1" / "note.txt").write_text("hello")
    take_in([with_file()], files=folder)
    found = Attachment.objects.get()
    assert found.name == "note.txt"
    assert found.file.read() == b"hello"
    assert found.reply.body == "It is late."


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "link.txt", "a\x00b", "x" * 300])
def test_no_file_comes_from_outside_the_folder(take_in, tmp_path, path):
    folder = tmp_path / "files"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    out, refused = take_in([with_file(path=path)], files=folder)
    assert "1 created" in out
    assert [row["code"] for row in refused] == ["file_left"]
    assert not Attachment.objects.exists()


def test_addresses_are_not_read_unless_told_and_never_inside(take_in):
    row = with_file(content_url="http://127.0.0.1:1/secret")
    _out, refused = take_in([row])
    assert "not there" in refused[0]["detail"]
    _out, refused = take_in([{**row, "external_id": "8"}], fetch_files=True)
    assert "not on the public internet" in refused[0]["detail"]


def test_a_file_that_is_not_accepted_is_named_and_the_ticket_kept(take_in, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "run.exe").write_bytes(b"MZ\x90\x00" * 10)
    out, refused = take_in([with_file(path="run.exe")], files=folder)
    assert "1 created" in out
    assert refused[0]["code"] == "file_left"


# -- layouts -----------------------------------------------------------------------------


def test_zendesk(take_in):
    row = {
        "id": 35436, "subject": "Printer", "status": "solved", "priority": "normal",
        "type": "incident", "tags": ["a_b"], "created_at": "2024-03-01T10:00:00Z",
        "updated_at": "2024-03-03T10:00:00Z", "requester_id": 1, "assignee_id": 2,
        "requester": {"id": 1, "email": "bob@example.test", "name": "Bob"},
        "assignee": {"id": 2, "email": "ana@desk.test", "name": "Ana"},
        "comments": [
            {"id": 9, "author_id": 1, "public": True, "plain_body": "Smoke &nbsp;",
             "html_body": "<p>Smoke</p>", "created_at": "2024-03-01T10:00:00Z",
             "attachments": [{"file_name": "a.png", "content_url": "https://x.test/a.png"}]},
            {"id": 10, "author_id": 2, "public": False, "body": "Hm", "html_body": "",
             "created_at": "2024-03-01T11:00:00Z"},
            {"id": 11, "author_id": 2, "public": True, "html_body": "<b>Off</b> and <i>on</i>",
             "created_at": "2024-03-01T12:00:00Z"},
        ],
    }  # fmt: skip
    _out, refused = take_in([row], layout="zendesk")
    assert [one["code"] for one in refused] == ["file_left"]
    found = Ticket.objects.get()
    assert found.external_id == "zendesk:35436"
    assert (found.status, found.priority) == ("closed", "medium")
    assert sorted(found.tags.values_list("name", flat=True)) == ["a_b", "incident"]
    rows = Reply.objects.order_by("said_at").values_list("kind", "is_from_customer", "author_name")
    assert list(rows) == [
        ("public", True, "Bob"), ("internal", False, "Ana"), ("public", False, "Ana"),
    ]  # fmt: skip
    assert Reply.objects.get(said_at=at(2024, 3, 1, 12)).body == "Off and on"


def test_freshdesk(take_in):
    row = {
        "id": 20, "subject": "Refund", "status": 5, "priority": 4, "type": "Question",
        "description": "<div>Please</div>", "description_text": "Please",
        "created_at": "2024-03-01T10:00:00Z", "updated_at": "2024-03-02T10:00:00Z",
        "requester": {"id": 5, "name": "Bob", "email": "bob@example.test"},
        "stats": {"resolved_at": "2024-03-02T09:00:00Z", "closed_at": None}, "tags": ["money"],
        "conversations": [
            {"id": 1, "body": "<div>Done</div>", "body_text": "Done", "incoming": False,
             "private": False, "user_id": 9, "created_at": "2024-03-01T11:00:00Z"},
            {"id": 2, "body_text": "Thanks", "incoming": True, "private": False, "user_id": 5,
             "created_at": "2024-03-01T12:00:00Z"},
            {"id": 3, "body_text": "Nice", "incoming": False, "private": True, "user_id": 9,
             "created_at": "2024-03-01T13:00:00Z"},
        ],
    }  # fmt: skip
    take_in([row], layout="freshdesk")
    found = Ticket.objects.get()
    assert (found.status, found.priority) == ("closed", "urgent")
    assert found.resolved_at == at(2024, 3, 2, 9)
    rows = Reply.objects.order_by("said_at").values_list("body", "kind", "is_from_customer")
    assert list(rows) == [
        ("Please", "public", True), ("Done", "public", False), ("Thanks", "public", True),
        ("Nice", "internal", False),
    ]  # fmt: skip


def test_zammad(take_in):
    row = {
        "id": 3, "number": "10003", "title": "VPN", "state": "closed", "priority": "3 high",
        "group": "Users", "customer": "bob@example.test", "owner": "ana@desk.test",
        "created_at": "2024-03-01T10:00:00.000Z", "updated_at": "2024-03-02T10:00:00.000Z",
        "close_at": "2024-03-02T08:00:00.000Z", "tags": ["net"],
        "articles": [
            {"id": 1, "sender": "Customer", "internal": False, "content_type": "text/html",
             "body": "No <b>VPN</b>", "created_by": "bob@example.test",
             "created_at": "2024-03-01T10:00:00.000Z"},
            {"id": 2, "sender": "Agent", "internal": False, "content_type": "text/plain",
             "body": "a < b", "created_by": "ana@desk.test",
             "created_at": "2024-03-01T11:00:00.000Z"},
            {"id": 3, "sender": "System", "internal": True, "content_type": "text/plain",
             "body": "merged", "created_at": "2024-03-01T12:00:00.000Z"},
        ],
    }  # fmt: skip
    take_in([row], layout="zammad")
    found = Ticket.objects.get()
    assert (found.external_id, found.subject) == ("zammad:10003", "VPN")
    assert (found.priority, found.closed_at) == ("high", at(2024, 3, 2, 8))
    assert found.requester_email == "bob@example.test"
    rows = Reply.objects.order_by("said_at").values_list("body", "kind", "is_from_customer")
    assert list(rows) == [
        ("No VPN", "public", True), ("a < b", "public", False), ("merged", "internal", False),
    ]  # fmt: skip


CSV = (
    "external_id,subject,status,created_at,requester_email,message_at,message_from,message_body,"
    "message_is_internal\r\n"
    '1,One,closed,2024-03-01 10:00:00,bob@example.test,2024-03-01 10:00:00,customer,"a\nb",\r\n'
    "1,One,closed,2024-03-01 10:00:00,bob@example.test,2024-03-01 11:00:00,agent,c,true\r\n"
    "2,Two,closed,2024-03-01,eve@example.test,2024-03-02,customer,d,\r\n"
)


def test_csv_has_one_message_a_row(take_in):
    out, _refused = take_in("\ufeff" + CSV, name="export.csv")
    assert "2 created" in out
    assert list(Reply.objects.order_by("said_at").values_list("body", "kind")) == [
        ("a\nb", "public"), ("c", "internal"), ("d", "public"),
    ]  # fmt: skip
    assert Ticket.objects.get(external_id="atalaya:2").created_at == at(2024, 3, 1)


def test_a_mapping_names_columns_fields_and_words(take_in, tmp_path):
    text = "Id,Title,State,Opened,Mail\n5,Hello,Ended,2024-03-01,bob@example.test\n"
    mapping = tmp_path / "mapping.json"
    mapping.write_text(
        json.dumps(
            {
                "columns": {"Id": "external_id", "Title": "subject", "State": "status",
                            "Opened": "created_at", "Mail": "requester_email"},
                "status": {"Ended": "closed"},
            }
        )
    )  # fmt: skip
    take_in(text, name="export.csv", mapping=mapping)
    found = Ticket.objects.get()
    assert (found.subject, found.status) == ("Hello", "closed")
    mapping.write_text('{"ticket": {"subject": ["custom.title", "subject"]}}')
    take_in([ticket(external_id="6", custom={"title": "Other"})], mapping=mapping)
    assert Ticket.objects.get(external_id="atalaya:6").subject == "Other"


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"else": 1}', '{"status": {"x": "gone"}}', '{"ticket": {"nothing": "x"}}',
     '{"message": {"body": 7}}', '{"columns": []}', "[" * 50_000],
)  # fmt: skip
def test_a_wrong_mapping_is_refused(take_in, tmp_path, text):
    mapping = tmp_path / "mapping.json"
    mapping.write_text(text)
    with pytest.raises(CommandError, match="mapping"):
        take_in([ticket()], mapping=mapping)


# -- rows and files that are wrong -------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"external_id": ""}, "external_id"), ({"external_id": "x" * 500}, "external_id"),
        ({"external_id": "a\nb"}, "external_id"), ({"external_id": {"a": 1}}, "external_id"),
        ({"status": "lost"}, "status"), ({"priority": "enormous"}, "priority"),
        ({"created_at": "yesterday"}, "created_at"), ({"created_at": "2999-01-01"}, "created_at"),
        ({"created_at": 7}, "created_at"), ({"created_at": None, "messages": []}, "created_at"),
        ({"requester": {"name": "Bob"}}, "requester"), ({"requester": None}, "requester"),
        ({"requester": {"email": "no address"}}, "requester_email"),
        ({"messages": "none"}, "messages"), ({"messages": [7]}, "messages.1"),
        ({"messages": [{"body": "x"}]}, "messages.1.at"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_refused_by_field_and_the_rest_taken(take_in, change, field):
    out, refused = take_in([ticket(**change), ticket(external_id="good")])
    assert "1 created, 0 updated, 0 unchanged, 1 refused" in out
    assert refused[0]["row"] == "1"
    assert refused[0]["field"] == field
    assert refused[0]["detail"]
    assert Ticket.objects.get().external_id == "atalaya:good"


def test_hostile_texts_are_stored_as_harmless_ones(take_in):
    row = ticket(
        subject="=cmd()\x00\u202e\ud800" + "x" * 5000,
        tags=["=1+1", {"name": "ok"}, 7, None, ["x"]] + ["t"] * 1000,
    )
    row["messages"][0]["body"] = "a\x00b\ud800" + "y" * 60_000
    row["messages"][1]["body"] = ""
    take_in([row])
    found = Ticket.objects.get()
    assert len(found.subject) == 255
    assert "\x00" not in found.subject
    first, _note, last = Reply.objects.order_by("said_at")
    assert len(first.body) == 50_000
    assert len(first.original_text) > 60_000
    assert last.body == "[no text]"


def test_a_refused_row_with_half_a_character_is_reported(take_in):
    _out, refused = take_in([ticket(status="\ud800")])
    assert refused[0]["field"] == "status"
    assert "?" in refused[0]["content"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n\n", b"\x00\x01\x02", b"\xff\xfe\x00a", "ñ".encode("latin-1") * 100,
     b'{"external_id": "1"', b"{" * 100_000 + b"\n", b'"unclosed,\n' * 50,
     b"{" + b"x" * (17 << 20) + b"}", b"external_id,subject\n" + b'"' + b"x" * (17 << 20)],
    ids=["empty", "blank", "binary", "utf-16", "latin-1", "cut", "deep", "quote", "giant-json",
         "giant-csv"],
)  # fmt: skip
def test_a_file_that_is_something_else_is_refused_politely(take_in, content):
    # Either the file as a whole, or each of its rows: never a traceback, never half a ticket.
    with suppress(CommandError):
        take_in(content, name="export.csv")
    assert not Ticket.objects.exists()


def test_a_ticket_of_too_many_rows_is_refused_whole(take_in, monkeypatch):
    from support import ticket_files
    from support.ticket_layouts import rows

    monkeypatch.setattr(ticket_files, "MOST_MESSAGES", 3)
    monkeypatch.setattr(rows, "MOST_MESSAGES", 3)
    row = "1,One,closed,2024-03-01,bob@example.test,2024-03-01,customer,x,\n"
    out, refused = take_in(CSV.splitlines()[0] + "\n" + row * 9, name="export.csv")
    assert "1 rows: 0 created, 0 updated, 0 unchanged, 1 refused" in out
    assert refused[0]["field"] == "messages"
