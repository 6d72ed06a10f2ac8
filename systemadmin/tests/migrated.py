"""Test databases start from a migrated template, made once for each state of the migrations.

Running all migrations takes half a minute of computing on two cores; copying the result
takes a tenth of a second. The template is named after a digest of every migration file,
so a changed migration makes a new one.
"""

import fcntl
import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.postgresql.creation import DatabaseCreation as PostgresCreation
from django.db.backends.postgresql.operations import DatabaseOperations as PostgresOperations
from django.db.backends.sqlite3.creation import DatabaseCreation as SQLiteCreation

from systemadmin.foundation.testing import triggers_off

sql_flush = PostgresOperations.sql_flush
SET_UP_BY = ("management/commands/setup.py", "services/alert_rules.py")


def digest_of_migrations() -> str:
    """Return a digest of all that a migrated database follows from, and of Django's version.

    That is every migration in use, and what `setup` writes after them.
    """
    digest = hashlib.sha256(django.__version__.encode())
    for config in apps.get_app_configs():
        folder = Path(config.path)
        for path in sorted((folder / "migrations").glob("*.py")):
            digest.update(path.read_bytes())
        for name in ("roles.py", "schedules.py", *SET_UP_BY):
            if (folder / name).is_file() and folder.parent == settings.BASE_DIR:
                digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def one_at_a_time(name: str):
    """Hold a file lock: parallel test processes make a template once."""
    folder = Path(tempfile.gettempdir()) / "atalaya-test-templates"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder


def copy_migrated_sqlite(path: Path) -> None:
    """Write a migrated SQLite file for processes of their own, once `django_db_setup` is done."""
    digest = digest_of_migrations()
    with one_at_a_time(digest) as folder:
        shutil.copy(folder / f"{digest}.sqlite3", path)


def start_from_templates() -> None:
    """Make Django's test runner begin with the template instead of an empty database."""
    digest = digest_of_migrations()
    _patch_sqlite(digest)
    _patch_postgres(digest)
    flush_past_triggers()


def flush_past_triggers() -> None:
    """Empty the tables between tests although triggers keep the rows of record."""
    flush = BaseDatabaseOperations.execute_sql_flush

    def execute_sql_flush(self, sql_list):
        with triggers_off(self.connection):
            return flush(self, sql_list)

    BaseDatabaseOperations.execute_sql_flush = execute_sql_flush
    PostgresOperations.sql_flush = delete_from_filled


def delete_from_filled(self, style, tables, *, reset_sequences=False, allow_cascade=False):
    """Return what empties the tables: TRUNCATE of two hundred, mostly empty, takes a second."""
    if reset_sequences:
        return sql_flush(self, style, tables, reset_sequences=True, allow_cascade=allow_cascade)
    names = [self.quote_name(table) for table in tables]
    looks = [f"SELECT {n} WHERE EXISTS (SELECT 1 FROM {name})" for n, name in enumerate(names)]
    with self.connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(looks) or "SELECT 0 WHERE false")
        return [f"DELETE FROM {names[n]}" for (n,) in cursor.fetchall()]


def _patch_sqlite(digest: str) -> None:
    create = SQLiteCreation.create_test_db

    def create_test_db(self, *args, **kwargs):
        with one_at_a_time(digest) as folder:
            template = folder / f"{digest}.sqlite3"
            if self.is_in_memory_db(self._get_test_db_name()) and not template.exists():
                name = create(self, *args, **kwargs)
                _save(self.connection, template)
                return name
        original = self._create_test_db

        def create_from_template(*inner, **options):
            name = original(*inner, **options)
            self.connection.close()
            self.connection.settings_dict["NAME"] = name
            _load(self.connection, template)
            return name

        if self.is_in_memory_db(self._get_test_db_name()):
            self._create_test_db = create_from_template
        return create(self, *args, **kwargs)

    SQLiteCreation.create_test_db = create_test_db


def _save(connection, template: Path) -> None:
    partial = template.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    connection.ensure_connection()
    with sqlite3.connect(partial) as target:
        connection.connection.backup(target)
    target.close()
    partial.rename(template)


def _load(connection, template: Path) -> None:
    connection.ensure_connection()
    source = sqlite3.connect(template)
    source.backup(connection.connection)
    source.close()


def _patch_postgres(digest: str) -> None:
    create = PostgresCreation.create_test_db

    def create_test_db(self, verbosity=1, autoclobber=False, serialize=True, keepdb=False):
        template = f"atalaya_test_template_{digest}"
        with one_at_a_time(digest):
            if not keepdb and not _exists(self, template):
                name = create(self, verbosity, autoclobber, serialize, keepdb)
                self.connection.close()
                with self._nodb_cursor() as cursor:
                    cursor.execute(f'CREATE DATABASE "{template}" TEMPLATE "{name}"')
                self.connection.settings_dict["TEST"]["TEMPLATE"] = template
                return name
            if not keepdb:
                self.connection.settings_dict["TEST"]["TEMPLATE"] = template
            return create(self, verbosity, autoclobber, serialize, keepdb)

    PostgresCreation.create_test_db = create_test_db


def _exists(creation, name: str) -> bool:
    with creation._nodb_cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return cursor.fetchone() is not None
