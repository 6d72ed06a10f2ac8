"""Exports and checks of the ledger while orders are posted, with real processes.

    python bench/ledger_snapshots.py [--rate 20] [--runs 50] [--one-reader] [--database URL]

One process posts orders (created, paid, completed, some refunded) at a fixed rate. Meanwhile
`export_ledger` and `check_ledger` run as commands, one process each; with `--one-reader` one
process runs them all, which saves the starting where processors are few. Every export goes through
`bean-check`. A run in which the posting ends before the readings do has measured nothing and fails.
Without --database it measures on a SQLite file in a temporary folder; a PostgreSQL database is made
beside the one that the URL names, and dropped at the end.
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
        order = factories.order(products[number % 10], buyer=buyer)
        # As the payment service does: a person would need a second one above an amount per day.
        order = services.pay_order(actor=None, order=order)
        order = services.complete_order(actor=None, order=order)
        if number % 5 == 0:
            services.refund_order(actor=None, order=order, amount=1_00)
        number += 1
        print(number, flush=True)
        time.sleep(max(0, began + number / rate - time.monotonic()))


def read_again(runs, folder):
    """Export and check over and over in this process; print what is unsound of each run."""
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from beancount import loader
    from django.core.management import call_command

    from marketplace.services import check_ledger

    for number in range(runs):
        path = folder / f"{number}.beancount"
        call_command("export_ledger", output=path)
        faults = check_ledger()
        _entries, errors, _options = loader.load_file(str(path))
        print(int(bool(errors)), int(bool(faults)), flush=True)
        print(errors[:3] or "", faults[:3] or "", file=sys.stderr)


def read_as_commands(environment, runs, folder):
    """Yield per run whether export and check, each a process of its own, were unsound."""
    for number in range(runs):
        path = folder / f"{number}.beancount"
        done = manage("export_ledger", "--output", path, env=environment)
        checked = subprocess.run([BEAN_CHECK, path], capture_output=True, check=False)
        check = manage("check_ledger", env=environment)
        print(check.stderr[-500:], end="", file=sys.stderr)
        yield bool(done.returncode or checked.returncode), bool(check.returncode)


def read_in_one(environment, runs, folder):
    """Yield the same from one process that reads over and over."""
    command = [sys.executable, __file__, "--read", str(folder), "--runs", str(runs)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as reader:
        for line in reader.stdout:
            export, check = line.split()
            yield export == "1", check == "1"


def measure(environment, rate, runs, folder, read):
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
        made = 0
        for export, check in read(environment, runs, folder):
            bad["export"] += export
            bad["check"] += check
            made += 1
            print(made, f"{len(posted) / (time.monotonic() - began):.1f}/s", file=sys.stderr)
        seconds = time.monotonic() - began
        if poster.poll() is not None:
            sys.exit("The orders ended before the readings did: nothing was measured.")
    finally:
        poster.kill()
        poster.wait()
    print(
        f"{made} exports, {bad['export']} unsound; {made} checks, {bad['check']} with faults;"
        f" {len(posted)} orders in {seconds:.0f} s ({len(posted) / seconds:.1f} per second)"
    )
    return sum(bad.values()) + (made != runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--database", help="URL of a PostgreSQL database; SQLite by default")
    parser.add_argument("--one-reader", action="store_true", help="all readings in one process")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--post", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.post:
        post_orders(options.rate)
    if options.read:
        return read_again(options.runs, options.read)
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
        read = read_in_one if options.one_reader else read_as_commands
        sys.exit(1 if measure(environment, options.rate, options.runs, folder, read) else 0)


if __name__ == "__main__":
    main()
