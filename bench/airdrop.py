"""A public airdrop loaded and scored by the commands of docs/risk.md, and again under kill -9.

    python bench/airdrop.py [--data DIR]                              SQLite, in a file of its own
    DATABASE_URL=postgres://… python bench/airdrop.py [--data DIR]    databases of its own there

A first database gets the files undisturbed, every command timed, then once more. In a second one
the commands are killed and started again until all is in. What both hold is compared row by row:
a number of rows and a digest for each table that does not depend on their order, printed so that
SQLite and PostgreSQL may be compared as well.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from databases import empty_database

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "hop"
ACCOUNTS = (
    *("--source", "hop", "--kind", "account_created", "--create-accounts"),
    *("--map", "account_external_id=address,wallet=address", "--set", "occurred_at=2022-05-01"),
)
TRANSFERS = (
    *("--source", "hop-transfers", "--kind", "transfer", "--both-ends", "--skip-strangers"),
    *("--map", "wallet=from_wallet,counterparty_wallet=to_wallet"),
    *("--set", "occurred_at=2022-05-02"),
)
# At which parts of the time that a command took undisturbed it is killed, one life after another.
KILLS = {"accounts": (0.5,), "transfers": (0.35, 0.35), "recompute": (0.6,)}
DIGEST = """
import hashlib, json
from riskops.models import (
    AccountEvent, AccountFacts, Dealing, Identifier, PendingScore, RiskScore, Sighting
)
def digest(model, *fields):
    rows, total = 0, 0
    for row in model.objects.values_list(*fields).iterator(5_000):
        plain = json.dumps(row, default=str, sort_keys=True).encode()
        total += int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest())
        rows += 1
    return rows, f"{total % 2**64:016x}"
who, value = "account__external_id", "identifier__value"
print("DIGEST" + json.dumps({
    "events": digest(AccountEvent, who, "kind", "source", "external_id", "wallet__value",
                     "counterparty_wallet__value"),
    "identifiers": digest(Identifier, "kind", "value", "accounts", "dealers"),
    "sightings": digest(Sighting, who, value, "hits"),
    "dealings": digest(Dealing, who, value, "hits"),
    "facts": digest(AccountFacts, who, "events", "logins", "transfers", "first_event_at",
                    "last_event_at"),
    "scores": digest(RiskScore, who, "raw", "score", "level", "breakdown"),
    "pending": digest(PendingScore, who),
}))
"""


class Site:
    """An installation of its own, spoken to by commands only."""

    def __init__(self, url: str, data: Path, place: Path) -> None:
        self.variables = {
            **os.environ,
            "DATABASE_URL": url,
            "REDIS_URL": "",
            "DJANGO_DEBUG": "1",
            "DJANGO_SECRET_KEY": "bench" * 10,
            "VAR_DIR": str(place),
            "LOG_DIR": "",
        }
        self.commands: dict[str, Sequence[str]] = {
            "accounts": ("ingest_events", str(data / "accounts.csv.gz"), *ACCOUNTS),
            "transfers": ("ingest_events", str(data / "transfers.csv.gz"), *TRANSFERS),
            "recompute": ("recompute_risk", "--all"),
        }
        self.run("migrate", "--verbosity", "0")
        self.run("setup")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        said, _ = process.communicate()
        if process.returncode:
            sys.exit(f"manage.py {arguments[0]} ended with {process.returncode}: {said}")
        return said

    def timed(self, name: str) -> float:
        began = time.perf_counter()
        self.run(*self.commands[name])
        return time.perf_counter() - began

    def killed(self, name: str, after: float) -> bool:
        """Return whether kill -9 met the command at work, so many seconds after its start."""
        process = self.start(*self.commands[name])
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        return False

    def digest(self) -> dict[str, list]:
        said = self.run("shell", "--no-imports", "-c", DIGEST)
        return json.loads(said.split("DIGEST", 1)[1])


@contextmanager
def database(server: str, name: str, place: Path) -> Iterator[str]:
    """Yield the URL of an empty database: a file, or one on the server that is dropped at last."""
    if not server:
        yield f"sqlite:///{place / f'{name}.sqlite3'}"
        return
    with empty_database(server, f"airdrop_{name}") as url:
        yield url


def undisturbed(site: Site) -> tuple[dict[str, float], dict[str, list]]:
    took = {name: site.timed(name) for name in site.commands}
    for name, seconds in took.items():
        print(f"  {name:<10} {seconds:7.1f} s", flush=True)
    found = site.digest()
    for name in ("accounts", "transfers"):
        print(f"  {name:<10} {site.timed(name):7.1f} s, the same file again", flush=True)
    if site.digest() != found:
        sys.exit("  the same files again changed what is kept")
    for table, (rows, digest) in found.items():
        print(f"  {table:<12} {rows:>9,} rows  {digest}")
    return took, found


def disturbed(site: Site, took: dict[str, float], wanted: dict[str, list]) -> None:
    for name, parts in KILLS.items():
        met = sum(site.killed(name, took[name] * part) for part in parts)
        print(f"  {name:<10} killed {met} times, then {site.timed(name):.1f} s", flush=True)
    found = site.digest()
    differing = [table for table in wanted if found[table] != wanted[table]]
    if differing:
        sys.exit(f"  differs from the undisturbed: {', '.join(differing)}")
    print("  all tables equal the undisturbed ones")


def main() -> None:
    """Measure on the kind of database that DATABASE_URL names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    if not (options.data / "accounts.csv.gz").exists():
        print(
            f"No data in {options.data}: nothing measured. See docs/benchmarks.md for its origin."
        )
        return
    url = os.environ.get("DATABASE_URL", "")
    server = url if url.startswith("postgres") else ""
    print(f"airdrop's data on {'PostgreSQL' if server else 'SQLite'}")
    with tempfile.TemporaryDirectory(prefix="airdrop-") as folder:
        place = Path(folder)
        with database(server, "whole", place) as own:
            took, found = undisturbed(Site(own, options.data, place))
        with database(server, "killed", place) as own:
            disturbed(Site(own, options.data, place), took, found)


if __name__ == "__main__":
    main()
