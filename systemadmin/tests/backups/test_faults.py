"""What goes wrong, made to go wrong for real: nothing is lost and the truth is told."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from systemadmin.backups import records
from systemadmin.backups.contents import BackupOptions, create
from systemadmin.backups.errors import (
    BackupError,
    IncompatibleBackup,
    StreamDamaged,
)
from systemadmin.backups.format import manifest as manifests
from systemadmin.backups.format.manifest import SUFFIX
from systemadmin.backups.restore.steps import check_compatible
from systemadmin.backups.vault import new_name, open_vault
from systemadmin.errors import (
    BackupFailed,
    BackupInProgress,
    BackupNotRestorable,
    BackupWorkInProgress,
    RestoreInProgress,
)
from systemadmin.foundation.hard_maintenance import (
    database_replaced_at,
    enable_hard,
    hard_state,
)
from systemadmin.models import Alert, AuditEntry, Backup, Restore, User
from systemadmin.services.backups import (
    backup_before,
    create_backup,
    import_backups,
    mark_interrupted,
    plan_retention,
    prune_backups,
    request_backup,
    request_restore,
    restore_backup,
    run_schedule,
    verify_backup,
)
from systemadmin.tests.backups.conftest import SECRET, is_ours
from systemadmin.tests.backups.factories import grow_old
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.slow


def path_of(folder, name):
    return folder / "backups" / name


def part_name(backup, kind="database"):
    return next(part["name"] for part in backup.parts if part["kind"] == kind)


def open_alerts(rule):
    return Alert.objects.filter(rule=rule).exclude(status="resolved")


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never happened")


def long_ago(model):
    """As if the death had been a while ago: what has just begun is left alone."""
    model.objects.filter(status="running").update(started_at=timezone.now() - timedelta(minutes=5))


# -- the stored files ------------------------------------------------------------------


@pytest.fixture
def backup(own_database, people):
    return create_backup()


@pytest.mark.parametrize("position", [0, 40, 100, -1, -20])
def test_a_flipped_byte_is_found_before_anything_is_touched(
    own_database, own_place, backup, position
):
    path = path_of(own_place, part_name(backup))
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(StreamDamaged, match="SHA-256"):
        restore_backup(backup=backup, confirm=own_database.typed)
    assert User.objects.count() == 5
    assert hard_state() is None
    row = Restore.objects.get()
    assert (row.status, row.error_code, row.safety_backup) == ("failed", "stream_damaged", None)
    assert open_alerts("restore.failed").exists()


def test_a_truncated_file_is_found(own_database, own_place, backup):
    path = path_of(own_place, part_name(backup))
    path.write_bytes(path.read_bytes()[:-100])
    proof = verify_backup(backup=backup)
    assert (proof.status, proof.error_code) == ("failed", "stream_damaged")
    backup.refresh_from_db()
    assert (backup.status, backup.verification) == ("damaged", "failed")
    assert open_alerts("backup.verification_failed").exists()
    with pytest.raises(BackupNotRestorable):
        restore_backup(backup=backup, confirm=own_database.typed)


def test_a_damaged_archive_of_files_is_found(own_database, own_place, backup):
    path = path_of(own_place, part_name(backup, "media"))
    path.write_bytes(path.read_bytes()[:-1])
    assert verify_backup(backup=backup).error_code == "stream_damaged"


def test_a_wrong_passphrase_opens_nothing(own_database, backup, settings):
    settings.BACKUP_PASSPHRASE = "another one"
    with pytest.raises(BackupNotRestorable, match="signature"):
        restore_backup(backup=backup, confirm=own_database.typed)
    proof = verify_backup(backup=backup)
    assert proof.error_code == "manifest_invalid"


def test_without_a_manifest_it_is_incomplete_and_never_offered(own_database, own_place, backup):
    path_of(own_place, backup.name + SUFFIX).unlink()
    with pytest.raises(BackupNotRestorable, match="incomplete"):
        restore_backup(backup=backup, confirm=own_database.typed)
    found = import_backups()
    assert [row.pk for row in found.missing] == [backup.pk]
    assert part_name(backup) in found.incomplete
    backup.refresh_from_db()
    assert backup.status == "missing"


def test_a_manifest_cannot_pass_off_other_files(own_database, own_place, backup):
    """Whoever can write to the storage cannot make an old dump look like a new one."""
    other = create_backup()
    one = path_of(own_place, backup.name + SUFFIX)
    path_of(own_place, other.name + SUFFIX).write_bytes(one.read_bytes())
    with pytest.raises(BackupNotRestorable):
        restore_backup(backup=other, confirm=own_database.typed)


def test_nothing_of_the_data_is_readable(own_database, own_place):
    UserFactory(username="ana-needle", email="needle-in-haystack@example.test")
    backup = create_backup()
    stored = {p.name: p.read_bytes() for p in (own_place / "backups").iterdir() if p.is_file()}
    assert len(stored) == 3
    for name, data in stored.items():
        assert b"needle" not in data, name
        assert SECRET.encode() not in data, name
    data = stored[part_name(backup)]
    # Sealed bytes look like noise: no compressor gains anything.
    assert data[:5] not in (b"PGDMP", b"SQLit")


def test_without_a_passphrase_it_works_and_says_so(own_database, settings):
    settings.BACKUP_PASSPHRASE = ""
    backup = create_backup()
    assert backup.is_sealed is False
    assert verify_backup(backup=backup).status == "passed"


def test_files_are_for_the_owner_only(own_place, backup):
    for path in (own_place / "backups").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


# -- rules -----------------------------------------------------------------------------


def test_a_newer_application_is_refused(own_database, backup):
    vault = open_vault()
    manifest = vault.manifest(backup.name)
    from dataclasses import replace

    newer = replace(manifest, migrations=[*manifest.migrations, "support.9999_future"])
    with pytest.raises(IncompatibleBackup, match="9999_future"):
        check_compatible(vault, newer)
    other = replace(manifest, engine="oracle")
    with pytest.raises(IncompatibleBackup, match="oracle"):
        check_compatible(vault, other)


def take_back_newest_migrations():
    """Unapply the last migration of each app of ours that has one after the first; return names.

    Django's own way back renders the models after every migration since the first.
    """
    executor = MigrationExecutor(connection)
    graph, newest = executor.loader.graph, set()
    for key in graph.leaf_nodes():
        if is_ours(key[0]) and not graph.nodes[key].replaces:
            state = executor.loader.project_state([key], at_end=False)
            executor.unapply_migration(state, graph.nodes[key])
            newest.add(".".join(key))
    return newest


def hand_made_backup():
    """Without a row, whose table may be of another shape than the model."""
    name = new_name()
    create(open_vault(), BackupOptions(name=name))
    return name


def test_an_older_backup_is_migrated_forward(own_database, people):
    """As if the newest migration of every app had been written after the backup."""
    newest = take_back_newest_migrations()
    assert newest
    name = hand_made_backup()
    call_command("migrate", verbosity=0)
    import_backups()
    backup = Backup.objects.get(name=name)
    assert not newest & set(backup.migrations)
    done = restore_backup(backup=backup, confirm=own_database.typed)
    assert done.status == "done"
    assert User.objects.count() == 5
    applied = own_database.run("SELECT app || '.' || name FROM django_migrations")
    assert newest <= {name for (name,) in applied}


def test_two_restores_at_once(own_database, backup):
    request_restore(
        actor=None, backup=backup, confirm=own_database.typed, passed_second_factor=True
    )
    with pytest.raises(RestoreInProgress):
        restore_backup(backup=backup, confirm=own_database.typed)


def test_work_excludes_other_work(own_database, backup, monkeypatch):
    monkeypatch.setattr(records, "LOCK_WAIT_SECONDS", 0.2)
    with open_vault().engine.lock() as got:
        assert got
        with pytest.raises(BackupWorkInProgress):
            prune_backups()
        with pytest.raises(BackupWorkInProgress):
            verify_backup(backup=backup)
        with pytest.raises(BackupWorkInProgress):
            restore_backup(backup=backup, confirm=own_database.typed)
        with pytest.raises(BackupFailed):
            create_backup()
    assert User.objects.count() == 5


def test_one_backup_at_a_time(own_database):
    request_backup(actor=None)
    with pytest.raises(BackupInProgress):
        create_backup()
    # What a critical act needs does not wait for somebody else's request.
    assert backup_before("demo purge").status == "complete"


def test_a_hard_maintenance_stays_its_owners(own_database, backup):
    enable_hard("somebody else", 60)
    with pytest.raises(BackupWorkInProgress):
        restore_backup(backup=backup, confirm=own_database.typed)
    assert hard_state().owner == "somebody else"


def test_retention_spares_what_a_restore_waits_for(own_database, backup):
    newer = create_backup()
    grow_old(backup, 60)
    request_restore(
        actor=None, backup=backup, confirm=own_database.typed, passed_second_factor=True
    )
    fates = {row.pk: decision.reason for row, decision in plan_retention()}
    assert fates == {newer.pk: "daily", backup.pk: "pinned"}


def test_retention_deletes_files_and_keeps_the_row(own_database, own_place, backup, stored):
    create_backup()
    grow_old(backup, 60)
    gone = prune_backups()
    assert [row.pk for row in gone] == [backup.pk]
    assert not [name for name in stored() if name.startswith(backup.name)]
    backup.refresh_from_db()
    assert backup.status == "expired"


# -- sudden death ----------------------------------------------------------------------


def kill(child):
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=30)


@pytest.fixture
def much(own_database):
    """Some megabytes that no compressor makes small, so that a dump has a middle."""
    if own_database.is_postgres:
        own_database.run(
            "INSERT INTO django_session SELECT g::text, string_agg(md5(random()::text), ''), now()"
            " FROM generate_series(1, 5000) g, generate_series(1, 28) GROUP BY g"
        )
    else:
        own_database.run(
            "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 5000)"
            " INSERT INTO django_session SELECT n, hex(randomblob(450)), '2030-01-01' FROM g"
        )


def partials(folder):
    return [p for p in (folder / "backups" / ".partial").glob("*") if p.stat().st_size > 0]


def test_kill_in_the_middle_of_a_backup(own_database, own_place, much, stored):
    good = create_backup()
    before = stored()
    child = own_database.stuck("systemadmin.backups.format.stream.Sealer._seal", "dbbackup")
    wait_for(lambda: partials(own_place))
    kill(child)
    assert stored() == before, "nothing half made has a name"
    assert Backup.objects.filter(status="running").count() == 1
    long_ago(Backup)
    wait_for(lambda: mark_interrupted(open_vault()) == 1, 30)
    dead = Backup.objects.exclude(pk=good.pk).get()
    assert (dead.status, dead.error_code) == ("failed", "interrupted")
    assert not partials(own_place)
    assert open_alerts("backup.failed").exists()
    # The next one is not held up, and closes the alert.
    assert create_backup().status == "complete"
    assert not open_alerts("backup.failed").exists()


# Where the process stands still until it is killed; settling takes long enough by itself.
STEPS = {
    "safety_backup": "systemadmin.backups.format.stream.Sealer._seal",
    "loading": "systemadmin.backups.restore.steps.differences",
    "settling": "systemadmin.backups.restore.steps.verify",
    "swapping": "systemadmin.backups.restore.preserved_rows.copy",
    "prepared": "",
}
# With every property set on the new database; the trial before the restore goes through.
PREPARED = """
import time
from django.core.management import call_command
from systemadmin.backups.engines.postgres import swap as postgres_swap
through = postgres_swap.prepare
def stop(engine, scratch):
    said = through(engine, scratch)
    if "_restore_" in scratch.name:
        time.sleep(600)
    return said
