"""Two installations with one storage, pins in it, and clocks that are wrong."""

import fcntl
import json
import shutil
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from systemadmin.backups import pins
from systemadmin.backups.restore.without_database import restore_without_database
from systemadmin.backups.vault import open_vault
from systemadmin.errors import BackupFailed, RestoreOfAnotherInstallation
from systemadmin.models import AuditEntry, Backup, Restore, User
from systemadmin.services.backups import (
    backup_since,
    create_backup,
    import_backups,
    outlook,
    plan_retention,
    prune_backups,
    restore_backup,
    run_schedule,
    set_pinned,
)
from systemadmin.services.installation import (
    current_installation,
    known_here,
)
from systemadmin.tests.backups.conftest import OwnDatabase, _new_database
from systemadmin.tests.backups.factories import BackupFactory, grow_old


@pytest.fixture
def other(own_database, own_place, template, used_databases, tmp_path):
    """Another installation: a database and a folder of its own, the same storage and passphrase."""
    folder = tmp_path / "other"
    folder.mkdir()
    if own_database.is_postgres:
        name = f"backup_other_{uuid.uuid4().hex[:10]}"
        _new_database(name, template)
        used_databases.append(name)
    else:
        name = str(folder / "other.sqlite3")
        shutil.copyfile(template, name)
    database = OwnDatabase(own_database.wrapper, folder)
    database.name = name
    database.url = own_database.url.replace(own_database.name, name)
    # Copied from the same template, it would be the same installation.
    assert run_other(database, own_place, "installation", "--new")
    return database


def run_other(other, own_place, *command):
    return other.manage(*command, BACKUP_DIR=own_place / "backups", PUBLIC_URL="https://other.test")


def made_by(other, own_place):
    """The name of a backup that the other installation has just made."""
    before = set(open_vault().store.names())
    run_other(other, own_place, "dbbackup")
    (name,) = set(open_vault().store.names()) - before
    return name


def fates():
    return {row.name: decision.reason for row, decision in plan_retention()}


# -- two installations -----------------------------------------------------------------


@pytest.mark.slow
def test_only_its_maker_retires_a_backup(own_database, own_place, other, stored):
    own, theirs = create_backup(), made_by(other, own_place)
    import_backups()
    row = Backup.objects.get(name=theirs)
    maker = open_vault().manifest(theirs).installation
    assert (row.installation, row.installation_name) == (maker, "https://other.test")
    assert maker != current_installation() == open_vault().manifest(own.name).installation
    grow_old(row, 30)
    grow_old(own, 30)
    newest = create_backup()

    assert [gone.name for gone in prune_backups()] == [own.name]
    assert theirs not in fates()
    assert "1 of other installations" in own_database.manage("prune_backups", "--dry-run")
    assert f"{theirs} " in own_database.manage("listbackups")

    # Whatever the row says: the signed manifest counts.
    Backup.objects.filter(pk=row.pk).update(installation=current_installation())
    assert fates() == {newest.name: "daily", theirs: "made by another installation"}
    assert prune_backups() == []
    assert f"{theirs}.manifest.json" in stored()


@pytest.mark.slow
def test_another_installations_backup_is_restored_after_its_identity_was_typed(
    own_database, own_place, other, people
):
    theirs = made_by(other, own_place)
    import_backups()
    row, uid = Backup.objects.get(name=theirs), current_installation()
    maker = row.installation
    with pytest.raises(RestoreOfAnotherInstallation) as refused:
        restore_backup(backup=row, confirm=own_database.typed)
    assert refused.value.errors[0]["field"] == "confirm_installation"
    assert maker in str(refused.value.errors[0]["detail"])
    assert not Restore.objects.exists()

    done = restore_backup(backup=row, confirm=own_database.typed, confirm_installation=maker)

    assert done.status == "done"
    assert not User.objects.exists()
    assert current_installation() == uid, "a restored copy stays the installation that it was"


@pytest.mark.slow
def test_a_copy_rescued_elsewhere_becomes_another_installation(own_database, own_place, settings):
    backup, before = create_backup(), current_installation()
    restore_without_database(backup.name, own_database.typed)
    assert current_installation() == before == known_here(), "the same machine goes on as before"

    (own_place / "installation").unlink()
    _name, warnings = restore_without_database(backup.name, own_database.typed)

    assert current_installation() != before
    assert any(before in warning for warning in warnings)
    assert backup.name not in fates()
    own_database.manage("installation", "--become", before)
    assert current_installation() == before
    assert AuditEntry.objects.filter(action="systemadmin.installation.changed").exists()


@pytest.mark.django_db
def test_the_identity_can_be_configured(settings):
    settings.INSTALLATION_ID = "shop-north"
    assert current_installation() == known_here() == "shop-north"
    assert BackupFactory().installation == "shop-north"


@pytest.mark.django_db
def test_the_list_names_the_maker(as_user, staff):
    BackupFactory(name="ours")
    BackupFactory(name="theirs", installation="other", installation_name="https://other.test")
    operator = as_user(staff("operator"))
    rows = {row["name"]: row for row in operator.get("/api/admin/backups").json()["results"]}
    assert (rows["ours"]["is_own"], rows["theirs"]["is_own"]) == (True, False)
    assert rows["theirs"]["installation_name"] == "https://other.test"
    found = operator.get("/api/admin/backups?installation=other").json()["results"]
    assert [row["name"] for row in found] == ["theirs"]


