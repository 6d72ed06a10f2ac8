"""An installation of its own, spoken to by commands only: real processes on a real database."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

from django.conf import settings
from django.db import connection

COPY_SECONDS = 60
COMMAND_SECONDS = 240


def _not_for_ever():
    """What a copy of the test database calls between its steps: SQLite would wait without an end.

    A thread of an earlier test that left a transaction open holds the database for good.
    """
    given_up = time.monotonic() + COPY_SECONDS

    def check(_status, _remaining, _total):
        if time.monotonic() > given_up:
            raise TimeoutError("The test database is held by somebody else.")

    return check


class Installation:
    """Commands as processes on the test database (PostgreSQL) or on a copy of it (SQLite)."""

    def __init__(self, folder):
        self.folder = folder
        self.file = None
        self.env = {
            **os.environ,
            "DJANGO_SECRET_KEY": "k" * 50,
            "VAR_DIR": str(folder),
            "LOG_DIR": "",
            "PYTHONWARNINGS": "ignore",
        }
        if connection.vendor == "sqlite":
            self.file = folder / "site.sqlite3"
            self.env["DATABASE_URL"] = f"sqlite:///{self.file}"
            with closing(sqlite3.connect(self.file)) as copy:
                connection.ensure_connection()
                connection.connection.backup(copy, pages=1000, progress=_not_for_ever())
                copy.execute("PRAGMA journal_mode=WAL")
        else:
            s = connection.settings_dict
            password = f":{s['PASSWORD']}" if s["PASSWORD"] else ""
            place = f"{s['HOST'] or 'localhost'}:{s['PORT'] or 5432}"
            self.env["DATABASE_URL"] = f"postgres://{s['USER']}{password}@{place}/{s['NAME']}"

    def start(self, *args):
        command = [sys.executable, "manage.py", *args]
        return subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *args, codes=(0,)):
        process = self.start(*args)
        output, _ = process.communicate(timeout=COMMAND_SECONDS)
        assert process.returncode in codes, output
        return output

    def ask(self, sql):
        """Return a number, looked up behind the commands' backs."""
        if self.file is None:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchone()[0] or 0
        with closing(sqlite3.connect(self.file, timeout=20)) as file:
            return file.execute(sql).fetchone()[0] or 0

    def kill_midway(self, sql, enough, *args):
        """Start a command and kill it -9 as soon as the number has grown enough.

        Return whether it died of that.
        """
        before = self.ask(sql)
        process = self.start(*args)
        deadline = time.monotonic() + COMMAND_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if self.ask(sql) - before >= enough:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        process.communicate(timeout=60)
        return process.returncode == -signal.SIGKILL
