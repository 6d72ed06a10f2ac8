"""Point-in-time recovery: the recipe of docs/backups.md on a real cluster of its own."""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from systemadmin.tests.ports import free_port

pytestmark = pytest.mark.slow


def binaries():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    return Path(path).parent if path else None


BIN = binaries()


class Cluster:
    """A server of the test's own: initdb refuses root, so it runs as postgres then."""

    def __init__(self, folder):
        self.folder = folder
        self.data, self.archive = folder / "data", folder / "archive"
        self.archive.mkdir()
        self.port = free_port()
        self.as_user = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (folder, self.archive):
                os.chown(path, user.pw_uid, user.pw_gid)
            self.as_user = ["runuser", "-u", "postgres", "--"]

    def tool(self, name, *arguments):
        done = subprocess.run(
            [*self.as_user, str(BIN / name), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.folder,
        )
        log = self.folder / "log"
        text = log.read_text()[-3000:] if log.exists() else ""
        assert done.returncode == 0, done.stdout + done.stderr + text

    def configure(self, data, text):
        path = data / "postgresql.auto.conf"
        with path.open("a") as file:
            file.write(text)

    def start(self, data):
        self.tool("pg_ctl", "-D", data, "-w", "-t", "60", "-l", self.folder / "log", "start")

    def stop(self, data, mode="fast"):
        self.tool("pg_ctl", "-D", data, "-m", mode, "-w", "stop")

    def connect(self):
        return psycopg.connect(
            host=str(self.folder),
            port=self.port,
            user="postgres",
            dbname="postgres",
            autocommit=True,
        )

    def settings(self):
        return (
            f"port = {self.port}\nlisten_addresses = ''\n"
            f"unix_socket_directories = '{self.folder}'\n"
            "wal_level = replica\narchive_mode = on\narchive_timeout = 60\n"
            f"archive_command = 'test ! -f {self.archive}/%f && cp %p {self.archive}/%f'\n"
        )


@pytest.fixture
def cluster(tmp_path_factory):
    if BIN is None:
        pytest.skip("needs PostgreSQL's server binaries")
    # A socket's path may have 107 bytes only, and postgres must be able to walk to it.
    folder = Path("/tmp") / f"atalaya-pitr-{os.getpid()}"
    folder.mkdir(mode=0o755)
    made = Cluster(folder)
    yield made
    for data in (made.data, folder / "restored"):
        if (data / "postmaster.pid").exists():
            made.stop(data, "immediate")
    shutil.rmtree(folder)


def accounts(cluster):
    with cluster.connect() as connection:
        rows = connection.execute("SELECT name FROM account ORDER BY name").fetchall()
    return [name for (name,) in rows]


def test_back_to_the_moment_before_the_accident(cluster):
    cluster.tool("initdb", "-D", cluster.data, "-A", "trust", "-U", "postgres")
    cluster.configure(cluster.data, cluster.settings())
    cluster.start(cluster.data)
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE account (name text)")
        connection.execute("INSERT INTO account VALUES ('in the base backup')")
        base = cluster.folder / "base"
        cluster.tool(
            "pg_basebackup",
            "-D",
            base,
            "-h",
            cluster.folder,
            "-p",
            cluster.port,
            "-U",
            "postgres",
            "--checkpoint=fast",
            "--wal-method=stream",
        )
        connection.execute("INSERT INTO account VALUES ('after the base backup')")
        moment = connection.execute("SELECT clock_timestamp()::text").fetchone()[0]
        time.sleep(0.2)
        connection.execute("DROP TABLE account")
        switched = "SELECT pg_walfile_name(pg_switch_wal())"
        segment = cluster.archive / connection.execute(switched).fetchone()[0]
        deadline = time.monotonic() + 60
        while not segment.exists():
            assert time.monotonic() < deadline
            time.sleep(0.2)
    # The server dies; what is left is the base backup and the archive.
    cluster.stop(cluster.data, "immediate")

    restored = cluster.folder / "restored"
    subprocess.run(["cp", "-a", str(base), str(restored)], check=True)
    cluster.configure(
        restored,
        f"restore_command = 'cp {cluster.archive}/%f %p'\n"
        f"recovery_target_time = '{moment}'\n"
        "recovery_target_action = 'promote'\n"
        "archive_mode = off\n",
    )
    (restored / "recovery.signal").touch()
    if cluster.as_user:
        user = pwd.getpwnam("postgres")
        os.chown(restored / "recovery.signal", user.pw_uid, user.pw_gid)
    cluster.start(restored)
    deadline = time.monotonic() + 60
    with cluster.connect() as connection:
        while connection.execute("SELECT pg_is_in_recovery()").fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert accounts(cluster) == ["after the base backup", "in the base backup"]
