"""Calls a second and their latency, beside the least that Django and DRF do, in the same run.

    DATABASE_URL=postgres://… python bench/throughput.py [--seconds 6] [--callers 8]

Both are served by granian with one process of four threads, as `docs/operations.md` says, and
called in turns over kept connections. The database should be an empty one of its own; a second
one, with "_bare" behind its name, is made for the yardstick and dropped. REDIS_URL counts the
limits there.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from databases import empty_database
from processes import free_port, granian, wait_for_port

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
ROUNDS = 3
MAKE = """
from systemadmin.models import ApiToken, User
from systemadmin.services import change_settings
change_settings(actor=None, values={"ratelimit.read": "10000000/m",
    "blocking.flood_per_minute": 1_000_000})
print(ApiToken.objects.create(user=User.objects.create_user(username="caller"))[1])
"""


def run(command, variables):
    """Run a command and return the last line that it prints."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=variables,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.split()[-1] if done.stdout.strip() else ""


@contextlib.contextmanager
def serving(application, variables):
    port = free_port()
    process = subprocess.Popen(
        granian("wsgi", port, "--blocking-threads", "4", application),
        cwd=ROOT,
        env={**variables, "PYTHONPATH": f"{ROOT}:{BENCH}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_port(port)
        yield port
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def call(port, path, headers, seconds, callers):
    """Return the milliseconds of every call of some callers in so many seconds."""
    taken: list[list[float]] = [[] for _ in range(callers)]
    until = time.perf_counter() + seconds

    def work(mine):
        there = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while (began := time.perf_counter()) < until:
            there.request("GET", path, headers=headers)
            answer = there.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            mine.append((time.perf_counter() - began) * 1000)
        there.close()

    threads = [threading.Thread(target=work, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for mine in taken for one in mine]


def show(label, rounds, seconds, base=0.0):
    rate = statistics.median(len(taken) / seconds for taken in rounds)
    every = sorted(one for taken in rounds for one in taken)
    p50, p99 = statistics.median(every), every[int((len(every) - 1) * 0.99)]
    ratio = f"   {rate / base:.2f} x the bare one's" if base else ""
    print(f"{label:<44}{rate:8.0f} /s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms{ratio}", flush=True)
    return rate


def measure(ports, token, bare_token, options):
    targets = {
        "bare DRF: token, one row": (ports[1], "/count", f"Token {bare_token}"),
        "ours: /api/messages/unread-count": (
            ports[0],
            "/api/messages/unread-count",
            f"Bearer {token}",
        ),
        "ours: /api/auth/me": (ports[0], "/api/auth/me", f"Bearer {token}"),
        "ours: /api/products, an empty page": (ports[0], "/api/products", f"Bearer {token}"),
    }
    rounds: dict[str, list[list[float]]] = {label: [] for label in targets}
    for number in range(ROUNDS + 1):
        for label, (port, path, who) in targets.items():
            headers = {"Authorization": who, "Accept": "application/json"}
            taken = call(port, path, headers, options.seconds, options.callers)
            if number:  # the first round warms up
                rounds[label].append(taken)
    base = 0.0
    for label, found in rounds.items():
        rate = show(label, found, options.seconds, base)
        base = base or rate


def main():
    """Make both databases, serve both, call both in turns."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=6, help="of each turn")
    parser.add_argument("--callers", type=int, default=8)
    options = parser.parse_args()
    url = os.environ["DATABASE_URL"]
    bare = f"{urlsplit(url).path[1:]}_bare"
    with (
        tempfile.TemporaryDirectory(prefix="throughput-") as place,
        empty_database(url, bare) as bare_url,
    ):
        variables = {
            **os.environ,
            "DJANGO_DEBUG": "0",
            "DJANGO_SECRET_KEY": secrets.token_urlsafe(64),
            "BACKUP_PASSPHRASE": secrets.token_urlsafe(32),
            "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
            "DJANGO_TLS": "0",
            "VAR_DIR": place,
            "BARE_URL": bare_url,
        }
        run(["manage.py", "migrate", "--verbosity", "0"], variables)
        token = run(["manage.py", "shell", "--no-imports", "-c", MAKE], variables)
        bare_token = run([str(BENCH / "bare_site.py")], variables)
        with (
            serving("config.wsgi:application", variables) as port,
            serving("bare_site:application", variables) as bare_port,
        ):
            measure((port, bare_port), token, bare_token, options)


if __name__ == "__main__":
    main()
