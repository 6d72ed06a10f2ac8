"""A queue cluster that no longer answers is found and replaced, with real processes."""

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
from django.conf import settings

pytestmark = pytest.mark.slow

# Stands in for a cluster: it sends signs of life and has a worker of its own.
CLUSTER = """
import subprocess, sys, time
from systemadmin.foundation.signs_of_life import send_sign_of_life
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
while True:
    send_sign_of_life()
    time.sleep(0.2)
"""
START = """
import sys
from config.work import Supervisor
command = sys.argv[1:] or None
sys.exit(Supervisor(command, float({silent}), stop_seconds=float({stop})).run())
"""


# It hears that it should stop, and never does.
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + CLUSTER


def start(*command, silent=2, stop=30):
    return subprocess.Popen(
        [sys.executable, "-c", START.format(silent=silent, stop=stop), *command],
        cwd=settings.BASE_DIR,
    )


def until(happened, seconds=40):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.1)
    raise AssertionError("it never happened")


def family(supervisor):
    """The cluster and its worker, once both are there."""
    children = psutil.Process(supervisor.pid).children(recursive=True)
    return children if len(children) == 2 else None


def lives(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def supervisor():
    process = start(sys.executable, "-c", CLUSTER)
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_a_stopped_cluster_is_replaced_with_its_workers(supervisor):
    old = until(lambda: family(supervisor))
    time.sleep(1)
    os.kill(old[0].pid, signal.SIGSTOP)
    until(lambda: (new := family(supervisor)) and new[0].pid != old[0].pid)
    until(lambda: not any(lives(process) for process in old))
    assert supervisor.poll() is None


def test_systemd_hears_of_the_start_and_of_every_round(tmp_path, monkeypatch):
    """Without them a unit of Type=notify never becomes active, and WatchdogSec kills it."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(40)
        process = start(sys.executable, "-c", CLUSTER)
        try:
            heard = [systemd.recv(64) for _ in range(3)]
        finally:
            process.terminate()
            process.wait(30)
        while heard[-1] == b"WATCHDOG=1":
            heard.append(systemd.recv(64))
    assert heard.count(b"READY=1") == 1
    assert b"WATCHDOG=1" in heard
    assert heard[-1] == b"STOPPING=1"


def test_a_stop_ends_the_cluster_and_its_workers(supervisor):
    processes = until(lambda: family(supervisor))
    supervisor.terminate()
    assert supervisor.wait(30) == 0
    assert not any(lives(process) for process in processes)


def test_a_cluster_that_hangs_in_its_stop_is_killed_with_its_workers():
    supervisor = start(sys.executable, "-c", DEAF, stop=1)
    try:
        processes = until(lambda: family(supervisor))
        # A signal to the whole group, as by Ctrl+C, may leave a stop that waits for ever.
        time.sleep(1)
        supervisor.terminate()
        assert supervisor.wait(30) == 0
        assert not any(lives(process) for process in processes)
    finally:
        supervisor.kill()


def test_a_cluster_that_ends_by_itself_ends_the_supervisor():
    supervisor = start(sys.executable, "-c", "raise SystemExit(7)")
    assert supervisor.wait(30) == 7
