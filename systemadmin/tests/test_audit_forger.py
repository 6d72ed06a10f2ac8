"""Somebody who may write every table, and has no key, is found; honest work is not."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from systemadmin import audit
from systemadmin.audit_content import FIELDS
from systemadmin.foundation.crypto import keyed_hash
from systemadmin.foundation.testing import triggers_off
from systemadmin.models import AuditEntry, AuditSeal, AuditStatement
from systemadmin.services import audit_heads
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.audit_retention import retire_audit_entries
from systemadmin.services.audit_runs import verify_now
from systemadmin.services.audit_verification import verify_audit_trail

pytestmark = pytest.mark.django_db
ROWS, LINKS = "systemadmin_auditentry", "systemadmin_auditseal"
SAID = "systemadmin_auditstatement"


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    """Heads of no other test."""
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    options = {"OPTIONS": {"location": tmp_path / "backups"}}
    settings.STORAGES = {**settings.STORAGES, "backups": {**place, **options}}
    return tmp_path / "backups"


@pytest.fixture
def trail(member):
    """Twelve sealed rows, whose head lies outside; returns their ids, oldest first."""
    for number in range(12):
        audit.record("test.act", actor=member, after={"amount": number})
    assert audit_heads.publish_head() is not None
    return list(AuditEntry.objects.order_by("id").values_list("id", flat=True))


@pytest.fixture
def moment(monkeypatch):
    """`moment(when)` sets the clock."""

    def set_clock(when):
        monkeypatch.setattr(timezone, "now", lambda: when)

    return set_clock


def first_fault():
    report = verify_audit_trail(with_outside=True)
    return report.first_fault


def found(kind, *, position=None, entry=None):
    """Assert what the first fault is."""
    fault = first_fault()
    assert fault is not None, "the forger was not found"
    assert fault.kind == kind
    assert position in (None, fault.position)
    assert entry in (None, fault.entry)


def rebuild_without_key(cursor):
    """Number and hash every link anew, as far as that goes without the key."""
    cursor.execute(f"SELECT entry_id, row_hash, sealed_at, kid FROM {LINKS} ORDER BY position")
    links = cursor.fetchall()
    cursor.execute(f"DELETE FROM {LINKS}")
    chain = hashlib.sha256(b"atalaya audit chain").hexdigest()
    for position, (entry, hashed, sealed_at, kid) in enumerate(links, start=1):
        chain = hashlib.sha256(f"{chain}{hashed}".encode()).hexdigest()
        cursor.execute(
            f"INSERT INTO {LINKS} (position, entry_id, row_hash, chain_hash, sealed_at, kid)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [position, entry, hashed, chain, sealed_at, kid],
        )


def delete(cursor, ids):
    for pk in ids:
        cursor.execute(f"DELETE FROM {LINKS} WHERE entry_id = %s", [pk])
        cursor.execute(f"DELETE FROM {ROWS} WHERE id = %s", [pk])


def test_the_untouched_trail_holds(trail):
    report = verify_audit_trail(with_outside=True)
    assert (report.holds, report.checked, report.heads_compared) == (True, 12, 1)


# -- the six ways ----------------------------------------------------------------------


def test_rows_taken_from_the_middle(trail):
    with triggers_off() as cursor:
        delete(cursor, trail[4:6])
    found("rows removed", position=5)


def test_rows_taken_from_the_middle_and_the_chain_rebuilt(trail):
    with triggers_off() as cursor:
        delete(cursor, trail[4:6])
        rebuild_without_key(cursor)
    found("link not ours", position=1)


def test_rows_taken_and_the_later_positions_moved_up(trail):
    with triggers_off() as cursor:
        delete(cursor, trail[4:6])
        for position in range(7, 13):
            cursor.execute(
                f"UPDATE {LINKS} SET position = %s WHERE position = %s", [position - 2, position]
            )
    found("link not ours", position=5)


def test_the_tail_cut(trail):
    with triggers_off() as cursor:
        delete(cursor, trail[9:])
    found("rows removed", position=10)


def test_the_tail_cut_together_with_what_the_database_says_of_it(trail):
    with triggers_off() as cursor:
        delete(cursor, trail[9:])
        cursor.execute(f"DELETE FROM {SAID} WHERE kind = 'head'")
    found("rows removed", position=10)


def test_the_head_cut(trail):
    with triggers_off() as cursor:
        delete(cursor, trail[:3])
    found("rows removed", position=1)


def test_the_head_cut_under_a_statement_of_the_forgers(trail):
    """The triggers let the rows go then; the statement has no signature."""
    body = '{"from": 1, "rows": 3, "digest_before": "", "digest_after": ""}'
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {SAID} (kind, position, body, made_at, kid, signature)"
            " VALUES ('retired', 3, %s, %s, 'x', 'y')",
            [body, timezone.now()],
        )
        for pk in trail[:3]:
            cursor.execute(f"DELETE FROM {ROWS} WHERE id = %s", [pk])
            cursor.execute(f"DELETE FROM {LINKS} WHERE entry_id = %s", [pk])
    found("rows removed", position=1)


def copy_row(cursor, source, target):
    names = [f.column for f in AuditEntry._meta.concrete_fields if f.column != "id"]
    listed = ", ".join(f'"{name}"' for name in names)
    cursor.execute(
        f"INSERT INTO {ROWS} (id, {listed}) SELECT %s, {listed} FROM {ROWS} WHERE id = %s",
        [target, source],
    )


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_row_repeated_under_a_new_id(trail, is_sealed):
    with triggers_off() as cursor:
        copy_row(cursor, trail[2], trail[-1] + 1)
    if is_sealed:
        seal_audit_trail()
    found("row not ours", entry=trail[-1] + 1)


def test_the_actor_of_six_rows_changed(trail, operator_pk):
    with triggers_off() as cursor:
        for pk in trail[3:9]:
            cursor.execute(f"UPDATE {ROWS} SET actor_id = %s WHERE id = %s", [operator_pk, pk])
    found("row changed", position=4, entry=trail[3])
    assert verify_audit_trail().fault_count == 6


@pytest.fixture
def operator_pk(staff):
    return staff("operator").pk


def test_everything_deleted(trail):
    with triggers_off() as cursor:
        for table in (ROWS, LINKS, SAID):
            cursor.execute(f"DELETE FROM {table}")
    found("rows removed", position=1)


# -- six more --------------------------------------------------------------------------


def test_the_clock_set_back(trail, moment):
    moment(datetime.now(UTC) - timedelta(days=3))
    audit.record("test.in_the_past")
    seal_audit_trail()
    found("clock went back", position=13)


def test_the_sequence_set_back(trail):
    with triggers_off() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [ROWS, trail[4]])
        else:
            cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [trail[4], ROWS])
    found("sequence went back", entry=trail[-1])


def test_the_tail_replaced_by_new_rows_under_the_same_ids(trail):
    """The application itself writes and seals them: only a head outside shows it."""
    with triggers_off() as cursor:
        delete(cursor, trail[8:])
        cursor.execute(f"DELETE FROM {SAID} WHERE kind = 'head'")
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [ROWS, trail[7]])
        else:
            cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [trail[7], ROWS])
    for _ in range(6):
        audit.record("test.another_story")
    seal_audit_trail()
    assert verify_audit_trail().holds, "the database alone agrees with itself"
    found("history replaced")


def test_an_older_copy_of_the_database(trail):
    """Put back as a whole, statements too: every link of it is ours."""
    with triggers_off() as cursor:
        delete(cursor, trail[6:])
        cursor.execute(f"DELETE FROM {SAID} WHERE position > 6")
    assert verify_audit_trail().holds
    found("rows removed", position=7)


def test_two_edits_that_cancel_out(trail):
    with triggers_off() as cursor:
        for pk, amount in ((trail[2], 5), (trail[5], 2)):
            cursor.execute(
                f"UPDATE {ROWS} SET after = %s WHERE id = %s", [f'{{"amount": {amount}}}', pk]
            )
    found("row changed", position=3, entry=trail[2])


def test_two_rows_swapped(trail):
    one, other, spare = trail[2], trail[7], trail[-1] + 100
    with triggers_off() as cursor:
        for old, new in ((one, spare), (other, one), (spare, other)):
            cursor.execute(f"UPDATE {ROWS} SET id = %s WHERE id = %s", [new, old])
    found("row changed", position=3, entry=one)


def test_two_links_swapped(trail):
    with triggers_off() as cursor:
        for old, new in ((3, 100), (8, 3), (100, 8)):
            cursor.execute(f"UPDATE {LINKS} SET position = %s WHERE position = %s", [new, old])
    found("link not ours", position=3)


def test_a_trigger_removed(trail):
    name = "audit_entry_keep" if connection.vendor == "postgresql" else "audit_entry_delete"
    on = f" ON {ROWS}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}{on}")
    found(f"trigger missing: {name}")


@pytest.mark.postgres
@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER TABLE {ROWS} DISABLE TRIGGER audit_entry_keep",
        "CREATE OR REPLACE FUNCTION systemadmin_audit_keep() RETURNS trigger"
        " AS $$BEGIN RETURN OLD; END$$ LANGUAGE plpgsql",
        f"DROP TRIGGER audit_entry_keep ON {ROWS}; CREATE TRIGGER audit_entry_keep BEFORE UPDATE"
        f" OR DELETE ON {ROWS} FOR EACH ROW WHEN (false)"
        " EXECUTE FUNCTION systemadmin_audit_keep()",
    ],
)
def test_a_trigger_switched_off_or_hollowed_out(trail, statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert first_fault().kind.startswith("trigger missing: audit_")


@pytest.mark.own_sqlite
def test_a_row_made_unreadable(trail):
    with triggers_off() as cursor:
        cursor.execute(f"UPDATE {ROWS} SET occurred_at = 'never' WHERE id = %s", [trail[3]])
    found("row changed", position=4, entry=trail[3])


def test_the_statement_of_the_beginning_removed(trail):
    with triggers_off() as cursor:
        cursor.execute(f"DELETE FROM {SAID} WHERE kind = 'adopted'")
    audit.record("test.after")
    seal_audit_trail()
    found("statement removed", position=1)


def test_a_resumed_run_does_not_skip_what_a_forger_says_was_checked(trail):
    from systemadmin.services.audit_walk import WalkState

    forged = {**WalkState(position=12, checked=12).signed(), "position": 11}
    assert WalkState.read(forged) is None
    assert WalkState.read({}) is None


# -- honest work -----------------------------------------------------------------------


def holds():
    report = verify_audit_trail(with_outside=True)
    assert [str(fault) for fault in report.faults] == []


def test_retention_is_honest_and_leaves_a_signed_statement(moment, member):
    now = datetime.now(UTC)
    moment(now - timedelta(days=800))
    for _ in range(5):
        audit.record("test.old", actor=member)
    seal_audit_trail()
    moment(now)
    for _ in range(3):
        audit.record("test.new", actor=member)
    audit_heads.publish_head()
    assert retire_audit_entries() == 5
    assert AuditEntry.objects.filter(action="test.old").count() == 0
    seal_audit_trail()
    holds()
    stub = AuditStatement.objects.get(kind="retired")
    assert (stub.position, stub.body["from"], stub.body["rows"]) == (5, 1, 5)
    assert retire_audit_entries() == 0
    with triggers_off() as cursor:
        cursor.execute(f"DELETE FROM {SAID} WHERE kind = 'retired'")
    found("rows removed", position=1)


def test_retention_keeps_a_year_whatever_the_setting_says(moment, monkeypatch):
    now = datetime.now(UTC)
    moment(now - timedelta(days=300))
    audit.record("test.old")
    seal_audit_trail()
    moment(now)
    monkeypatch.setattr("systemadmin.services.audit_retention.setting", lambda key: 30)
    assert retire_audit_entries() == 0


class Killed(Exception):
    """Stands for a process that ended in the middle."""


def test_retention_that_was_killed_is_finished_and_holds_meanwhile(moment, monkeypatch):
    now = datetime.now(UTC)
    moment(now - timedelta(days=800))
    for _ in range(6):
        audit.record("test.old")
    seal_audit_trail()
    moment(now)
    audit.record("test.new")
    seal_audit_trail()
    monkeypatch.setattr("systemadmin.services.audit_retention.BATCH", 2)

    calls, original = [], QuerySet._raw_delete

    def dies_at_the_third(self, using):
        calls.append(using)
        if len(calls) == 3:
            raise Killed
        return original(self, using)

    monkeypatch.setattr(QuerySet, "_raw_delete", dies_at_the_third)
    with pytest.raises(Killed):
        retire_audit_entries()
    monkeypatch.undo()
    moment(now)
    assert 0 < AuditEntry.objects.filter(action="test.old").count() < 6
    holds()
    retire_audit_entries()
    assert AuditEntry.objects.filter(action="test.old").count() == 0
    holds()


def test_rows_at_fault_are_not_retired(moment):
    now = datetime.now(UTC)
    moment(now - timedelta(days=800))
    for _ in range(4):
        audit.record("test.old")
    seal_audit_trail()
    moment(now)
    changed = AuditEntry.objects.earliest("id").pk
    with triggers_off() as cursor:
        cursor.execute(f"UPDATE {ROWS} SET reason = 'x' WHERE id = %s", [changed])
    assert retire_audit_entries() == 0
    assert AuditEntry.objects.filter(action="test.old").count() == 4


def test_a_new_key_is_honest_while_the_old_one_is_known(trail, settings):
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 50, [old]
    audit.record("test.after_rotation")
    seal_audit_trail()
    holds()
    settings.AUDIT_KEYS = ["k" * 40]
    audit.record("test.with_a_key_of_its_own")
    seal_audit_trail()
    holds()
    assert AuditSeal.objects.values("kid").distinct().count() == 3
    settings.SECRET_KEY_FALLBACKS = []
    found("key unknown", position=1)


@pytest.fixture
def first_version(member):
    """Six rows as the first version wrote them, three of them with links of that time."""
    chain, position = hashlib.sha256(b"atalaya audit chain").hexdigest(), 0
    for number in range(6):
        entry = AuditEntry(
            occurred_at=timezone.now(),
            action="test.first_version",
            actor=member,
            actor_ref=str(member.pk),
            actor_name="marta",
            after={"n": number},
        )
        row = [getattr(entry, name) for name in FIELDS]
        hashed = audit.legacy_row_hash(row)
        entry.mac = keyed_hash(hashed, purpose="audit-row")
        entry.save()
        if number < 3:
            position += 1
            chain = hashlib.sha256(f"{chain}{hashed}".encode()).hexdigest()
            AuditSeal.objects.create(
                position=position,
                entry_id=entry.pk,
                row_hash=hashed,
                chain_hash=chain,
                sealed_at=timezone.now(),
            )


def test_a_trail_from_before_authentication_is_adopted(first_version):
    holds()
    audit.record("test.second_version")
    assert seal_audit_trail() == 4
    holds()
    adopted = AuditStatement.objects.get(kind="adopted")
    assert (adopted.position, adopted.body["until"]) == (3, 6)
    ids = list(AuditEntry.objects.order_by("id").values_list("id", flat=True))
    with triggers_off() as cursor:
        copy_row(cursor, ids[0], ids[-1] + 1)
    found("row not ours", entry=ids[-1] + 1)
    seal_audit_trail()
    found("row not ours", position=8)


def test_links_from_before_authentication_cannot_be_rebuilt_any_more(first_version):
    seal_audit_trail()
    first = AuditEntry.objects.earliest("id").pk
    chain = hashlib.sha256(b"atalaya audit chain").hexdigest()
    with triggers_off() as cursor:
        delete(cursor, [first])
        cursor.execute(f"SELECT position, row_hash FROM {LINKS} WHERE kid = '' ORDER BY position")
        for position, hashed in cursor.fetchall():
            chain = hashlib.sha256(f"{chain}{hashed}".encode()).hexdigest()
            cursor.execute(
                f"UPDATE {LINKS} SET position = %s, chain_hash = %s WHERE position = %s",
                [position - 1, chain, position],
            )
    found("rows removed", position=3)
    assert "link from before authentication changed" not in str(verify_audit_trail().faults)


def test_a_cut_by_retention_from_before_statements_is_adopted_with_the_rest(first_version):
    ids = list(AuditEntry.objects.order_by("id").values_list("id", flat=True))
    with triggers_off() as cursor:
        delete(cursor, ids[:1])
    seal_audit_trail()
    assert AuditStatement.objects.get(kind="adopted").body["first"] == 2
    holds()
    with triggers_off() as cursor:
        delete(cursor, ids[1:2])
    found("rows removed", position=2)


# -- heads outside ---------------------------------------------------------------------


def test_a_head_that_a_person_kept_finds_what_the_storage_does_not(trail, own_storage, capsys):
    kept = audit_heads.text_of(audit_heads.current_head())
    with triggers_off() as cursor:
        delete(cursor, trail[9:])
        cursor.execute(f"DELETE FROM {SAID} WHERE kind = 'head'")
    for file in (own_storage / "audit-heads").iterdir():
        file.unlink()
    call_command("verify_audit")
    assert "No head outside" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call_command("verify_audit", head=[kept])
    assert "rows removed" in capsys.readouterr().err


def test_files_that_a_forger_puts_into_the_storage_are_passed_over(trail, own_storage):
    real = next((own_storage / "audit-heads").iterdir())
    forged = real.read_text().replace('"position": 12', '"position": 900')
    (own_storage / "audit-heads" / "00000000000000000900-1.json").write_text(forged)
    (own_storage / "audit-heads" / "00000000000000000901-1.json").write_text("{")
    holds()


def test_a_head_is_stored_again_only_when_it_is_due(trail, moment, own_storage):
    audit.record("test.more")
    assert audit_heads.publish_head() is None
    moment(datetime.now(UTC) + timedelta(hours=6))
    assert audit_heads.publish_head() is not None
    assert len(list((own_storage / "audit-heads").iterdir())) == 2
    holds()


def test_an_explained_fault_is_a_note(trail, moment, superuser):
    moment(datetime.now(UTC) - timedelta(days=3))
    audit.record("test.in_the_past")
    seal_audit_trail()
    with pytest.raises(SystemExit):
        call_command("verify_audit")
    call_command(
        "verify_audit", explain=["clock went back", "13"], reason="The host's clock was wrong."
    )
    run = verify_now()
    assert run.holds
    assert "clock went back" in run.notes[0]
    assert AuditEntry.objects.filter(action="systemadmin.audit.fault_explained").exists()
