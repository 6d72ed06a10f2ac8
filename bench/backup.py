"""Backup and restore beside plain pg_dump and pg_restore, on one database in one run.

Makes a throw-away database of the wanted size (about 2 GB with --megabytes 2000), measures
`pg_dump -Fc` and `pg_restore` with one job and with two, and `manage.py dbbackup`,
`verify_backup` and `restore_backup` over it: seconds, bytes, and the peak of resident memory of
our process and of everything it starts, read from /proc ten times a second.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python bench/backup.py [--megabytes 50]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
NAME = "backup_bench"
ROWS_PER_MEGABYTE = 5200
EVENTS = """
    CREATE TABLE bench_events AS
    SELECT g AS id, now() - g * interval '1 second' AS occurred_at, g % 100000 AS account_id,
        md5(g::text) AS device, ('10.' || g % 250 || '.' || g % 199 || '.' || g % 251)::inet AS ip,
        jsonb_build_object('path', '/listing/' || g % 5000, 'ms', g % 977) AS data,
        (g % 100000)::bigint AS amount, 'EUR' AS currency
    FROM generate_series(1, %s) g
"""


@dataclass
class Measured:
    """One command's cost."""

    name: str
    seconds: float
    peak_mb: float
    own_peak_mb: float


class Memory(threading.Thread):
    """Peak resident memory of a process, and of it with all its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.own, self.all, self.stopped = pid, 0, 0, False

    def run(self) -> None:
        while not self.stopped:
            sizes = [resident(pid) for pid in family(self.pid)]
            self.own, self.all = max(self.own, sizes[0]), max(self.all, sum(sizes))
            time.sleep(0.1)


def resident(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def family(pid: int) -> list[int]:
    found = [pid]
    for child in found:
        try:
            text = Path(f"/proc/{child}/task/{child}/children").read_text()
        except OSError:
            continue
        found += [int(number) for number in text.split()]
    return found


def measure(name: str, command: list[str], env: dict[str, str], **options: object) -> Measured:
    started = time.monotonic()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            command, env=env, stderr=said, stdout=options.get("stdout", said), cwd=ROOT
        )
        memory = Memory(child.pid)
        memory.start()
        code = child.wait()
        seconds = time.monotonic() - started
        memory.stopped = True
        memory.join()
        if code:
            said.seek(0)
            raise SystemExit(f"{name} failed: {said.read().decode(errors='replace')}")
    print(f"  {name}: {seconds:.1f} s", flush=True)
    return Measured(name, seconds, memory.all / 1024, memory.own / 1024)


def fill(url: str, megabytes: int) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(EVENTS.replace("%s", str(megabytes * ROWS_PER_MEGABYTE)))
        connection.execute("ALTER TABLE bench_events ADD PRIMARY KEY (id)")
        connection.execute("CREATE INDEX ON bench_events (account_id, occurred_at)")
        connection.execute("VACUUM ANALYZE bench_events")
        size, rows = connection.execute(
            "SELECT pg_size_pretty(pg_database_size(current_database())), count(*)"
            " FROM bench_events"
        ).fetchall()[0]
    return f"{size}, {rows} rows"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=50, help="size of the table, roughly")
    wanted = parser.parse_args()
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        print("bench/backup.py needs DATABASE_URL of a PostgreSQL server; skipped.")
        return
    url = urlsplit(server)._replace(path=f"/{NAME}").geturl()
    with psycopg.connect(server, autocommit=True) as admin:
        try:
            run(admin, url, wanted.megabytes)
        finally:
            rows = admin.execute("SELECT datname FROM pg_database").fetchall()
            for (name,) in rows:
                if name.startswith(NAME):
                    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run(admin: psycopg.Connection, url: str, megabytes: int) -> None:
    admin.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    admin.execute(f"CREATE DATABASE {NAME}")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        env = {**os.environ, "DATABASE_URL": url, "VAR_DIR": folder, "LOG_DIR": ""}
        env |= {"BACKUP_DIR": f"{folder}/backups", "BACKUP_PASSPHRASE": "bench", "REDIS_URL": ""}
        env |= {"DJANGO_DEBUG": "1", "DJANGO_SECRET_KEY": "bench"}
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "migrate", "-v0"], env=env, check=True, cwd=ROOT)
        print(f"database: {fill(url, megabytes)}", flush=True)
        dump = Path(folder) / "plain.dump"
        rows = [
            measure(
                "pg_dump -Fc",
                ["pg_dump", "--format=custom", f"--dbname={url}", f"--file={dump}"],
                env,
            ),
            measure("manage.py dbbackup", [*manage, "dbbackup"], env),
        ]
        ours = sum(f.stat().st_size for f in Path(folder, "backups").glob("*.sealed"))
        rows += [plain_restore(admin, url, dump, env, jobs) for jobs in (1, 2)]
        rows.append(measure("manage.py verify_backup", [*manage, "verify_backup"], env))
        loaded = load_seconds(url)
        dump_size = dump.stat().st_size
        dump.unlink()
        rows.append(
            measure(
                "manage.py restore_backup (with its safety backup)",
                [*manage, "restore_backup", "--emergency", "--confirm", NAME],
                env,
            )
        )
    show(rows, loaded, dump_size, ours)


def load_seconds(url: str) -> float:
    """Of the verification: opening the dump, pg_restore, and comparing every table."""
    with psycopg.connect(url) as connection:
        query = "SELECT restore_seconds FROM systemadmin_backupverification"
        return float(connection.execute(query).fetchall()[-1][0])


def plain_restore(
    admin: psycopg.Connection, url: str, dump: Path, env: dict[str, str], jobs: int
) -> Measured:
    name = f"{NAME}_plain"
    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    target = urlsplit(url)._replace(path=f"/{name}").geturl()
    command = ["pg_restore", "--exit-on-error", f"--jobs={jobs}", f"--dbname={target}", str(dump)]
    measured = measure(f"pg_restore, {jobs} job{'s' * (jobs > 1)}", command, env)
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return measured


def show(rows: list[Measured], loaded: float, plain: int, ours: int) -> None:
    print(f"\n{'':52} {'seconds':>8} {'peak MB, all':>13} {'own':>6}")
    for row in rows:
        print(f"{row.name:52} {row.seconds:8.1f} {row.peak_mb:13.0f} {row.own_peak_mb:6.0f}")
    by_name = {row.name: row.seconds for row in rows}
    backup = by_name["manage.py dbbackup"]
    restore = by_name["manage.py restore_backup (with its safety backup)"] - backup
    print(f"size: pg_dump {plain:,} bytes, ours {ours:,} bytes ({ours / plain:.3f} x)")
    print(f"backup: {backup / by_name['pg_dump -Fc']:.2f} x pg_dump")
    ours_by = {
        "loaded and every table compared": loaded,
        "restored and swapped in, without the safety backup": restore,
        "verified, with the checks of all desks": by_name["manage.py verify_backup"],
    }
    for title, seconds in ours_by.items():
        ratios = " and ".join(
            f"{seconds / by_name[f'pg_restore, {jobs}']:.2f} x pg_restore with {jobs}"
            for jobs in ("1 job", "2 jobs")
        )
        print(f"{title}: {seconds:.1f} s, {ratios}")


if __name__ == "__main__":
    main()
