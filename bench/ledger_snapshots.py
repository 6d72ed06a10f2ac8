"""Exports and checks of the ledger while orders are posted, with real processes.

    python bench/ledger_snapshots.py [--rate 20] [--runs 50] [--database URL]

One process posts orders (created, paid, completed, some refunded) at a fixed rate. Meanwhile
`export_ledger` and `check_ledger` run as commands, one process each. Every export goes through
`bean-check`. Without --database it measures on a SQLite file in a temporary folder; a PostgreSQL
database is made beside the one that the URL names, and dropped at the end.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from databases import empty_database

ROOT = Path(__file__).resolve().parent.parent
BEAN_CHECK = Path(sys.executable).with_name("bean-check")


def manage(*arguments, **more):
    command = [sys.executable, "manage.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)


def post_orders(rate):
    """Post orders at a rate until the process is ended; each line of output is one order."""
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from marketplace import services
    from marketplace.tests import factories
    from systemadmin.tests.factories import UserFactory

    factories.rule(ppm=100_000, tax_ppm=210_000)
    products = [factories.approved(stock=None) for _ in range(10)]
    buyer, began, number = UserFactory(), time.monotonic(), 0
    print("ready", flush=True)
    while True:
        order = factories.completed(products[number % 10], buyer=buyer)
        if number % 5 == 0:
            services.refund_order(actor=None, order=order, amount=1_00)
        number += 1
        print(number, flush=True)
        time.sleep(max(0, began + number / rate - time.monotonic()))


def measure(environment, rate, runs, folder):
    poster = subprocess.Popen(
        [sys.executable, __file__, "--post", "--rate", str(rate)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    posted = []
    bad = {"export": 0, "check": 0}
    try:
        assert poster.stdout.readline() == "ready\n"
        reader = threading.Thread(target=lambda: posted.extend(poster.stdout), daemon=True)
        reader.start()
        began = time.monotonic()
        for number in range(runs):
            path = folder / f"{number}.beancount"
            done = manage("export_ledger", "--output", path, env=environment)
            checked = subprocess.run([BEAN_CHECK, path], capture_output=True, check=False)
            bad["export"] += bool(done.returncode or checked.returncode)
            check = manage("check_ledger", env=environment)
            bad["check"] += bool(check.returncode)
            print(check.stderr[-500:], end="", file=sys.stderr)
        seconds = time.monotonic() - began
    finally:
        poster.kill()
        poster.wait()
    print(
        f"{runs} exports, {bad['export']} unsound; {runs} checks, {bad['check']} with faults;"
        f" {len(posted)} orders in {seconds:.0f} s ({len(posted) / seconds:.1f} per second)"
    )
    return sum(bad.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--database", help="URL of a PostgreSQL database; SQLite by default")
    parser.add_argument("--post", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.post:
        post_orders(options.rate)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'bench.sqlite3'}"
        if options.database:
            url = stack.enter_context(empty_database(options.database, "ledger_snapshots"))
        environment = {
            **os.environ, "DATABASE_URL": url, "DJANGO_DEBUG": "1", "VAR_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "WARNING",
        }  # fmt: skip
        migrated = manage("migrate", "-v0", env=environment)
        if migrated.returncode:
            sys.exit(migrated.stderr)
        sys.exit(1 if measure(environment, options.rate, options.runs, folder) else 0)


if __name__ == "__main__":
    main()
