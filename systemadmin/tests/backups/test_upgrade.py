"""Migrating with a backup made before: on the schema of an older release, and when it fails."""

import os
import shutil
import subprocess
import sys
import uuid

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections
from django.db.migrations import AddField
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from systemadmin.backups import upgrade
from systemadmin.backups.catalogue import import_backups
from systemadmin.backups.records import drop_connections
from systemadmin.backups.vault import open_vault
from systemadmin.models import AuditEntry, Backup, User
from systemadmin.services.installation import current_installation
from systemadmin.tests.backups.conftest import OwnDatabase, _new_database, _use

pytestmark = pytest.mark.slow

# The last migrations of our apps in the first release.
OLD = {
    "systemadmin": "0002_one_outbox_base",
    "riskops": "0003_link_digest",
    "support": "0004_next_due_index",
    "marketplace": "0004_one_outbox_base",
    "messaging": "0001_initial",
}


@pytest.fixture(scope="session")
def old_template(django_db_setup, django_db_blocker, tmp_path_factory, used_databases):
    """A database of the first release's schema, to copy from."""
    shared = connections["default"]
    with django_db_blocker.unblock():
        if shared.vendor == "postgresql":
            name = f"backup_old_{uuid.uuid4().hex[:10]}"
            _new_database(name, "template1")
            used_databases.append(name)
        else:
            name = str(tmp_path_factory.mktemp("old") / "old.sqlite3")
        own = _use(shared, name)
        executor = MigrationExecutor(own)
        leaves = executor.loader.graph.leaf_nodes()
        executor.migrate([(app, OLD.get(app, last)) for app, last in leaves])
        own.close()
        connections["default"] = shared
    return name


@pytest.fixture
def old_database(old_template, used_databases, django_db_blocker, own_place, settings):
    """Django's default database is one of the first release, with an account and an audit row."""
    with django_db_blocker.unblock():
        shared = connections["default"]
        if shared.vendor == "postgresql":
            name = f"backup_test_{uuid.uuid4().hex[:10]}"
            _new_database(name, old_template)
            used_databases.append(name)
        else:
            name = str(own_place / "own.sqlite3")
            shutil.copyfile(old_template, name)
        database = OwnDatabase(_use(shared, name), own_place)
        settings.DATABASE_URL = database.url
        fill_as_before()
        yield database
        connections["default"].close()
        connections["default"] = shared


def fill_as_before():
    """Rows that the first release wrote, through the models as its migrations leave them."""
    old = MigrationExecutor(connection).loader.project_state([*OLD.items()]).apps
    old.get_model("systemadmin", "User").objects.create(username="from.before")
    old.get_model("systemadmin", "AuditEntry").objects.create(
        occurred_at=timezone.now(), action="test.before"
    )


def pending():
    executor = MigrationExecutor(connection)
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


def test_an_old_schema_is_backed_up_migrated_and_the_backup_catalogued(old_database, capsys):
    waiting = len(pending())
    assert waiting > 5

    call_command("migrate_safely", verbosity=0)

    assert not pending()
    backup = Backup.objects.get()
    assert f"Backup: {backup.name}" in capsys.readouterr().out
    assert (backup.status, backup.trigger) == ("complete", "safety")
    assert backup.note == f"before {waiting} migrations"
    assert backup.installation == current_installation()
    assert "systemadmin.0003_audit_authentication" not in backup.migrations
    created = AuditEntry.objects.get(action="systemadmin.backup.created")
    assert created.target_name == backup.name
    assert User.objects.filter(username="from.before").exists()
    assert import_backups().imported == [], "it is in the catalogue"

    call_command("migrate_safely", verbosity=0)
    assert "Nothing to migrate." in capsys.readouterr().out
    assert Backup.objects.count() == 1


def test_the_backup_needs_none_of_our_tables(old_database, monkeypatch):
    """Whatever a release renames or drops, the backup before it works and writes no row."""
    editor, quote = connection.schema_editor, connection.ops.quote_name
    ours = [name for name in connection.introspection.table_names() if name in our_tables()]
    assert "systemadmin_user" in ours
    with editor() as schema:
        for name in ours:
            schema.execute(f"ALTER TABLE {quote(name)} RENAME TO {quote('was_' + name)}")
    migrated = []
    monkeypatch.setattr(upgrade, "call_command", lambda *args, **options: migrated.append(args))
    monkeypatch.setattr(upgrade, "_record", lambda manifest: None)

    with CaptureQueriesContext(connection) as queries:
        assert upgrade.migrate_safely() == len(pending())

    assert migrated == [("migrate",)]
    verbs = {query["sql"].split()[0].upper() for query in queries}
    assert not verbs & {"INSERT", "UPDATE", "DELETE"}
    manifest = open_vault().manifest(open_vault().store.names()[0])
    assert manifest.tables["was_systemadmin_user"].rows == 1


def our_tables():
    models = [model for model in apps.get_models() if model._meta.app_label in OLD]
    return {model._meta.db_table for model in models}


def test_no_backup_no_migration(old_database, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(upgrade, "create", full)
    waiting = pending()
    with pytest.raises(CommandError, match="The backup failed"):
        call_command("migrate_safely", verbosity=0)
    assert pending() == waiting


def test_a_failed_migration_leaves_the_backup_and_says_how_to_go_back(old_database, monkeypatch):
    def fail(*args, **options):
        raise DatabaseError("relation is locked")

    with monkeypatch.context() as broken:
        broken.setattr(AddField, "database_forwards", fail)
        with pytest.raises(CommandError) as refused:
            call_command("migrate_safely", verbosity=0)

    (name,) = open_vault().store.names()
    way_back = f"restore_backup {name} --rescue --confirm {old_database.typed}"
    assert way_back in str(refused.value)
    assert "DatabaseError: relation is locked" in str(refused.value)
    drop_connections()
    # This code, mended, does what the older one would.
    old_database.manage(*way_back.split())
    assert User.objects.filter(username="from.before").exists()
    assert Backup.objects.filter(name=name, status="complete").exists()


def test_an_empty_database_needs_no_backup(own_place, tmp_path):
    database = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    environment = {"DATABASE_URL": database, "VAR_DIR": own_place, "DJANGO_DEBUG": "1"}
    script = (
        "from systemadmin.backups import upgrade\n"
        "upgrade.call_command = lambda *args, **options: None\n"
        "assert upgrade.migrate_safely(report=lambda line: 1 / 0) > 50"
    )
    child = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", script],
        cwd=django_settings.BASE_DIR,
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    assert not list(own_place.rglob("atalaya-*"))
