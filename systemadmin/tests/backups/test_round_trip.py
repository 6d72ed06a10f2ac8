"""Backup, destroy, restore: on this run's database, with writers at work."""

import threading
import time
from contextlib import closing

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone
from django_q.models import OrmQ

from systemadmin import audit
from systemadmin.backups.restore.steps import load_verified
from systemadmin.backups.vault import open_vault
from systemadmin.foundation.hard_maintenance import database_replaced_at, hard_state
from systemadmin.foundation.integrity import find_problems
from systemadmin.foundation.queue import enqueue
from systemadmin.models import (
    Alert,
    ApiToken,
    AuditEntry,
    Backup,
    Notification,
    Restore,
    User,
)
from systemadmin.services import audit_runs, notify_user
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.audit_verification import verify_audit_trail
from systemadmin.services.backups import create_backup, restore_backup, verify_backup

pytestmark = pytest.mark.slow

KEPT = {
    "systemadmin_backup",
    "systemadmin_backupverification",
    "systemadmin_restore",
    "systemadmin_auditentry",
    "systemadmin_auditseal",
    "systemadmin_auditstatement",
    "systemadmin_auditverification",
    "systemadmin_alert",
    "systemadmin_notification",
    "django_session",
    "systemadmin_apitoken",
    "systemadmin_usersession",
    # The log goes on behind what was read of it before the restore: its numbers jump ahead.
    "systemadmin_eventcounter",
    "systemadmin_publishedevent",
    "django_q_ormq",
    "systemadmin_idempotencykey",
    "cache_entries",
}