@pytest.mark.django_db
def test_the_page_names_the_maker(admin_client_for, staff):
    BackupFactory(name="theirs", installation="other", installation_name="https://other.test")
    text = admin_client_for(staff("operator")).get("/admin/systemadmin/backup/").content.decode()
    assert "https://other.test" in text


@pytest.mark.django_db
def test_anothers_backup_is_no_backup_of_ours():
    """Neither the schedule nor a critical act may take it for one."""
    BackupFactory(installation="other")
    assert outlook().last is None
    assert outlook().is_late


def test_what_a_living_process_writes_is_not_swept(own_place):
    """The folder is shared, the lock of backup work is not: it is each database's own."""
    store = open_vault().store
    dead, living = store.partial_dir / "dead", store.partial_dir / "living"
    dead.write_bytes(b"x")
    with living.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert store.sweep_partials() == ["dead"]
    assert living.exists()


# -- pins ------------------------------------------------------------------------------


@pytest.mark.slow
def test_pins_outlive_the_database_and_hold_for_everybody(own_database, own_place, stored):
    backup = create_backup()
    set_pinned(actor=None, backup=backup, pinned=True)
    Backup.objects.all().delete()
    import_backups()
    row = Backup.objects.get()
    assert (row.name, row.is_pinned) == (backup.name, True)

    # Another installation pins it too; ours is taken off, and the other one holds.
    vault = open_vault()
    pins.write(
        vault.store,
        vault.signer,
        vault.signing_salt(),
        backup=row.name,
        installation="other",
        now=timezone.now(),
    )
    set_pinned(actor=None, backup=row, pinned=False)
    grow_old(row, 30)
    create_backup()
    assert fates()[row.name] == "pinned in the storage"
    assert prune_backups() == []

    pins.remove(vault.store, backup=row.name, installation="other")
    assert [gone.name for gone in prune_backups()] == [row.name]


@pytest.mark.slow
def test_a_forged_pin_makes_no_row_pinned(own_database, own_place):
    backup, uid = create_backup(), current_installation()
    forged = {"body": json.dumps({"pin": backup.name, "installation": uid}), "signature": {}}
    path = Path(storages["backups"].path(pins.name_of(backup.name, uid)))
    path.write_text(json.dumps(forged))
    Backup.objects.all().delete()
    import_backups()
    assert Backup.objects.get().is_pinned is False


@pytest.mark.django_db
def test_a_pin_that_cannot_be_stored_is_refused(as_user, staff, own_place, monkeypatch):
    backup = BackupFactory()
    monkeypatch.setattr("systemadmin.backups.store.os.replace", _full)
    answer = as_user(staff("operator")).post(f"/api/admin/backups/{backup.pk}/pin")
    assert (answer.status_code, answer.json()["code"]) == (503, BackupFailed.code)
    backup.refresh_from_db()
    assert backup.is_pinned is False


def _full(*_args):
    raise OSError(28, "No space left on device")


# -- the clock -------------------------------------------------------------------------


def a_week_of_backups():
    now = timezone.now()
    return [BackupFactory(taken_at=now - timedelta(days=6 - day, hours=1)) for day in range(7)]


@pytest.mark.django_db
@pytest.mark.parametrize("days", [8, 3653, -8, -3653])
def test_a_clock_that_jumps_expires_nothing(days, monkeypatch):
    week = a_week_of_backups()
    wrong = timezone.now() + timedelta(days=days)
    monkeypatch.setattr(timezone, "now", lambda: wrong)
    assert {fates()[row.name] for row in week} == {"daily"}
    BackupFactory(taken_at=wrong)
    assert {fates()[row.name] for row in week} == {"daily"}


@pytest.mark.django_db
@pytest.mark.parametrize("days", [8, 3653, -8, -3653])
def test_a_clock_that_jumps_starts_one_backup_and_after_it_is_right_again_one(days, monkeypatch):
    right = timezone.now()
    a_week_of_backups()
    scheduled = Backup.objects.filter(trigger="schedule")
    for moment in (right + timedelta(days=days), right):
        monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
        before = scheduled.count()
        for _round in range(3):
            run_schedule()
            for row in scheduled.filter(status="queued"):
                row.status, row.taken_at, row.size = "complete", moment, 1
                row.save()
        assert scheduled.count() == before + 1
    assert outlook().last.taken_at == right


@pytest.mark.django_db
def test_a_backup_of_a_wrong_clock_does_not_silence_the_alert():
    BackupFactory(taken_at=timezone.now() + timedelta(days=3653))
    assert outlook().is_late


@pytest.mark.slow
def test_a_backup_of_a_wrong_clock_does_not_stand_in_for_a_new_one(own_database):
    BackupFactory(taken_at=timezone.now() + timedelta(days=3653))
    made = backup_since(timezone.now() - timedelta(days=1), "before an act")
    assert made.status == "complete"
