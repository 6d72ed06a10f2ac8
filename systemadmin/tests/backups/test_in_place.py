"""Restores on PostgreSQL without a second database: one transaction, or nothing at all."""

import os
import signal
import threading
import time
import uuid
from contextlib import closing

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from systemadmin import audit
from systemadmin.backups.engines.postgres import in_place as postgres_in_place
from systemadmin.backups.engines.postgres.engine import PostgresEngine
from systemadmin.backups.errors import BackupError
from systemadmin.backups.restore import in_place_process as in_place
from systemadmin.backups.vault import open_vault
from systemadmin.foundation.hard_maintenance import hard_state
from systemadmin.foundation.integrity import find_problems
from systemadmin.models import AuditEntry, Backup, Restore, User
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.audit_verification import verify_audit_trail
from systemadmin.services.backups import (
    create_backup,
    import_backups,
    mark_interrupted,
    restore_backup,
)
from systemadmin.tests.backups.test_faults import (
    hand_made_backup,
    long_ago,
    take_back_newest_migrations,
    wait_for,
)
from systemadmin.tests.backups.test_round_trip import KEPT, destroy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only"),
]

ODD = "tab\t quote' back\\slash\\. nul-like\\N ünï\ncöde;\nCOPY x FROM stdin;\n\\.\nend"

# The child of a restore, standing still with everything loaded and nothing committed.
HALF_DONE = """
import sys, time
from systemadmin.backups.engines.postgres import in_place
from systemadmin.backups.engines.postgres.dump_file import plain_file
from systemadmin.backups.restore.steps import database_part, opened
from systemadmin.backups.vault import open_vault
from systemadmin.backups.restore import in_place as replacing

def stand_still(**options):
    print("loaded", flush=True)
    time.sleep(600)

replacing.reset_restored = stand_still
vault = open_vault()
manifest = vault.manifest({name!r})
with opened(vault, database_part(manifest)) as chunks, plain_file(chunks) as dump:
    replacing.replace_contents(manifest, dump, 1)
"""


@pytest.fixture
def only_in_place(monkeypatch):
    monkeypatch.setattr(PostgresEngine, "may_swap", lambda _engine: False)


def server(database="postgres"):
    return psycopg.connect(
        settings.DATABASE_URL.rsplit("/", 1)[0] + f"/{database}", autocommit=True
    )


class PlainRole:
    """A role that may use its own database and nothing else."""

    def __init__(self, database):
        self.database, self.name = database, f"plain_{uuid.uuid4().hex[:8]}"
        self.password = uuid.uuid4().hex
        role = sql.Identifier(self.name)
        with server(database.name) as session:
            session.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, self.password))
            session.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(database.name), role)
            )
            for kind, name, _owned in postgres_in_place._objects(session):
                session.execute(
                    sql.SQL("ALTER {} {} OWNER TO {}").format(sql.SQL(kind), sql.SQL(name), role)
                )

    @property
    def url(self):
        host = self.database.url.rpartition("@")[2]
        return f"postgres://{self.name}:{self.password}@{host}"

    def remove(self):
        with server(self.database.name) as session:
            session.execute(
                sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(sql.Identifier(self.name))
            )
            session.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(self.name)))
            session.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(self.name)))


@pytest.fixture
def plain_role(own_database):
    role = PlainRole(own_database)
    yield role
    role.remove()


def same_but_kept(now, moment):
    assert now.keys() - KEPT == moment.keys() - KEPT
    assert [name for name in now.keys() - KEPT if now[name] != moment[name]] == []


def test_a_role_that_may_make_no_database_restores_all_the_same(own_database, people, plain_role):
    User.objects.filter(pk=people[0].pk).update(first_name=ODD)
    own_database.manage("dbbackup", DATABASE_URL=plain_role.url)
    backup = Backup.objects.get()
    moment = open_vault().manifest(backup.name).tables
    audit.record("systemadmin.test.after", reason="written after the backup")
    seal_audit_trail()
    destroy(own_database)

    said = own_database.manage(
        "restore_backup",
        "--emergency",
        backup.name,
        "--confirm",
        own_database.typed,
        DATABASE_URL=plain_role.url,
    )

    assert "(in_place)" in said
    same_but_kept(own_database.tables(), moment)
    assert User.objects.get(pk=people[0].pk).first_name == ODD
    done = Restore.objects.get()
    assert (done.status, done.method, done.kept_as) == ("done", "in_place", "")
    assert done.safety_backup.trigger == "safety"
    assert AuditEntry.objects.filter(action="systemadmin.test.after").exists()
    seal_audit_trail()
    assert verify_audit_trail().holds
    assert find_problems() == []
    assert hard_state() is None


