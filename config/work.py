"""Run a queue cluster under a supervisor that replaces it when it no longer answers.

    Q_CLUSTER_NAME=long python -m config.work

The cluster's sentinel sends a sign of life each time it looks after its workers, twice a second.
One that is silent for `SILENT_SECONDS` (a stopped process, a deadlock, C code that keeps the
interpreter) is killed with all its workers and started again. What it held is taken up by the
leases of its tasks. A cluster that ends by itself ends the supervisor too, so that systemd,
compose or `run_local` start both again. A cluster that is told to stop gets `STOP_SECONDS` to
finish its tasks. Then it is killed, because its stop can hang.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from config.serve import ROUND_SECONDS, START_SECONDS, inbox_of_signs, notify_systemd, say
from systemadmin.foundation.signs_of_life import SOCKET_VARIABLE

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
COMMAND = [sys.executable, str(MANAGE), "qcluster"]
SILENT_SECONDS = 60
# A little less than what the units of systemd and compose allow before they kill all.
STOP_SECONDS = 310


class Supervisor:
    """One cluster and when it was last heard of."""

    def __init__(
        self,
        command: list[str] | None = None,
        silent_seconds: float = SILENT_SECONDS,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self.command = command or COMMAND
        self.silent_seconds = silent_seconds
        self.stop_seconds = stop_seconds
        self.stopping = False

    def run(self) -> int:
        """Work until a signal or until the cluster ends by itself; return the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        with inbox_of_signs() as (inbox, path):
            environment = {**os.environ, SOCKET_VARIABLE: path}
            cluster = self._start(environment)
            try:
                while not self.stopping and cluster.poll() is None:
                    inbox.settimeout(ROUND_SECONDS)
                    with suppress(TimeoutError):
                        inbox.recv(64)
                        self._hear()
                    if self._is_silent():
                        say(
                            f"the cluster gave no sign of life for {self.limit:g} s: it is replaced"
                        )
                        _kill(cluster)
                        cluster = self._start(environment)
                    notify_systemd("WATCHDOG=1")
                return 0 if self.stopping else cluster.returncode or 1
            finally:
                notify_systemd("STOPPING=1")
                self._end(cluster)

    def _start(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        self.heard_at, self.limit = time.monotonic(), float(START_SECONDS)
        # In a session of its own, so that it can be killed with all its workers.
        return subprocess.Popen(  # noqa: S603
            self.command, env=environment, start_new_session=True
        )

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _hear(self) -> None:
        if self.limit != self.silent_seconds:
            notify_systemd("READY=1")
        self.heard_at, self.limit = time.monotonic(), self.silent_seconds

    def _is_silent(self) -> bool:
        return time.monotonic() - self.heard_at > self.limit

    def _end(self, cluster: subprocess.Popen[bytes]) -> None:
        """Let the cluster finish its tasks, and kill it after `stop_seconds`."""
        if cluster.poll() is None:
            cluster.terminate()
            try:
                cluster.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                say(f"the cluster did not stop within {self.stop_seconds:g} s: it is killed")
        _kill(cluster)


def _kill(cluster: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(cluster.pid, signal.SIGKILL)
    cluster.wait()


if __name__ == "__main__":
    sys.exit(Supervisor().run())
