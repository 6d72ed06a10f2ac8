"""Properties of the database that no dump holds are the same after a restore as before."""

import re
import subprocess
import uuid
from contextlib import closing

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from systemadmin import audit
from systemadmin.backups.engines.postgres import stored_properties as postgres_properties
from systemadmin.backups.engines.postgres import swap as postgres_swap
from systemadmin.backups.engines.postgres.engine import PostgresEngine
from systemadmin.backups.engines.postgres.properties import Grant, Setting, split_list
from systemadmin.backups.errors import BackupError, PropertiesNotSet
from systemadmin.backups.restore.without_database import restore_without_database
from systemadmin.backups.vault import open_vault
from systemadmin.foundation.queue import drain
from systemadmin.models import AuditEntry, Backup, Restore, User
from systemadmin.services.backups import create_backup, request_restore, restore_backup

postgres_only = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only")

# Lists of quoted names, and lists that are one text to the server.
LISTS = {
    "search_path": ["public", "reporting", "$user", 'Odd "name", with a comma'],
    "session_preload_libraries": ["auto_explain", "$libdir/pg_trgm"],
    "temp_tablespaces": ["pg_default", ""],
    "datestyle": ["ISO, DMY"],
    "wal_consistency_checking": ["heap, btree"],
}


# -- pure ------------------------------------------------------------------------------

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


def stored(elements):
    """As the server stores a list."""
    return ", ".join('"' + element.replace('"', '""') + '"' for element in elements)


@given(st.lists(names, max_size=5), st.booleans())
def test_a_stored_list_is_split_into_the_elements_it_was_made_of(elements, fold):
    assert split_list(stored(elements), fold=fold) == elements


def test_elements_without_quotes_are_names():
    assert split_list('Public,reporting, "Odd"', fold=True) == ["public", "reporting", "Odd"]
    assert split_list("$libdir/One", fold=False) == ["$libdir/One"]
    assert split_list("", fold=True) == []
    one, two = Setting("", "search_path", ""), Setting("", "search_path", '""')
    assert one.meaning() == two.meaning()
    assert Setting("", "DateStyle", "ISO, DMY").meaning()[2] == "ISO, DMY"


def test_whoever_grants_has_been_granted_the_option_before():
    first = Grant("owner", "ana", "CONNECT", True)
    second = Grant("ana", "berta", "CONNECT", True)
    third = Grant("berta", "", "CONNECT", False)
    found = postgres_properties.in_order((third, second, first), "owner")
    assert found == [first, second, third]


# -- on a server -----------------------------------------------------------------------


def server(database="postgres"):
    return psycopg.connect(
        settings.DATABASE_URL.rsplit("/", 1)[0] + f"/{database}", autocommit=True
    )


@pytest.fixture
def roles(own_database):
    """Two roles of this test, gone afterwards with all that they were granted."""
    made = [f"rst_{uuid.uuid4().hex[:8]}" for _ in range(2)]
    with server() as session:
        for name in made:
            session.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    yield made
    with server() as session:
        rows = session.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s AND datallowconn",
            [own_database.name + "%"],
        ).fetchall()
    for (name,) in rows:
        with server(name) as session:
            for role in made:
                session.execute(
                    sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(sql.Identifier(role))
                )
                session.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
    with server() as session:
        for role in made:
            session.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def give_properties(database, roles):
    """One of every kind that `pg_dump --create` writes."""
    one, two = map(sql.Identifier, roles)
    name = sql.Identifier(database.name)
    with server(database.name) as session:

        def run(statement, *values):
            session.execute(sql.SQL(statement).format(*values))

        run("CREATE SCHEMA reporting")
        run("CREATE TABLE reporting.figure (id int PRIMARY KEY, label text)")
        run("INSERT INTO reporting.figure VALUES (1, 'one')")
        run("ALTER TABLE reporting.figure OWNER TO {}", one)
        run("CREATE EXTENSION pg_trgm SCHEMA reporting")
        run("GRANT USAGE ON SCHEMA reporting TO {}", two)
        for key, elements in LISTS.items():
            values = sql.SQL(", ").join(map(sql.Literal, elements))
            run("ALTER DATABASE {} SET {} = {}", name, sql.Identifier(key), values)
        run('ALTER DATABASE {} SET "shop.motto" = {}', name, sql.Literal('it\'s, "all" \\ here'))
        run("ALTER DATABASE {} SET statement_timeout = '90s'", name)
        run("ALTER ROLE {} IN DATABASE {} SET search_path = reporting, public", one, name)
        run("ALTER ROLE {} IN DATABASE {} SET local_preload_libraries = 'a, b', c", two, name)
        run("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC", name)
        run("GRANT CONNECT ON DATABASE {} TO {} WITH GRANT OPTION", name, one)
        session.execute(sql.SQL("SET ROLE {}").format(one))
        run("GRANT CONNECT ON DATABASE {} TO {}", name, two)
        session.execute("RESET ROLE")
        run("COMMENT ON DATABASE {} IS {}", name, sql.Literal("the shop's own, 'quoted'"))
        run("ALTER DATABASE {} CONNECTION LIMIT 90", name)
        run("SELECT lo_from_bytea(4242, 'large'::bytea)")
        run("COMMENT ON LARGE OBJECT 4242 IS 'a picture'")


