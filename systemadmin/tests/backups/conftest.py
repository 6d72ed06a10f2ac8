"""A place for backups of each test's own, and databases that nobody else uses."""

import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connections
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from systemadmin.backups.vault import open_vault

SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def own_place(settings, tmp_path):
    """Backups, media, locks and flags of this test alone."""
    folder = tmp_path / "var"
    folder.mkdir()
    settings.VAR_DIR = folder
    settings.REDIS_URL = ""
    settings.BACKUP_PASSPHRASE = SECRET
    settings.BACKUP_BEFORE_CRITICAL = True
    file_system = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": file_system, "OPTIONS": {"location": folder / "media"}},
        "private": {"BACKEND": file_system, "OPTIONS": {"location": folder / "private"}},
        "backups": {"BACKEND": file_system, "OPTIONS": {"location": folder / "backups"}},
    }
    return folder


@pytest.fixture
def stored(own_place):
    """`stored()`: names of the files in the storage of backups, sorted."""

    def names():
        return sorted(storages["backups"].listdir("")[1])

    return names


class OwnDatabase:
    """A migrated database of one test: for this process, and for child processes by its URL."""

    def __init__(self, wrapper, folder):
        self.wrapper = wrapper
        self.folder = folder
        self.is_postgres = wrapper.vendor == "postgresql"
        self.name = str(wrapper.settings_dict["NAME"])
        if self.is_postgres:
            self.url = django_settings.DATABASE_URL.rsplit("/", 1)[0] + "/" + self.name
        else:
            self.url = f"sqlite:///{self.name}"

    @property
    def typed(self):
        """What a restore wants typed."""
        return self.name if self.is_postgres else Path(self.name).name

    def raw(self):
        """A driver connection that Django knows nothing of."""
        if self.is_postgres:
            return psycopg.connect(self.url, autocommit=True)
        connection = sqlite3.connect(self.name, timeout=60, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        return connection

    def run(self, query, *parameters):
        with closing(self.raw()) as connection:
            cursor = connection.execute(
                query if self.is_postgres else query.replace("%s", "?"), parameters
            )
            return cursor.fetchall() if cursor.description else None

    def tables(self):
        """Counts and checksums of every table, by the machinery's own reckoning."""
        return open_vault().engine.tables()

    def environment(self, **more):
        variables = {
            **os.environ,
            "DATABASE_URL": self.url,
            "VAR_DIR": str(self.folder),
            "BACKUP_DIR": str(self.folder / "backups"),
            "BACKUP_PASSPHRASE": SECRET,
            "BACKUP_BEFORE_CRITICAL": "1",
            "DJANGO_SECRET_KEY": django_settings.SECRET_KEY,
            "DJANGO_DEBUG": "1",
            "LOG_DIR": "",
            "REDIS_URL": "",
        }
        return {**variables, **{name: str(value) for name, value in more.items()}}

    def command(self, *arguments, **environment):
        """Start `manage.py …` in a process of its own."""
        return subprocess.Popen(
            [sys.executable, str(Path(django_settings.BASE_DIR) / "manage.py"), *arguments],
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stuck(self, after, *command, **environment):
        """Start a command that stands still once it has come through the function `after`."""
        script = (
            "import time\n"
            "from django.core.management import call_command\n"
            "from django.utils.module_loading import import_string\n"
            f"owner, _, name = {after!r}.rpartition('.')\n"
            "try:\n    owner = import_string(owner)\n"
            "except ImportError:\n    owner = __import__(owner, fromlist=['x'])\n"
            "through = getattr(owner, name)\n"
            "def stop(*args, **options):\n"
            "    through(*args, **options)\n"
            "    time.sleep(600)\n"
            "setattr(owner, name, stop)\n"
            f"call_command({', '.join(map(repr, command))})\n"
        )
        return self.command("shell", "-c", script, **environment)

    def manage(self, *arguments, expect=0, **environment):
        """Run `manage.py …` to its end and give back what it said."""
        child = self.command(*arguments, **environment)
        output, errors = child.communicate(timeout=600)
        assert child.returncode == expect, output + errors
        return output + errors


def _use(shared, name):
    """Make a database of that name Django's default one; gives back the wrapper in force."""
    own = shared.copy()
    own.settings_dict["NAME"] = str(name)
    connections["default"] = own
    return own


def _new_database(name, template):
    with _server() as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def _exists(name):
    with _server() as server:
        found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    return found is not None


def _rename_database(name, new_name):
    with _server() as server:
        server.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(name), sql.Identifier(new_name)
            )
        )