postgres_swap.prepare = stop
call_command(*{command!r})
"""


@pytest.mark.parametrize("step", STEPS)
def test_kill_in_the_middle_of_a_restore(own_database, own_place, much, step):
    if step == "prepared" and not own_database.is_postgres:
        pytest.skip("a file has no properties to prepare")
    people = User.objects.count()
    backup = create_backup()
    UserFactory(username="written-after")
    restore = ("restore_backup", backup.name, "--emergency", "--confirm", own_database.typed)
    if step == "prepared":
        child = own_database.command("shell", "-c", PREPARED.format(command=restore))
    else:
        child = own_database.stuck(STEPS[step], *restore)
    reached = "swapping" if step == "prepared" else step
    wait_for(lambda: Restore.objects.filter(step=reached).exists())
    if step != "settling":
        time.sleep(0.5)  # deeper into the step; it stands still there
    kill(child)
    assert User.objects.count() == people + 1, "the database is as it was"
    assert hard_state().owner.startswith("restore-")
    long_ago(Restore)
    long_ago(Backup)
    wait_for(lambda: mark_interrupted(open_vault()) > 0, 30)
    assert hard_state() is None, "the house is open again"
    row = Restore.objects.get()
    assert (row.status, row.error_code) == ("failed", "interrupted")
    assert open_alerts("restore.failed").exists()
    assert leftovers(own_database) == []
    done = restore_backup(backup=backup, confirm=own_database.typed)
    assert done.status == "done"
    assert User.objects.count() == people


def test_killed_after_the_swap_it_is_finished_by_a_command(own_database, people):
    private = storages["private"]
    private.save("one.txt", ContentFile(b"one"))
    backup = create_backup()
    UserFactory(username="written-after")
    private.delete("one.txt")
    restore = ("restore_backup", backup.name, "--emergency", "--confirm", own_database.typed)
    connection.close()
    child = own_database.stuck("systemadmin.backups.restore.live_database.swap_in", *restore)
    wait_for(lambda: step_of_restore(own_database) == "swapped")
    kill(child)

    assert "finished" in own_database.manage("finish_restore")

    assert User.objects.count() == 5
    row = Restore.objects.get()
    assert (row.status, row.method) == ("done", open_vault().engine.swap_method)
    assert any("process died" in warning for warning in row.warnings)
    assert row.media_written == 1
    assert AuditEntry.objects.filter(action="systemadmin.restore.done").exists()
    assert hard_state() is None
    assert database_replaced_at() > 0
    assert leftovers(own_database) == []


def step_of_restore(database):
    """Asked anew each time: the swap ends every session."""
    with suppress(psycopg.Error):
        rows = database.run("SELECT step FROM systemadmin_restore")
        return rows[0][0] if rows else ""


def leftovers(database):
    if not database.is_postgres:
        return list((Path(database.folder) / "work").glob("backup-scratch-*"))
    rows = database.run("SELECT datname FROM pg_database WHERE datname LIKE %s", "%scratch%")
    return [name for (name,) in rows if name.startswith(database.name)]


def test_kill_in_the_middle_of_retention(own_database, own_place, backup, monkeypatch):
    """Files gone, row not yet told: the comparison with the storage finds it."""
    create_backup()
    grow_old(backup, 60)
    script = (
        "import os, signal\n"
        "from systemadmin.backups.store import Store\n"
        "delete = Store.delete_file\n"
        "def die(self, name):\n"
        "    delete(self, name)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "Store.delete_file = die\n"
        "from systemadmin.services.backups import prune_backups\n"
        "prune_backups()\n"
    )
    own_database.manage("shell", "-c", script, expect=-signal.SIGKILL)
    backup.refresh_from_db()
    assert backup.status == "complete"
    found = import_backups()
    assert [row.pk for row in found.missing] == [backup.pk]
    assert found.incomplete, "the files left behind are named"


# -- the machine -----------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A disk of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(own_database, people, much, small_disk, settings):
    settings.BACKUP_PASSPHRASE = ""
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": small_disk},
        },
    }
    filler = small_disk / "filler"
    filler.write_bytes(os.urandom(1_900_000))
    with pytest.raises(BackupFailed, match="No space left"):
        create_backup()
    row = Backup.objects.get()
    assert (row.status, row.error_code) == ("failed", "store_failed")
    assert [p for p in small_disk.rglob("*") if p.is_file()] == [filler], "nothing is left behind"
    assert open_alerts("backup.failed").exists()


def test_a_critical_act_does_not_start_without_its_backup(own_database, own_place):
    (own_place / "backups").rmdir() if (own_place / "backups").exists() else None
    (own_place / "backups").write_text("a file where a folder should be")
    with pytest.raises((BackupFailed, OSError)):
        backup_before("erasure")


def test_the_database_is_gone(own_database, people, backup):
    names = set(User.objects.values_list("username", flat=True))
    own_database.wrapper.close()
    if own_database.is_postgres:
        with open_vault().engine.admin() as admin:
            admin.execute(f'DROP DATABASE "{own_database.name}" WITH (FORCE)')
    else:
        for ending in ("", "-wal", "-shm"):
            Path(own_database.name + ending).unlink(missing_ok=True)
    said = own_database.manage("dbrestore", "--rescue", "--confirm", own_database.typed)
    assert f"Restored {backup.name}" in said
    assert set(User.objects.values_list("username", flat=True)) == names
    # The row of this very backup said "running" in its own dump.
    assert Backup.objects.get().status == "complete"


def test_the_database_is_garbage(own_database, people, backup):
    if own_database.is_postgres:
        pytest.skip("a file of SQLite can be overwritten, a PostgreSQL server's cannot")
    own_database.wrapper.close()
    Path(own_database.name).write_bytes(os.urandom(20_000))
    for ending in ("-wal", "-shm"):
        Path(own_database.name + ending).unlink(missing_ok=True)
    said = own_database.manage("dbrestore", "--rescue", "--confirm", own_database.typed)
    assert "kept as" in said
    assert User.objects.count() == 5


def test_a_fresh_machine(own_database, people, backup):
    """No rows, only the files and the passphrase."""
    name = backup.name
    Backup.objects.all().delete()
    said = own_database.manage("import_backups")
    assert f"imported {name}" in said
    row = Backup.objects.get()
    assert (row.status, row.trigger, row.rows) == ("complete", "import", backup.rows)
    assert "verified" in own_database.manage("verify_backup", name)


# -- the clock -------------------------------------------------------------------------


def test_a_missed_run_is_noticed_told_and_made_up_for(own_database):
    run_schedule()
    late = open_alerts("backup.late").get()
    assert late.severity == "critical"
    queued = Backup.objects.get(trigger="schedule")
    assert queued.status == "queued"
    run_schedule()
    assert Backup.objects.filter(trigger="schedule").count() == 1
    from systemadmin.foundation.queue import drain

    drain()
    queued.refresh_from_db()
    assert queued.status == "complete"
    run_schedule()
    assert not open_alerts("backup.late").exists()


# -- secrets ---------------------------------------------------------------------------


def test_no_secret_in_process_lists_rows_or_logs(own_database, own_place, much):
    child = own_database.command("dbbackup", LOG_DIR=str(own_place / "logs"))
    seen = set()
    while child.poll() is None:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(entry.read_bytes())
            except OSError:
                continue
        time.sleep(0.01)
    said = "".join(child.communicate())
    assert child.returncode == 0, said
    assert any(b"dbbackup" in line for line in seen)
    if own_database.is_postgres:
        assert any(b"pg_dump" in line for line in seen)
    secret = SECRET.encode()
    assert not [line for line in seen if secret in line]
    assert SECRET not in said
    for log in (own_place / "logs").glob("*"):
        assert secret not in log.read_bytes()
    rows = own_database.run("SELECT * FROM systemadmin_backup")
    rows += own_database.run("SELECT * FROM systemadmin_auditentry")
    assert SECRET not in repr(rows)


def test_errors_of_drivers_are_not_shown(own_database, monkeypatch):
    """Their texts hold connection strings."""

    def refuse(self, write):
        raise RuntimeError("could not connect to postgres://user:hunter2@db/atalaya")

    monkeypatch.setattr(type(open_vault().engine), "dump", refuse)
    with pytest.raises(BackupFailed) as raised:
        create_backup()
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in Backup.objects.get().error
    assert "hunter2" not in repr(list(Alert.objects.values()))


def test_manifests_of_other_installations_are_refused(own_database, backup, own_place, settings):
    settings.BACKUP_PASSPHRASE = ""
    settings.SECRET_KEY = "another installation's key"
    found = import_backups()
    assert found.imported == []
    with pytest.raises(BackupError):
        open_vault().manifest(backup.name)
    assert manifests.VERSION == 1
    assert storages["backups"].exists(backup.name + SUFFIX)