def shape(database):
    """Schema, settings and grants as `pg_dump --create` writes them."""
    said = subprocess.run(
        ["pg_dump", "--create", "--schema-only", "--blobs", database.url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # A condition over a list of texts is written in another form once it has been loaded again.
    left_out = re.compile(r"\\(un)?restrict|.* CHECK \(|.*ARRAY\[")
    return [line for line in said.splitlines() if not left_out.match(line)]


@pytest.fixture
def in_place(monkeypatch, request):
    if request.param == "in_place":
        monkeypatch.setattr(PostgresEngine, "may_swap", lambda _engine: False)
    return request.param


def by_api(backup, typed):
    request_restore(actor=None, backup=backup, confirm=typed, passed_second_factor=True)
    drain()
    return Restore.objects.get()


WAYS = {
    "command": lambda database, backup: database.manage(
        "restore_backup", backup.name, "--emergency", "--confirm", database.typed
    ),
    "api": lambda database, backup: by_api(backup, database.typed),
}


@postgres_only
@pytest.mark.slow
@pytest.mark.parametrize(
    ("in_place", "way"),
    [("swap", "command"), ("in_place", "api")],
    indirect=["in_place"],
)
def test_schema_settings_and_grants_are_the_same_after_a_restore(
    own_database, people, roles, in_place, way
):
    own_database.manage("setup")
    give_properties(own_database, roles)
    backup = create_backup()
    before = shape(own_database)
    assert any("ALTER DATABASE" in line and "search_path" in line for line in before)
    User.objects.create(username="later")
    audit.record("systemadmin.test.after", reason="written after the backup")

    WAYS[way](own_database, backup)

    connection.close()
    done = Restore.objects.get()
    assert (done.status, done.method) == ("done", in_place)
    assert shape(own_database) == before
    assert User.objects.count() == 5
    assert AuditEntry.objects.filter(action="systemadmin.test.after").exists()
    assert Backup.objects.filter(trigger="safety").exists()
    with closing(own_database.raw()) as session:
        path = session.execute("SHOW search_path").fetchone()[0]
        assert path.startswith("public, reporting")
        assert session.execute("SELECT lo_get(4242)").fetchone()[0] == b"large"
        assert session.execute("SELECT label FROM figure").fetchall() == [("one",)]


class AppRole:
    """A role that owns the database and what is in it, with CREATEDB or without."""

    def __init__(self, database, name, *, createdb):
        self.database, self.name, self.password = database, name, uuid.uuid4().hex
        role = sql.Identifier(name)
        with server(database.name) as session:
            session.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {} {}").format(
                    role, sql.Literal(self.password), sql.SQL("CREATEDB" if createdb else "")
                )
            )
            session.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(database.name), role)
            )
            from systemadmin.backups.engines.postgres import in_place as postgres_in_place

            for kind, item, _owned in postgres_in_place._objects(session):
                session.execute(
                    sql.SQL("ALTER {} {} OWNER TO {}").format(sql.SQL(kind), sql.SQL(item), role)
                )

    @property
    def url(self):
        host = self.database.url.rpartition("@")[2]
        return f"postgres://{self.name}:{self.password}@{host}"


def restore_as(role, backup, *, expect=0):
    connection.close()
    return role.database.manage(
        "restore_backup",
        "--emergency",
        backup.name,
        "--confirm",
        role.database.typed,
        expect=expect,
        DATABASE_URL=role.url,
    )


def run_as_superuser(database, statement, *values):
    with server(database.name) as session:
        session.execute(sql.SQL(statement).format(sql.Identifier(database.name), *values))


# What a superuser does, and what takes it back.
SUPERUSERS_OWN = {
    "CREATE EXTENSION pg_stat_statements": "DROP EXTENSION pg_stat_statements",
    "ALTER DATABASE {0} SET log_min_duration_statement = '1s'": "ALTER DATABASE {0} RESET ALL",
    "ALTER ROLE {1} IN DATABASE {0} SET work_mem = '8MB'": (
        "ALTER ROLE {1} IN DATABASE {0} RESET ALL"
    ),
}


@postgres_only
@pytest.mark.slow
def test_what_only_a_superuser_can_set_again_stays_where_it_is(
    own_database, people, roles, monkeypatch
):
    """The role could make a database beside the live one, but not with all that this one has."""
    own_database.manage("setup")
    role, other = AppRole(own_database, roles[0], createdb=True), sql.Identifier(roles[1])
    with monkeypatch.context() as patch:
        for key, value in (("USER", role.name), ("PASSWORD", role.password)):
            patch.setitem(connection.settings_dict, key, value)
        assert open_vault().engine.obstacle_to_swap() == ""
        for statement, undo in SUPERUSERS_OWN.items():
            run_as_superuser(own_database, statement, other)
            assert "cannot be " in open_vault().engine.obstacle_to_swap(), statement
            run_as_superuser(own_database, undo, other)
    for statement in SUPERUSERS_OWN:
        run_as_superuser(own_database, statement, other)
    backup = create_backup()
    before = shape(own_database)

    said = restore_as(role, backup)

    done = Restore.objects.get()
    assert (done.status, done.method) == ("done", "in_place"), said
    assert any(warning.startswith("restored in place: ") for warning in done.warnings)
    assert shape(own_database) == before


