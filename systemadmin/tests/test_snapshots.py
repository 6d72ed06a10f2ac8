"""What is read in one snapshot agrees, whatever is written meanwhile."""

import contextlib

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite
from django.db.utils import DatabaseError

from systemadmin.foundation.snapshots import read_snapshot, snapshot_download
from systemadmin.models import User
from systemadmin.tests.factories import UserFactory


@contextlib.contextmanager
def another(alias):
    """A second connection to the same database."""
    second = connections[alias].copy()
    try:
        yield second
    finally:
        second.close()


@pytest.fixture
def file_database(tmp_path):
    """A SQLite file as the settings make one, beside the suite's own database."""
    own = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": tmp_path / "snap.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    }
    given = {**connections[DEFAULT_DB_ALIAS].settings_dict, **own}
    # An alias that test cases let pass.
    connections["snap"] = SQLite(given, alias=NO_DB_ALIAS)
    try:
        with connections["snap"].cursor() as cursor:
            cursor.execute("CREATE TABLE coin (id integer)")
        yield "snap"
    finally:
        connections["snap"].close()
        del connections["snap"]


def count(alias, table):
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return cursor.fetchone()[0]


@pytest.mark.django_db
class TestOnSQLite:
    def test_keeps_its_view_and_lets_writers_go_on(self, file_database):
        with another("snap") as second, read_snapshot("snap"):
            assert count("snap", "coin") == 0
            with second.cursor() as cursor:
                cursor.execute("INSERT INTO coin VALUES (1)")
            assert count("snap", "coin") == 0
        assert count("snap", "coin") == 1

    def test_refuses_to_write_and_lets_go_of_that_afterwards(self, file_database):
        with (
            pytest.raises(DatabaseError),
            read_snapshot("snap"),
            connections["snap"].cursor() as cursor,
        ):
            cursor.execute("INSERT INTO coin VALUES (1)")
        with connections["snap"].cursor() as cursor:
            cursor.execute("INSERT INTO coin VALUES (2)")
        assert connections["snap"].transaction_mode == "IMMEDIATE"
        assert count("snap", "coin") == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestOnPostgreSQL:
    def test_keeps_its_view(self):
        with another(DEFAULT_DB_ALIAS) as second, read_snapshot():
            before = count(DEFAULT_DB_ALIAS, "django_content_type")
            with second.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO django_content_type (app_label, model) VALUES ('snap', 'shot')"
                )
            assert count(DEFAULT_DB_ALIAS, "django_content_type") == before
        assert count(DEFAULT_DB_ALIAS, "django_content_type") == before + 1

    def test_refuses_to_write(self):
        with pytest.raises(DatabaseError), read_snapshot():
            UserFactory()


@pytest.mark.django_db(transaction=True)
def test_is_refused_where_earlier_statements_have_another_view():
    with transaction.atomic(), pytest.raises(RuntimeError), read_snapshot():
        pass


@pytest.mark.django_db
def test_one_inside_another_is_the_same():
    with read_snapshot(), read_snapshot():
        assert User.objects.count() == 0
    assert UserFactory().pk


@pytest.mark.django_db
def test_a_download_is_whole_or_an_error():
    def lines():
        yield "one\n"
        yield f"{User.objects.count()}\n"

    answer = snapshot_download(lines, name="a.txt", content_type="text/plain")
    assert b"".join(answer.streaming_content) == b"one\n0\n"
    assert answer["Content-Length"] == "6"

    def broken():
        yield "one\n"
        raise ValueError

    with pytest.raises(ValueError):
        snapshot_download(broken, name="a.txt", content_type="text/plain")
    assert connection.in_atomic_block