@pytest.fixture(scope="session")
def template(django_db_setup, django_db_blocker, tmp_path_factory, used_databases):
    """The suite's own migrated database, to copy from: migrating anew takes half a minute."""
    shared = connections["default"]
    with django_db_blocker.unblock():
        if shared.vendor == "postgresql":
            if name := shared.settings_dict["TEST"].get("TEMPLATE"):
                return name
            name = f"backup_template_{uuid.uuid4().hex[:10]}"
            _new_database(name, "template1")
            used_databases.append(name)
        else:
            name = str(tmp_path_factory.mktemp("template") / "template.sqlite3")
            if shared.introspection.table_names():
                with closing(sqlite3.connect(name)) as copy:
                    shared.connection.backup(copy)
                return name
        # None of the tests that were chosen needs the suite's own database.
        own = _use(shared, name)
        call_command("migrate", verbosity=0)
        own.close()
        connections["default"] = shared
    return name


@pytest.fixture(scope="session")
def used_databases():
    """Names of databases to drop at the end: each drop waits for a checkpoint, and the first
    one leaves little to write for the others."""
    names = []
    yield names
    for name in names:
        _drop_all(name)


@pytest.fixture
def own_database(template, used_databases, django_db_blocker, own_place, settings):
    """Django's default database is, for this test, one that no other test can see."""
    # No transaction around the test, and no flush after it: nobody else sees this database.
    with django_db_blocker.unblock():
        shared = connections["default"]
        if shared.vendor == "postgresql":
            name = f"backup_test_{uuid.uuid4().hex[:10]}"
            _new_database(name, template)
            used_databases.append(name)
        else:
            name = str(own_place / "own.sqlite3")
            shutil.copyfile(template, name)
        database = OwnDatabase(_use(shared, name), own_place)
        settings.DATABASE_URL = database.url
        yield database
        connections["default"].close()
        connections["default"] = shared


def step_by_step(database):
    """Return an executor that goes by the single migrations, not by those that stand for many."""
    executor = MigrationExecutor(database)
    executor.loader = MigrationLoader(database, replace_migrations=False)
    return executor


def newest_single_migrations(executor):
    """The last migration of each app, without those that stand for many."""
    found = executor.loader.disk_migrations
    return list(
        {app: (app, name) for app, name in sorted(found) if not found[app, name].replaces}.values()
    )


@pytest.fixture
def newer_release(monkeypatch):
    """`newer_release(operation)`: from now on each app of ours has one more migration."""

    def arrive(operation):
        load, leaves = MigrationLoader.load_disk, MigrationLoader(None).graph.leaf_nodes()

        def load_disk(loader):
            load(loader)
            for app, newest in leaves:
                if is_ours(app):
                    migration = Migration("9000_newer", app)
                    migration.dependencies = [(app, newest)]
                    migration.operations = [operation]
                    loader.disk_migrations[app, migration.name] = migration

        monkeypatch.setattr(MigrationLoader, "load_disk", load_disk)

    return arrive


def is_ours(label):
    return Path(apps.get_app_config(label).path).parent == django_settings.BASE_DIR


def _server():
    return psycopg.connect(
        django_settings.DATABASE_URL.rsplit("/", 1)[0] + "/postgres", autocommit=True
    )


def _drop_all(stem):
    with _server() as server:
        rows = server.execute("SELECT datname FROM pg_database").fetchall()
        for (name,) in rows:
            if name.startswith(stem):
                server.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )


@pytest.fixture
def people(own_database):
    """A few accounts, so that there is something to lose."""
    from systemadmin.tests.factories import UserFactory

    return UserFactory.create_batch(5)
