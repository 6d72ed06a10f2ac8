"""`manage.py ingest_events`: files of several shapes, bad rows told, nothing twice."""

import csv
import gzip
import io
import json

import pytest
from django.core.management import CommandError, call_command

from riskops.ingest import load as loading
from riskops.models import AccountEvent, AccountFacts, IngestCheckpoint, Sighting
from riskops.tests.test_events import tables
from systemadmin.models import User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def load(tmp_path):
    """`load(text, *options, name=)` -> (output, rows of the refused file, exit code)."""

    def run(content, *options, name="events.csv"):
        path = tmp_path / name
        raw = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(raw)
        refused = tmp_path / "refused.csv"
        out, code = io.StringIO(), 0
        try:
            call_command(
                "ingest_events",
                str(path),
                *options,
                refused=refused,
                stdout=out,
                stderr=io.StringIO(),
            )
        except SystemExit as stop:
            code = stop.code
        rows = list(csv.DictReader(refused.open())) if refused.exists() else []
        return out.getvalue(), rows, code

    return run


@pytest.fixture
def people(db):
    return [UserFactory(external_id=f"u{i}") for i in range(3)]


CSV = """kind,account_external_id,occurred_at,external_id,ip,amount,currency
login_ok,u0,2026-02-01T10:00:00Z,1,203.0.113.7,,
purchase,u1,2026-02-01T10:05:00Z,2,,1250,EUR
login_ok,u2,1767261600,3,203.0.113.7,,
"""


def test_csv_with_columns_named_as_fields(load, people):
    out, refused, code = load(CSV)
    assert "3 rows: 3 recorded, 0 known already, 0 refused" in out
    assert (refused, code) == ([], 0)
    assert AccountEvent.objects.get(external_id="2").amount == 1250
    assert set(AccountEvent.objects.values_list("source", flat=True)) == {"events"}


def test_gzip_and_json_lines(load, people):
    lines = [
        {
            "kind": "login_ok",
            "account": people[0].pk,
            "occurred_at": "2026-02-01T10:00:00Z",
            "external_id": "a",
            "data": {"browser": "x"},
        },
        {
            "kind": "follow",
            "account": people[1].pk,
            "occurred_at": "2026-02-01T10:00:00Z",
            "external_id": "b",
        },
    ]
    text = "\n".join(map(json.dumps, lines)) + "\n"
    out, _refused, code = load(gzip.compress(text.encode()), name="log.jsonl.gz")
    assert code == 0
    assert "2 recorded" in out
    assert AccountEvent.objects.get(external_id="a").data == {"browser": "x"}


def test_columns_are_mapped_and_accounts_made(load):
    text = "address,flag\n0xAA,1\n0xBB,0\n"
    options = (
        "--kind=account_created",
        "--map=account_external_id=address,wallet=address",
        "--set=occurred_at=2022-05-01",
        "--create-accounts",
        "--source=hop",
    )
    out, _refused, code = load(text, *options, name="accounts.csv")
    assert (code, "2 recorded" in out) == (0, True)
    made = User.objects.get(external_id="0xAA")
    assert not made.has_usable_password()
    assert not made.is_staff
    assert AccountFacts.objects.get(account=made).account_created_at.year == 2022
    assert Sighting.objects.get(account=made).identifier.value == "0xaa"


def test_a_transfer_counts_at_both_ends(load, people):
    text = "from_wallet,to_wallet\nu0,u1\nu2,stranger\nstranger,nobody\n"
    options = (
        "--kind=transfer",
        "--map=wallet=from_wallet,counterparty_wallet=to_wallet",
        "--set=occurred_at=2022-05-02",
        "--both-ends",
    )
    out, refused, code = load(text, *options, name="transfers.csv")
    assert "3 rows: 3 recorded" in out
    assert code == 1
    assert [(row["row"], row["code"]) for row in refused] == [("3", "unknown_account")]
    pairs = AccountEvent.objects.order_by("pk").values_list(
        "account__external_id", "wallet__value", "counterparty_wallet__value"
    )
    assert sorted(pairs) == [("u0", "u0", "u1"), ("u1", "u1", "u0"), ("u2", "u2", "stranger")]


