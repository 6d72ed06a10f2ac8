"""The parts a soak runs on, each of its own: PostgreSQL, Redis, web processes, workers."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from processes import free_port, granian, wait_for_port

ROOT = Path(__file__).resolve().parent.parent
# As the units of `docs/deploy/` restart what died.
RESTART_SECONDS = 3.0
SAMPLE_SECONDS = 10.0


class Postgres:
    """A server with a data directory of its own, which may be killed and started again."""

    def __init__(self, place: Path) -> None:
        self.port = free_port()
        self.data = place / "postgres"
        self.data.mkdir()
        # PostgreSQL refuses to run as root.
        self.prefix: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.data, user.pw_uid, user.pw_gid)
            for parent in (place, *place.parents):
                if parent.stat().st_mode & 0o001 == 0:
                    parent.chmod(parent.stat().st_mode | 0o011)
            self.prefix = ["runuser", "-u", "postgres", "--"]
        self._call("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8")
        self.start()

    @property
    def url(self) -> str:
        return f"postgres://postgres:soak@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c max_connections=200 -c unix_socket_directories={self.data}"
        self._call("pg_ctl", "-D", self.data, "-o", options, "-l", self.data / "log", "start")
        wait_for_port(self.port)

    def kill(self) -> None:
        """As when the machine loses power: no shutdown, recovery at the next start."""
        self._call("pg_ctl", "-D", self.data, "-m", "immediate", "stop")

    def _call(self, program: str, *arguments: object) -> None:
        found = shutil.which(program) or next(
            (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))),
            program,
        )
        subprocess.run(
            [*self.prefix, found, *map(str, arguments)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )


class Redis:
    """A server that keeps nothing on disk."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )
        wait_for_port(self.port)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Part:
    """One process of the product with all it starts, and the memory of its largest in each life."""

    name: str
    command: Sequence[str]
    variables: dict[str, str]
    process: subprocess.Popen | None = None
    # For each life the samples: seconds since its start, bytes.
    lives: list[list[tuple[float, int]]] = field(default_factory=list)
    born: float = 0.0

    def start(self, log: Path) -> None:
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                env=self.variables,
                cwd=ROOT,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.born = time.monotonic()
        self.lives.append([])

    def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def sample(self) -> None:
        assert self.process is not None
        with suppress(psutil.Error):
            family = psutil.Process(self.process.pid)
            whole = [family, *family.children(recursive=True)]
            # The largest: of several workers each grows to its size when it meets the large tasks,
            # and what a fork shares with its parent is not its own.
            largest = max(one.memory_full_info().uss for one in whole)
            self.lives[-1].append((time.monotonic() - self.born, largest))


class Fleet(threading.Thread):
    """Starts what died, as a service manager does, and samples the memory of what lives."""

    def __init__(self, parts: Sequence[Part], place: Path) -> None:
        super().__init__(daemon=True)
        self.parts = {part.name: part for part in parts}
        self.place, self.is_done, self.restarts = place, False, 0
        for part in parts:
            part.start(place / f"{part.name}.log")

    def run(self) -> None:
        sampled = 0.0
        while not self.is_done:
            for part in self.parts.values():
                if part.process is not None and part.process.poll() is not None:
                    time.sleep(RESTART_SECONDS)
                    part.start(self.place / f"{part.name}.log")
                    self.restarts += 1
            if time.monotonic() - sampled > SAMPLE_SECONDS:
                sampled = time.monotonic()
                for part in self.parts.values():
                    part.sample()
            time.sleep(0.2)

    def stop(self) -> None:
        self.is_done = True
        self.join(30)
        for part in self.parts.values():
            part.kill()


def web(name: str, port: int, variables: dict[str, str]) -> Part:
    """Return a web process with four threads, as `docs/operations.md` runs them."""
    command = granian("wsgi", port, "--blocking-threads", "4", "config.wsgi:application")
    return Part(name, command, variables)


def worker(name: str, cluster: str, variables: dict[str, str]) -> Part:
    """Return a cluster of the task queue."""
    command = [sys.executable, "manage.py", "qcluster"]
    return Part(name, command, {**variables, "Q_CLUSTER_NAME": cluster})


@dataclass
class House:
    """All that runs, and what was done to it."""

    place: Path
    postgres: Postgres
    redis: Redis
    variables: dict[str, str]
    hosts: list[str]
    fleet: Fleet | None = None
    windows: list[tuple[float, float, str, bool]] = field(default_factory=list)

    def meets_a_fault(self, began: float, ended: float) -> bool:
        """Return whether a call fell in a window in which callers may notice a fault.

        A call that was under way when the fault struck has met it.
        """
        return any(w[3] and began <= w[1] and ended >= w[0] for w in self.windows)

    def kill(self, *names: str) -> None:
        assert self.fleet is not None
        for name in names:
            self.fleet.parts[name].kill()

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout.strip()
