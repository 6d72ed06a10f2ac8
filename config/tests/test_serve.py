"""Web processes that hang are found and replaced, with real processes."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress

import psutil
import pytest
from django.conf import settings

from config import liveness, serve
from systemadmin.tests.ports import free_port

pytestmark = pytest.mark.slow
START = "import sys; from config import serve; sys.exit(serve.Supervisor(sys.argv[1:], 3).run())"


class Site:
    """A supervised server of the hanging application."""

    def __init__(self, port, process):
        self.port, self.process = port, process

    def get(self, path="/", timeout=2):
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}{path}", timeout=timeout
        ) as answer:
            return int(answer.read())

    def ask(self, path):
        """Send a request that will have no answer."""
        with suppress(OSError):
            self.get(path, timeout=0.5)

    def workers(self):
        (server,) = psutil.Process(self.process.pid).children()
        return set(serve._children(server.pid))

    def until(self, happened, seconds=40):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(OSError, ValueError):
                if happened():
                    return
            time.sleep(0.1)
        raise AssertionError("it never happened")


@pytest.fixture
def site(request, tmp_path):
    port = free_port()
    arguments = ["--interface", "wsgi", "--port", str(port), "--workers", "2", "--log-level"]
    arguments += ["error", "--blocking-threads", "2", "--no-ws", "--respawn-interval", "0.1"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        process = subprocess.Popen(
            [sys.executable, "-c", START, *arguments, "config.tests.hanging_app:application"],
            cwd=settings.BASE_DIR,
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
        )
        found = Site(port, process)
        found.systemd = systemd
        try:
            found.until(lambda: found.get() and len(found.workers()) == 2)
            yield found
        finally:
            family = []
            if process.poll() is None:
                family = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.wait(60)
            left = [one for one in family if one.is_running() and one.status() != "zombie"]
            for one in left:
                one.kill()
            assert not left


def test_systemd_hears_of_the_start_and_of_every_round(site):
    said = [site.systemd.recv(64) for _ in range(3)]
    assert b"READY=1" in said
    assert b"WATCHDOG=1" in said


def test_a_stopped_process_is_replaced(site):
    stopped = sorted(site.workers())[0]
    os.kill(stopped, signal.SIGSTOP)
    site.until(lambda: stopped not in site.workers() and len(site.workers()) == 2)
    site.until(lambda: site.get() in site.workers())


def test_a_process_busy_in_c_code_is_replaced(site):
    before = site.workers()
    site.ask("/gil")
    site.until(lambda: len(site.workers() - before) == 1 and len(site.workers()) == 2)
    site.until(lambda: site.get() in site.workers())


def test_all_processes_stopped_are_all_replaced(site):
    before = site.workers()
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    site.until(lambda: len(site.workers() - before) == 2)
    site.until(site.get)


def test_a_server_that_ends_by_itself_ends_the_supervisor_and_the_workers(site):
    (server,) = psutil.Process(site.process.pid).children()
    workers = [psutil.Process(pid) for pid in site.workers()]
    server.kill()
    assert site.process.wait(30) != 0

    def lives(one):
        with suppress(psutil.Error):
            return one.is_running() and one.status() != "zombie"
        return False

    site.until(lambda: not any(map(lives, workers)), 5)


def test_a_standstill_is_one_where_every_thread_is_busy_and_none_ends(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: now[0])
    state = liveness.Liveness()
    state.begin()
    now[0] += 1000
    assert state.is_alive(2), "a thread is free"
    state.begin()
    now[0] += 80
    assert state.is_alive(2), "one has just begun"
    now[0] += 20
    assert not state.is_alive(2)
    state.end()
    assert state.is_alive(2)


def test_an_event_loop_that_hangs_is_seen(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: now[0])
    state = liveness.Liveness()
    posted = []

    class Loop:
        def call_soon_threadsafe(self, call):
            posted.append(call)

    state.loop = Loop()
    assert state.is_alive(0)
    now[0] += 30
    assert not state.is_alive(0)
    posted.pop()()
    assert state.is_alive(0)


def test_without_a_supervisor_the_application_is_left_as_it_is(monkeypatch):
    monkeypatch.delenv(liveness.SOCKET_VARIABLE, raising=False)

    def application(environ, start_response):
        return []

    before = threading.active_count()
    assert liveness.watched_wsgi(application) is application
    assert threading.active_count() == before