class Writer(threading.Thread):
    """Writes accounts as fast as it can, through a connection of its own."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.database, self.stopped, self.written, self.longest = database, False, 0, 0.0

    def run(self):
        connection, last = None, time.monotonic()
        while not self.stopped:
            try:
                connection = connection or self.database.raw()
                insert = "INSERT INTO django_session VALUES (%s, 'x', '2030-01-01')"
                if not self.database.is_postgres:
                    insert = insert.replace("%s", "?")
                connection.execute(insert, [f"writer-{self.written}"])
                self.written += 1
                self.longest = max(self.longest, time.monotonic() - last)
                last = time.monotonic()
            except Exception:
                connection = None
                time.sleep(0.01)
            time.sleep(0.001)
        if connection is not None:
            connection.close()


@pytest.fixture
def writer(own_database):
    thread = Writer(own_database)
    thread.start()
    yield thread
    thread.stopped = True
    thread.join(timeout=30)


def destroy(database):
    """What a bad afternoon does."""
    with closing(database.raw()) as connection:
        if database.is_postgres:
            connection.execute("TRUNCATE systemadmin_user CASCADE")
            connection.execute("DROP TABLE riskops_accountfacts CASCADE")
        else:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("DELETE FROM systemadmin_user")
            connection.execute("DROP TABLE riskops_accountfacts")


def test_everything_comes_back_with_writers_at_work(own_database, people, writer, stored):
    backup = create_backup(note="before the storm")
    moment = open_vault().manifest(backup.name).tables
    assert stored()
    destroy(own_database)
    assert User.objects.count() == 0

    done = restore_backup(backup=backup, confirm=own_database.typed)

    writer.stopped = True
    writer.join(timeout=30)
    assert writer.written > 10
    assert done.status == Restore.Status.DONE
    assert set(User.objects.values_list("pk", flat=True)) == {p.pk for p in people}
    now = own_database.tables()
    assert now.keys() == moment.keys()
    wrong = [name for name in now.keys() - KEPT if now[name] != moment[name]]
    assert wrong == []
    assert find_problems() == []
    assert hard_state() is None
    assert database_replaced_at() > 0


def test_a_whole_shop_comes_back_with_its_ledger_and_its_audit_chain(own_database, writer):
    """Demo data of every desk: orders and their ledger, tickets, letters, scores, events."""
    own_database.manage("seed_demo", DEMO_MODE="1")
    seal_audit_trail()
    backup = create_backup()
    moment = open_vault().manifest(backup.name).tables
    filled = {name for name, table in moment.items() if table.rows}
    assert {
        "marketplace_ledgerentry",
        "support_ticket",
        "messaging_message",
        "riskops_accountevent",
        "systemadmin_auditseal",
        "systemadmin_auditstatement",
    } <= filled
    destroy(own_database)

    restore_backup(backup=backup, confirm=own_database.typed)

    now = own_database.tables()
    assert [name for name in now.keys() - KEPT if now[name] != moment[name]] == []
    assert find_problems() == [], "among others: the ledger balances, the audit chain holds"
    assert "adds up" in own_database.manage("check_ledger")
    seal_audit_trail()
    assert verify_audit_trail().holds


def test_what_can_be_counted_again_is_no_reason_to_refuse_a_backup(own_database):
    own_database.manage("seed_demo", DEMO_MODE="1")
    assert find_problems() == []
    assert apps.get_model("messaging.Mailbox").objects.update(unread_count=77) > 0
    assert apps.get_model("riskops.AccountFacts").objects.update(logins=77) > 0
    backup = create_backup()

    done = restore_backup(backup=backup, confirm=own_database.typed)

    assert done.status == Restore.Status.DONE
    assert find_problems(repairable=False) == []
    found = find_problems(repairable=True)
    assert [sentence.split(":")[0] for sentence in found] == [
        "account facts",
        "unread messages",
    ]
    assert set(found) <= set(done.warnings)


def test_a_dump_is_of_one_moment(own_database, people, writer):
    """Counts and checksums in the manifest are those of the dump, whatever is written."""
    vault, moments = open_vault(), set()
    for _ in range(3):
        manifest = vault.manifest(create_backup().name)
        with vault.engine.scratch("verify") as scratch:
            load_verified(vault, manifest, scratch)
        moments.add(manifest.tables["django_session"].checksum)
    assert len(moments) == 3, "the writer was at work all the time"


def test_an_idle_transaction_does_not_hold_it_up(own_database, people):
    backup = create_backup()
    with closing(own_database.raw()) as idle:
        idle.execute("BEGIN")
        idle.execute("SELECT * FROM systemadmin_user").fetchone()
        if not own_database.is_postgres:
            idle.execute("ROLLBACK")
        done = restore_backup(backup=backup, confirm=own_database.typed)
    assert done.status == "done"
    assert done.closed_seconds < 60


def test_audit_and_the_records_of_backups_outlive_it(own_database, people):
    first = create_backup()
    audit.record("systemadmin.test.after", reason="written after the backup")
    seal_audit_trail()
    second = create_backup()
    verify_backup(backup=second)
    before = AuditEntry.objects.count()

    restore_backup(backup=first, confirm=own_database.typed)

    assert AuditEntry.objects.filter(action="systemadmin.test.after").exists()
    assert AuditEntry.objects.count() > before
    second.refresh_from_db()
    assert second.verification == "passed"
    assert Backup.objects.get(pk=first.pk).status == "complete"
    assert Restore.objects.get().safety_backup.trigger == "safety"
    seal_audit_trail()
    assert verify_audit_trail().holds


def test_nothing_old_is_done_again(own_database, people):
    Session.objects.create(session_key="old", session_data="x", expire_date=timezone.now())
    ApiToken.objects.create(user=people[0])
    enqueue("systemadmin.tasks.prune_expired")
    notify_user(user=people[0], kind="test", subject="s", body="b", key="once")
    backup = create_backup()

    done = restore_backup(backup=backup, confirm=own_database.typed)

    waiting = [str(row.task["args"]) for row in OrmQ.objects.all()]
    assert len(waiting) == 1
    assert audit_runs.RUN_TASK in waiting[0], "the restore's own"
    assert not Session.objects.exists()
    assert not ApiToken.objects.exists()
    assert set(Notification.objects.values_list("status", flat=True)) == {"skipped"}
    assert any("queued tasks" in warning for warning in done.warnings)


def test_uploaded_files_come_back_and_none_is_deleted(own_database):
    private = storages["private"]
    private.save("tickets/one.txt", ContentFile(b"one"))
    private.save("tickets/two.txt", ContentFile(b"two"))
    backup = create_backup()
    assert backup.media_files == 2
    private.delete("tickets/one.txt")
    private.delete("tickets/two.txt")
    private.save("tickets/two.txt", ContentFile(b"changed"))
    private.save("tickets/three.txt", ContentFile(b"three"))

    done = restore_backup(backup=backup, confirm=own_database.typed)

    assert done.media_written == 2
    found = {name: private.open(f"tickets/{name}.txt").read() for name in ("one", "two", "three")}
    assert found == {"one": b"one", "two": b"two", "three": b"three"}


def test_the_result_is_told(own_database, superuser_of):
    backup = create_backup(actor=superuser_of)
    restore_backup(actor=superuser_of, backup=backup, confirm=own_database.typed)
    assert Alert.objects.filter(rule="restore.done").exists()
    entry = AuditEntry.objects.get(action="systemadmin.restore.done")
    assert entry.actor_name == superuser_of.username


@pytest.fixture
def superuser_of(own_database):
    from systemadmin.tests.factories import StaffFactory

    return StaffFactory(username="root", is_superuser=True)


def test_an_actor_of_the_future_leaves_a_name(own_database, people):
    """Whoever was hired after the backup is not in the restored database; the record stays."""
    from systemadmin.tests.factories import StaffFactory

    backup = create_backup()
    hired = StaffFactory(username="new-hire", is_superuser=True)
    later = create_backup(actor=hired)
    restore_backup(backup=backup, confirm=own_database.typed)
    later.refresh_from_db()
    assert (later.actor_id, later.actor_name) == (None, "new-hire")


def test_the_safety_backup_is_the_way_back(own_database, people):
    backup = create_backup()
    User.objects.create(username="written-after")
    done = restore_backup(backup=backup, confirm=own_database.typed)
    assert not User.objects.filter(username="written-after").exists()
    restore_backup(backup=done.safety_backup, confirm=own_database.typed)
    assert User.objects.filter(username="written-after").exists()
