"""100,000 members from a file on PostgreSQL, beside bare inserts of the same rows in the same run.

    python bench/members.py postgres://postgres@127.0.0.1:5432/postgres [rows]

A database of its own is made beside the one that the URL names, and dropped at the end.

Both sides commit every thousand rows. The bare side knows nothing: no check, no audit row, no
answer per row. The import is killed half way (SIGKILL) and started again; at the end every member
is there once.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DJANGO_DEBUG", "1")

import django
from databases import empty_database

database = ExitStack()
os.environ["DATABASE_URL"] = database.enter_context(empty_database(sys.argv[1], "bench_members"))
django.setup()

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from systemadmin.models import User

ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
INSERT = (
    "INSERT INTO systemadmin_user (password, is_superuser, username, first_name, last_name, email,"
    " is_staff, is_active, date_joined, external_id, telegram_chat_id, country, language,"
    " suspension_reason, is_demo, is_service)"
    " VALUES ('!', false, %s, %s, '', %s, false, true, %s, %s, '', 'ES', 'es', '', false, false)"
)


def bare(prefix):
    """Insert the rows with nothing around them; return rows per second."""
    now, started = timezone.now(), time.perf_counter()
    for first in range(0, ROWS, 1000):
        rows = [
            (f"{prefix}{n}", "Ana", f"{prefix}{n}@example.test", now, f"{prefix}{n}")
            for n in range(first, min(first + 1000, ROWS))
        ]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(INSERT, rows)
    return ROWS / (time.perf_counter() - started)


def listing(folder, prefix):
    """Write the file that a platform would hand over."""
    path = Path(folder) / f"{prefix}.csv"
    lines = ["id,name,mail,country,language"]
    lines += [f"{prefix}{n},Ana,{prefix}{n}@example.test,ES,es" for n in range(ROWS)]
    path.write_text("\n".join(lines) + "\n")
    return path


def command(path):
    """Run the import as operators call it."""
    columns = "external_id=id,first_name=name,email=mail,country=country,language=language"
    return [sys.executable, "manage.py", "import_members", str(path), "--map", columns]


def imported(path):
    """Import a file in this process; return rows per second, without the start of Python."""
    started = time.perf_counter()
    call_command(*command(path)[2:])
    return ROWS / (time.perf_counter() - started)


def killed_and_started_again(path, prefix):
    """Kill the import half way, start it again, and count."""
    process = subprocess.Popen(command(path), stderr=subprocess.DEVNULL)
    made = User.objects.filter(external_id__startswith=prefix)
    while process.poll() is None and made.count() < ROWS // 3:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = made.count()
    subprocess.run(command(path), check=True, stderr=subprocess.DEVNULL)
    distinct = made.values("external_id").distinct().count()
    print(
        f"killed at {before:,}; afterwards {made.count():,} members, {distinct:,} ids, of {ROWS:,}"
    )
    return made.count() == distinct == ROWS


def main():
    """Print the figures; exit with 1 where they do not hold."""
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as folder:
        bare_speed = bare("bench-a-")
        speed = imported(listing(folder, "bench-b-"))
        bare_again = bare("bench-c-")
        whole = killed_and_started_again(listing(folder, "bench-d-"), "bench-d-")
    share = speed / ((bare_speed + bare_again) / 2)
    print(f"bare inserts {bare_speed:,.0f} and {bare_again:,.0f} rows/s, import {speed:,.0f}")
    print(f"{share:.2f} of the bare inserts")
    sys.exit(0 if share >= 1 / 3 and whole else 1)


if __name__ == "__main__":
    with database:
        main()