def test_new_rows_get_new_ids_after_it(own_database, people, only_in_place):
    backup = create_backup()
    restore_backup(backup=backup, confirm=own_database.typed)
    newest = max(person.pk for person in people)
    assert User.objects.create(username="after").pk > newest
    create_backup()


def test_what_others_hold_is_taken_from_them(own_database, people, only_in_place):
    """An idle transaction's lock would keep the restore out; its session is ended."""
    backup = create_backup()
    with closing(own_database.raw()) as idle:
        idle.execute("BEGIN")
        idle.execute("SELECT * FROM systemadmin_user").fetchone()
        done = restore_backup(backup=backup, confirm=own_database.typed)
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    assert done.status == "done"


def test_an_older_backup_is_migrated_forward_in_place(own_database, people, only_in_place):
    newest = take_back_newest_migrations()
    name = hand_made_backup()
    call_command("migrate", verbosity=0)
    import_backups()
    done = restore_backup(backup=Backup.objects.get(name=name), confirm=own_database.typed)
    assert (done.status, done.method) == ("done", "in_place")
    assert User.objects.count() == 5
    applied = own_database.run("SELECT app || '.' || name FROM django_migrations")
    assert newest <= {name for (name,) in applied}


def test_what_does_not_equal_the_manifest_is_undone(
    own_database, people, only_in_place, monkeypatch
):
    backup = create_backup()
    User.objects.create(username="later")
    before = own_database.tables()
    honest = in_place.pack

    def dishonest(manifest):
        return (
            honest(manifest).replace('"rows": 5}', '"rows": 6}').replace('"rows": 5,', '"rows": 6,')
        )

    assert dishonest(open_vault().manifest(backup.name)) != honest(
        open_vault().manifest(backup.name)
    )
    monkeypatch.setattr(in_place, "pack", dishonest)
    with pytest.raises(BackupError, match="not what was dumped") as refused:
        restore_backup(backup=backup, confirm=own_database.typed)
    assert refused.value.code == "content_mismatch"
    same_but_kept(own_database.tables(), before)
    assert Restore.objects.get().error_code == "content_mismatch"
    assert hard_state() is None


def test_who_does_not_own_the_tables_is_told_so(own_database, people, plain_role):
    with server(own_database.name) as session:
        session.execute("ALTER TABLE systemadmin_user OWNER TO CURRENT_USER")
        session.execute(
            sql.SQL("GRANT ALL ON systemadmin_user, systemadmin_user_id_seq TO {}").format(
                sql.Identifier(plain_role.name)
            )
        )
    backup = create_backup()
    said = own_database.manage(
        "restore_backup",
        "--emergency",
        backup.name,
        "--confirm",
        own_database.typed,
        expect=1,
        DATABASE_URL=plain_role.url,
    )
    assert "does not own systemadmin_user" in said
    assert plain_role.password not in said
    assert User.objects.count() == 5
    assert hard_state() is None


def test_killed_half_way_nothing_has_happened(own_database, people):
    backup = create_backup()
    User.objects.create(username="later")
    before = own_database.tables()
    child = own_database.command("shell", "-c", HALF_DONE.format(name=backup.name))
    try:
        assert "loaded\n" in iter(child.stdout.readline, "")
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.communicate()
    assert own_database.tables() == before


def test_the_child_dies_with_the_restore(own_database, people, plain_role):
    """A session that the role may not end holds the restore up; the restore is killed meanwhile."""
    backup = create_backup()
    with closing(own_database.raw()) as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE systemadmin_user IN ACCESS SHARE MODE")
        restore = own_database.command(
            "restore_backup",
            "--emergency",
            backup.name,
            "--confirm",
            own_database.typed,
            DATABASE_URL=plain_role.url,
        )
        try:
            wait_for(lambda: waiting(own_database))
        finally:
            restore.kill()
            restore.communicate()
        wait_for(lambda: not waiting(own_database), seconds=8)
    assert User.objects.count() == 5
    long_ago(Restore)
    mark_interrupted(open_vault())
    assert Restore.objects.get().error_code == "interrupted"
    assert hard_state() is None


def waiting(database):
    with server() as session:
        return session.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
            [database.name],
        ).fetchall()


def test_readers_wait_and_find_the_restored_rows(own_database, people, only_in_place):
    """Nobody ever sees an empty or half-filled table."""
    backup = create_backup()
    seen, stopped = set(), threading.Event()

    def read():
        while not stopped.is_set():
            try:
                with closing(own_database.raw()) as session:
                    rows = session.execute("SELECT count(*) FROM systemadmin_user").fetchone()
                    seen.add(rows[0])
            except psycopg.Error:
                time.sleep(0.01)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        restore_backup(backup=backup, confirm=own_database.typed)
    finally:
        stopped.set()
        reader.join()
    assert seen == {5}
