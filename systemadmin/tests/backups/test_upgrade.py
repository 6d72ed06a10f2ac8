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
from django.db.migrations import RunPython
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from systemadmin.backups import upgrade
from systemadmin.backups.catalogue import import_backups
from systemadmin.backups.records import drop_connections
from systemadmin.backups.vault import open_vault
from systemadmin.models import AuditEntry, Backup, User
from systemadmin.services.installation import current_installation
from systemadmin.tests.backups.conftest import (
    OwnDatabase,
    _drop_all,
    _exists,
    _new_database,
    _rename_database,
    _use,
    newest_single_migrations,
    step_by_step,
)
from systemadmin.tests.migrated import digest_of_migrations, one_at_a_time

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
def old_template(django_db_setup, django_db_blocker):
    """A database of the first release's schema, to copy from; parallel workers make it once."""
    shared = connections["default"]
    digest = f"{digest_of_migrations()}_old"
    with django_db_blocker.unblock(), one_at_a_time(digest) as folder:
        if shared.vendor == "postgresql":
            name = f"backup_old_{digest}"
            if not _exists(name):
                partial = f"{name}_partial"
                _drop_all(partial)
                _new_database(partial, "template1")
                with_old_schema(shared, partial)
                _rename_database(partial, name)
            return name
        path = folder / f"{digest}.sqlite3"
        if not path.exists():
            partial = path.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            with_old_schema(shared, str(partial))
            partial.rename(path)
        return str(path)


def with_old_schema(shared, name):
    """Migrate the database of that name as far as the first release went."""
    own = _use(shared, name)
    try:
        executor = step_by_step(own)
        leaves = newest_single_migrations(executor)
        executor.migrate([(app, OLD.get(app, last)) for app, last in leaves])
    finally:
        own.close()
        connections["default"] = shared


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
    old = step_by_step(connection).loader.project_state([*OLD.items()]).apps
    old.get_model("systemadmin", "User").objects.create(username="from.before")
    old.get_model("systemadmin", "AuditEntry").objects.create(
        occurred_at=timezone.now(), action="test.before"
    )


def pending():
    executor = MigrationExecutor(connection)
    return executor.migration_plan(executor.loader.graph.leaf_nodes())


def shape(database):
    """Return what a database's tables are made of, in no order."""
    found = set()
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            for column in database.introspection.get_table_description(cursor, table):
                found.add((table, column.name, column.type_code, column.null_ok))
            for name, about in database.introspection.get_constraints(cursor, table).items():
                # Names of foreign keys and of unnamed constraints hold a number of their own.
                kinds = ("primary_key", "unique", "foreign_key", "check", "index")
                columns = about["columns"] or [name]
                if about["primary_key"]:  # SQLite tells them in the order of the table's columns
                    columns = sorted(columns)
                found.add((table, *columns, *(str(about.get(kind)) for kind in kinds)))
        cursor.execute(TRIGGERS[database.vendor])
        found |= set(cursor.fetchall())
    return found


TRIGGERS = {
    "postgresql": "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal",
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
}


def test_an_old_schema_is_backed_up_migrated_and_the_backup_catalogued(
    old_database, template, capsys
):
    waiting = len(pending())
    assert waiting > 5

    call_command("migrate_safely", verbosity=0)

    assert not pending()
    as_new = connection.copy()
    as_new.settings_dict["NAME"] = template
    assert shape(connection) == shape(as_new)
    as_new.close()
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


def test_a_failed_migration_leaves_the_backup_and_says_how_to_go_back(
    own_database, people, newer_release
):
    def fail(apps, schema_editor):
        raise DatabaseError("relation is locked")

    newer_release(RunPython(fail))
    with pytest.raises(CommandError) as refused:
        call_command("migrate_safely", verbosity=0)

    (name,) = open_vault().store.names()
    way_back = f"restore_backup {name} --rescue --confirm {own_database.typed}"
    assert way_back in str(refused.value)
    assert "DatabaseError: relation is locked" in str(refused.value)
    drop_connections()
    # This code, mended, does what the older one would.
    own_database.manage(*way_back.split())
    assert User.objects.count() == 5
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
