"""Restore a database with an audit trail of millions of rows, and time each step, on PostgreSQL.

    python bench/restore_audit.py postgres://postgres@127.0.0.1:5432/postgres [rows]

Restored twice: with no signed checkpoint of the trail, and with one near its end. The rows are
those of bench/audit_trail.py. The place is closed from "draining" to
the end of "swapping".
"""

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from audit_trail import measured, write_trail
from databases import empty_database

NAME = "h_restore_measured"


class Steps:
    """Print how long each step of a restore took, as the next one begins."""

    def __init__(self, module):
        self.through, self.last = module._step, None
        module._step = self

    def __call__(self, restore, step):
        self.end()
        self.last = (step, time.perf_counter())
        self.through(restore, step)

    def end(self):
        if self.last:
            print(f"  {self.last[0]}: {time.perf_counter() - self.last[1]:.1f} s", flush=True)
        self.last = None


def restore(steps, title):
    """Back up and restore, and print each step."""
    from systemadmin.services.backups import create_backup, restore_backup

    backup = measured(f"{title}: backup", create_backup)
    began = time.perf_counter()
    done = restore_backup(backup=backup, confirm=NAME)
    steps.end()
    seconds = time.perf_counter() - began
    print(f"{title}: restore {seconds:.1f} s, closed for {done.closed_seconds:.1f} s", flush=True)
    for warning in done.warnings:
        print(f"  warning: {warning}")


def main(server, count):
    with empty_database(server, NAME) as url, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DATABASE_URL": url, "VAR_DIR": folder, "BACKUP_DIR": f"{folder}/backups"}
        os.environ |= {"BACKUP_PASSPHRASE": "bench", "REDIS_URL": "", "LOG_DIR": ""}
        os.environ |= {"DJANGO_DEBUG": "1", "DJANGO_SECRET_KEY": "k" * 50}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        import django

        django.setup()
        from django.core.management import call_command

        from systemadmin.backups.restore import live_database as restoring
        from systemadmin.services.audit_chain import chain_end
        from systemadmin.services.audit_statements import Kind, state

        call_command("migrate", verbosity=0)
        steps = Steps(restoring)
        measured(f"write {count:,} rows and their links", lambda: write_trail(count))
        restore(steps, "without a checkpoint")
        end = chain_end()
        state(Kind.VERIFIED, end.position, {"chain": end.chain_hash, "rows": end.position})
        restore(steps, "with a checkpoint")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3_000_000)