@postgres_only
@pytest.mark.slow
def test_a_role_with_createdb_swaps_and_keeps_its_own_settings(own_database, people, roles):
    own_database.manage("setup")
    role = AppRole(own_database, roles[0], createdb=True)
    with psycopg.connect(role.url, autocommit=True) as session:
        name = sql.Identifier(own_database.name)
        session.execute(sql.SQL("ALTER DATABASE {} SET search_path = public, other").format(name))
        session.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))
        session.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(roles[1]))
        )
    backup = create_backup()
    before = shape(own_database)

    restore_as(role, backup)

    assert Restore.objects.get().method == "swap"
    assert shape(own_database) == before


@postgres_only
@pytest.mark.slow
def test_what_can_be_restored_in_neither_way_is_refused_before_anything_is_touched(
    own_database, people, roles
):
    role = AppRole(own_database, roles[0], createdb=True)
    run_as_superuser(own_database, "ALTER DATABASE {} SET log_min_duration_statement = '1s'")
    with server(own_database.name) as session:
        session.execute("CREATE TABLE dba_notes (id int)")
    backup = create_backup()

    said = restore_as(role, backup, expect=1)

    assert "log_min_duration_statement" in said
    assert "dba_notes" in said
    row = Restore.objects.get()
    assert (row.status, row.error_code, row.method) == ("failed", "properties_not_set", "in_place")
    assert row.safety_backup is None
    assert User.objects.count() == 5


@postgres_only
@pytest.mark.slow
def test_a_property_changed_during_the_restore_undoes_the_swap(own_database, people, monkeypatch):
    backup = create_backup()
    User.objects.create(username="later")
    prepare = postgres_swap.prepare

    def prepare_and_change(engine, scratch):
        said = prepare(engine, scratch)
        if "_restore_" in scratch.name:
            run_as_superuser(own_database, "ALTER DATABASE {} SET work_mem = '9MB'")
        return said

    monkeypatch.setattr(postgres_swap, "prepare", prepare_and_change)
    with pytest.raises(PropertiesNotSet, match="work_mem"):
        restore_backup(backup=backup, confirm=own_database.typed)

    assert User.objects.filter(username="later").exists()
    row = Restore.objects.get()
    assert (row.status, row.method, row.error_code) == ("failed", "swap", "properties_not_set")
    with closing(own_database.raw()) as session:
        assert session.execute("SHOW work_mem").fetchone() == ("9MB",)


@postgres_only
@pytest.mark.slow
def test_a_database_that_is_gone_gets_its_properties_from_the_backup(own_database, people, roles):
    own_database.manage("setup")
    give_properties(own_database, roles)
    backup = create_backup()
    before = shape(own_database)
    connection.close()
    with server() as session:
        session.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(own_database.name))
        )
    restore_without_database(backup.name, own_database.typed)
    assert shape(own_database) == before


@postgres_only
@pytest.mark.slow
def test_large_objects_do_not_end_the_one_transaction_of_a_restore_in_place(
    own_database, people, monkeypatch
):
    """Their part of a dump holds BEGIN and COMMIT: what fails later was committed by that."""
    monkeypatch.setattr(PostgresEngine, "may_swap", lambda _engine: False)
    with server(own_database.name) as session:
        session.execute("SELECT lo_from_bytea(777, 'old'::bytea)")
    backup = create_backup()
    with server(own_database.name) as session:
        session.execute("SELECT lo_put(777, 0, 'new'::bytea)")
        session.execute("INSERT INTO systemadmin_systemconfig VALUES ('x', '1', now())")
    monkeypatch.setattr(
        "systemadmin.backups.restore.in_place_process.pack",
        lambda manifest: open_vault_pack(manifest).replace('"rows": 5}', '"rows": 6}'),
    )
    with pytest.raises(BackupError, match="not what was dumped"):
        restore_backup(backup=backup, confirm=own_database.typed)
    with closing(own_database.raw()) as session:
        assert session.execute("SELECT lo_get(777)").fetchone()[0] == b"new"
        assert session.execute("SELECT count(*) FROM systemadmin_systemconfig").fetchone()[0] > 0
    monkeypatch.undo()


def open_vault_pack(manifest):
    from systemadmin.backups.format.manifest import pack

    return pack(manifest)


@postgres_only
@pytest.mark.slow
def test_the_manifest_holds_the_properties(own_database):
    run_as_superuser(own_database, "COMMENT ON DATABASE {} IS 'hello'")
    manifest = open_vault().manifest(create_backup().name)
    assert manifest.properties["comment"] == "hello"