def test_transfers_between_strangers_are_counted_if_asked(load, people):
    text = "from_wallet,to_wallet\nu0,u1\nu2,stranger\nstranger,nobody\n"
    options = (
        "--kind=transfer",
        "--map=wallet=from_wallet,counterparty_wallet=to_wallet",
        "--set=occurred_at=2022-05-02",
        "--both-ends",
        "--skip-strangers",
    )
    out, refused, code = load(text, *options, name="transfers.csv")
    assert "3 recorded, 0 known already, 0 refused" in out
    assert "1 transfers between strangers" in out
    assert (refused, code) == ([], 0)


def test_bad_rows_go_to_a_file_with_reasons(load, people):
    text = CSV + "dance,u0,2026-02-01T10:00:00Z,9,,,\nlogin_ok,u9,2026-02-01,10,,,\nlogin_ok,u0\n"
    out, refused, code = load(text)
    assert "6 rows: 3 recorded, 0 known already, 3 refused" in out
    assert code == 1
    assert [(row["row"], row["code"]) for row in refused] == [
        ("4", "unknown_kind"),
        ("5", "unknown_account"),
        ("6", "unreadable_row"),
    ]
    assert json.loads(refused[0]["content"])["kind"] == "dance"
    assert refused[0]["detail"]


def test_a_line_that_is_no_json_is_one_refused_row(load, people):
    good = json.dumps(
        {
            "kind": "follow",
            "account": people[0].pk,
            "occurred_at": "2026-02-01T10:00:00Z",
            "external_id": "b",
        }
    )
    out, refused, _code = load(f"{good}\n{{oops\n[1]\n", name="x.jsonl")
    assert "1 recorded, 0 known already, 2 refused" in out
    assert [row["row"] for row in refused] == ["2", "3"]


def test_loading_again_changes_nothing(load, people):
    load(CSV)
    before = tables()
    out, _refused, code = load(CSV)
    assert (code, "3 recorded" in out) == (0, True)  # the checkpoint's figures
    assert tables() == before
    out, _refused, _code = load(CSV, "--restart")
    assert "0 recorded, 3 known already" in out
    assert tables() == before


def test_a_load_goes_on_after_its_last_whole_batch(load, people, monkeypatch):
    lines = [CSV.splitlines()[0]]
    lines += [
        f"login_ok,u{i % 4},2026-02-01T10:00:{i:02}Z,e{i},10.0.0.{i}" + ",," for i in range(40)
    ]
    text = "\n".join(lines) + "\n"
    record = loading.record_rows
    calls = []

    def dies_in_the_third_batch(*args, **kwargs):
        result = record(*args, **kwargs)
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(loading, "record_rows", dies_in_the_third_batch)
    with pytest.raises(KeyboardInterrupt):
        load(text, "--batch=8")
    assert IngestCheckpoint.objects.get().rows_done == 16
    monkeypatch.undo()
    out, refused, code = load(text, "--batch=8")
    assert "40 rows: 30 recorded, 0 known already, 10 refused" in out
    assert code == 1
    assert [int(row["row"]) for row in refused] == list(range(4, 41, 4))
    assert AccountEvent.objects.count() == 30


@pytest.mark.parametrize(
    "options",
    [
        ("--map=kind",),
        ("--map=colour=x",),
        ("--set=colour=x",),
        ("--batch=0",),
        ("--source=" + "x" * 40,),
    ],
)
def test_wrong_options_say_so(load, people, options):
    with pytest.raises(CommandError) as wrong:
        load(CSV, *options)
    assert wrong.value.returncode == 2


def test_a_file_that_is_none(load, tmp_path):
    with pytest.raises(CommandError):
        call_command("ingest_events", str(tmp_path / "nothing.csv"))
    with pytest.raises(CommandError):
        load(b"\x1f\x8b broken", name="broken.gz")
    with pytest.raises(CommandError):
        load(b"kind,account\n\xff\xfe,1\n", name="latin.csv")
