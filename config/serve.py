"""Run granian under a supervisor that replaces web processes which no longer answer.

    python -m config.serve --interface rsgi --port 8000 --workers 2 config.wsgi:application

takes granian's own arguments, except `--interface wsgi`: with it granian itself merges the header
`X_Forwarded_For` into `X-Forwarded-For`, so that a client could choose its own address.

Granian starts a worker again that ended, but it does not see one that stands still: a thread in C
code that keeps the interpreter, a deadlock, a stopped process. Each worker therefore sends a sign
of life every second (`config/liveness.py`); one that is silent for `SILENT_SECONDS` is killed, and
granian starts another in its place. The supervisor itself has no Django in it, needs 15 MB, and
reports to systemd's watchdog.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from systemadmin.foundation.signs_of_life import SOCKET_VARIABLE

THREADS_VARIABLE = "ATALAYA_LIVENESS_THREADS"
SILENT_SECONDS = 20
# Loading the application takes seconds, more on a machine that starts everything at once.
START_SECONDS = 90
ROUND_SECONDS = 2.0
STOP_SECONDS = 30
OWN_OPTIONS = ("--respawn-failed-workers", "--workers-kill-timeout")


class Supervisor:
    """One granian and what is known of its workers."""

    def __init__(self, arguments: list[str], silent_seconds: float = SILENT_SECONDS) -> None:
        self.arguments = arguments
        self.silent_seconds = silent_seconds
        self.seen: dict[int, float] = {}
        self.stopping = False

    def run(self) -> int:
        """Serve until a signal or until granian ends by itself; return the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        with inbox_of_signs() as (inbox, path):
            threads = _option(self.arguments, "--blocking-threads")
            environment = {**os.environ, SOCKET_VARIABLE: path, THREADS_VARIABLE: threads}
            server = self._start(environment)
            try:
                while not self.stopping and server.poll() is None:
                    self._listen(inbox)
                    if not self._look_after(server) and not self.stopping:
                        self._end(server, at_once=True)
                        server = self._start(environment)
                    notify_systemd("WATCHDOG=1")
                return 0 if self.stopping else server.returncode or 1
            finally:
                notify_systemd("STOPPING=1")
                self._end(server)

    def _start(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        self.seen = {}
        self.workers: dict[int, float | None] = {}
        self.is_ready = False
        self.silent_since = time.monotonic()
        command = [sys.executable, "-m", "granian", *_defaults(self.arguments), *self.arguments]
        return subprocess.Popen(command, env=environment)  # noqa: S603

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _listen(self, inbox: socket.socket) -> None:
        """Take every sign of life that comes within one round."""
        deadline = time.monotonic() + ROUND_SECONDS
        while (left := deadline - time.monotonic()) > 0 and not self.stopping:
            inbox.settimeout(left)
            try:
                message = inbox.recv(64)
            except TimeoutError:
                return
            if message.isdigit():
                self.seen[int(message)] = time.monotonic()
            if not self.is_ready:
                self.is_ready = True
                notify_systemd("READY=1")

    def _look_after(self, server: subprocess.Popen[bytes]) -> bool:
        """Kill workers that are silent; False when the whole server must be started again."""
        if server.poll() is not None:
            return True  # its workers are those that were known before
        now = time.monotonic()
        workers = _children(server.pid)
        self.workers = dict(workers)
        self.seen = {pid: at for pid, at in self.seen.items() if pid in workers}
        for pid, born in workers.items():
            since = self.seen.get(pid)
            limit = self.silent_seconds if since is not None else START_SECONDS
            silent = now - since if since is not None else time.time() - born
            if silent > limit:
                say(f"worker {pid} gave no sign of life for {limit:g} s and is replaced")
                _kill(pid)
                self.seen.pop(pid, None)
        if any(now - at <= self.silent_seconds for at in self.seen.values()):
            self.silent_since = now
        if now - self.silent_since > START_SECONDS + self.silent_seconds:
            say("no worker lives: the server is started again")
            return False
        return True

    def _end(self, server: subprocess.Popen[bytes], *, at_once: bool = False) -> None:
        """Stop granian with all its workers: politely first, then for certain."""
        family = {pid: _born(pid) for pid in self.seen} | self.workers | _children(server.pid)
        if server.poll() is None and not at_once:
            server.terminate()
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                say("the server did not stop in time and is killed")
        if server.poll() is None:
            server.kill()
        server.wait()
        for pid, born in family.items():
            # And not another process that has the number by now.
            if born is not None and _born(pid) == born:
                _kill(pid)


def _defaults(arguments: list[str]) -> list[str]:
    """Options without which nothing is replaced, where the caller did not say otherwise."""
    defaults = [] if OWN_OPTIONS[0] in arguments else [OWN_OPTIONS[0]]
    return defaults if OWN_OPTIONS[1] in arguments else [*defaults, OWN_OPTIONS[1], "25"]


def _option(arguments: list[str], name: str) -> str:
    """Return the value of an option, given as two words or with an equals sign; else nothing."""
    for position, word in enumerate(arguments):
        if word == name:
            return arguments[position + 1] if position + 1 < len(arguments) else ""
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return ""


@contextmanager
def inbox_of_signs() -> Iterator[tuple[socket.socket, str]]:
    """Yield a socket for signs of life, in a folder that only this account may enter."""
    with tempfile.TemporaryDirectory(prefix="atalaya-serve-") as folder:
        path = str(Path(folder) / "alive")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
            inbox.bind(path)
            yield inbox, path


def _children(server: int) -> dict[int, float]:
    """Return granian's workers with the moment each was born (seconds since the epoch)."""
    found = {}
    with suppress(psutil.Error):
        for child in psutil.Process(server).children():
            if not any("resource_tracker" in part for part in child.cmdline()):
                found[child.pid] = child.create_time()
    return found


def _born(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def say(text: str) -> None:
    sys.stderr.write(f"atalaya: {text}\n")
    sys.stderr.flush()


def notify_systemd(state: str) -> None:
    """Notify systemd (Type=notify, WatchdogSec); do nothing where no systemd listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(state.encode(), address)
    except OSError:
        return


def refusal(arguments: list[str], environment: Mapping[str, str]) -> str:
    """Return why granian may not be started so, or nothing."""
    chosen = _option(arguments, "--interface") or environment.get("GRANIAN_INTERFACE", "")
    if chosen.strip().lower() != "wsgi":
        return ""
    return (
        "--interface wsgi is refused: with it a client could choose its own address by the header "
        "X_Forwarded_For. Use --interface rsgi with config.wsgi:application, or --interface asgi "
        "with config.asgi:application."
    )


def main() -> int:
    """Serve with the arguments of the command line; return the exit code."""
    if reason := refusal(sys.argv[1:], os.environ):
        say(reason)
        return 2
    return Supervisor(sys.argv[1:]).run()


if __name__ == "__main__":
    sys.exit(main())
