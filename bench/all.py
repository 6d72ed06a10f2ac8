"""Runs every measurement at one size, each in a process of its own, and keeps what they print.

    python bench/all.py                                    what runs on SQLite, smallest size
    DATABASE_URL=postgres://… python bench/all.py          all of them, 10,000 rows of each desk
    DATABASE_URL=postgres://… python bench/all.py --size 100k
    DATABASE_URL=postgres://… python bench/all.py --size 1m --only risk finding

The databases it needs are made on that server under names of their own (`atalaya_bench_…`) and
dropped. The comparisons with other products (`marketplace_oscar.py`, `support_helpdesk.py`) need
environments of their own and are run by hand.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from databases import empty_database

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
SIZES = ("10k", "100k", "1m")


@dataclass(frozen=True, slots=True)
class Measurement:
    """A script, its arguments at each size, and whether it can do without PostgreSQL."""

    name: str
    small: str = ""
    medium: str = ""
    full: str = ""
    sqlite: bool = False

    def arguments(self, size: str) -> list[str]:
        return dict(zip(SIZES, (self.small, self.medium, self.full), strict=True))[size].split()


MEASUREMENTS = (
    Measurement(
        "risk",
        "--accounts 10000 --events 200000",
        "--accounts 100000 --events 2000000",
        "--full",
        sqlite=True,
    ),
    Measurement(
        "finding",
        "--accounts 10000 --events 200000",
        "--accounts 100000 --events 2000000",
        "--full",
    ),
    Measurement(
        "messaging",
        # Below this there are members without a conversation.
        "--messages 100000 --streams 50 --times 100",
        "--messages 1000000 --streams 200",
        "--messages 5000000",
    ),
    Measurement(
        "marketplace",
        "--products 10000 --orders 30000",
        "--products 100000 --orders 300000",
        "--products 1000000 --orders 3000000",
    ),
    Measurement(
        "support",
        "--tickets 10000 --rounds 50",
        "--tickets 100000 --rounds 50",
        "--tickets 1000000 --rounds 50",
    ),
    Measurement(
        "admin",
        "--rows 10000 --rounds 3 --most 20",
        "--rows 100000 --rounds 3",
        "--rows 1000000 --rounds 20",
    ),
    Measurement("backup", "--megabytes 20", "--megabytes 200", "--megabytes 2000"),
    Measurement("throughput", *["--seconds 6"] * 3),
    Measurement("middleware", *["--requests 2000 --at-most 9"] * 3, sqlite=True),
    Measurement("known_owners", "--towns 1", "--towns 2", "--towns 1 --strangers 8000", True),
    Measurement("links_quality", *["shop"] * 3, sqlite=True),
    Measurement("airdrop", sqlite=True),
)


def run(measurement: Measurement, size: str, environment: dict[str, str], out: Path) -> int:
    """One script; its lines go to the screen as they come and to the file."""
    script = [sys.executable, str(BENCH / f"{measurement.name}.py")]
    process = subprocess.Popen(
        [*script, *measurement.arguments(size)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with out.open("a") as kept:
        for line in process.stdout:
            print(line, end="", flush=True)
            kept.write(line)
    return process.wait()


def measure(measurement: Measurement, size: str, url: str, out: Path) -> int:
    environment = os.environ | {"DJANGO_DEBUG": "1"}
    if not url:
        return run(measurement, size, environment, out)
    with empty_database(url, f"atalaya_bench_{measurement.name}") as own:
        return run(measurement, size, environment | {"DATABASE_URL": own}, out)


def machine() -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    return (
        f"commit {commit or 'unknown'}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )


def asked_for(names: list[str] | None) -> list[Measurement]:
    """Return the measurements of these names, all of them without any."""
    return [one for one in MEASUREMENTS if not names or one.name in names]


def main() -> int:
    """Run what was asked for; the exit code says whether all of it ran."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=SIZES, default=SIZES[0], help="rows of each desk")
    parser.add_argument("--only", nargs="+", choices=[m.name for m in MEASUREMENTS])
    parser.add_argument("--out", type=Path, help="default: a new file in var/bench")
    options = parser.parse_args()
    url = os.environ.get("DATABASE_URL", "")
    url = url if url.startswith("postgres") else ""
    out = options.out or ROOT / "var/bench" / f"{time.strftime('%Y%m%d-%H%M%S')}.txt"
    out.parent.mkdir(parents=True, exist_ok=True)
    verdicts, failed = [], 0
    for measurement in asked_for(options.only):
        if not url and not measurement.sqlite:
            verdicts.append(f"{measurement.name:<18} left out: needs DATABASE_URL=postgres://…")
            continue
        title = f"\n== {measurement.name}, {options.size}: {machine()}"
        print(title, flush=True)
        with out.open("a") as kept:
            kept.write(title + "\n")
        began = time.perf_counter()
        code = measure(measurement, options.size, url, out)
        failed += code != 0
        spent = time.perf_counter() - began
        verdicts.append(
            f"{measurement.name:<18} {'ran' if not code else 'FAILED'} in {spent:.0f} s"
        )
    print("\n" + "\n".join(verdicts) + f"\nkept in {out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
