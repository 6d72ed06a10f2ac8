"""The stream over real processes: pushed at once, resumed without loss over a kill."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from django.db import connection

from messaging.tests.processes import ROOT, environment_of
from systemadmin.tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
WORLD = Path(__file__).parent / "stream_world.py"


@pytest.fixture
def environment(tmp_path, transactional_db):
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with closing(sqlite3.connect(tmp_path / "stream.sqlite3")) as copy:
            connection.connection.backup(copy)
    return environment_of(tmp_path)


def manage(env, *args, **kwargs):
    command = [sys.executable, str(ROOT / "manage.py"), *args]
    return subprocess.run(
        command,
        env=env,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        **kwargs,
    ).stdout


@pytest.fixture
def world(environment):
    output = manage(environment, "shell", "-v0", input=WORLD.read_text())
    line = next(line for line in output.splitlines() if line.startswith("WORLD "))
    return json.loads(line.removeprefix("WORLD "))


class Server:
    """One ASGI process."""

    def __init__(self, env, port):
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "--interface", "asgi"),
                *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                "config.asgi:application",
            ],
            env=env,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/api/health", timeout=2)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the server did not start")

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)


@pytest.fixture
def serve(environment):
    running = []

    def start(port=None):
        running.append(Server(environment, port or free_port()))
        return running[-1]

    yield start
    for server in running:
        server.kill()


class Listener(threading.Thread):
    """A client as browsers are: reads, remembers the last id, comes back after a break."""

    def __init__(self, url, token):
        super().__init__(daemon=True)
        self.url, self.token = url, token
        self.events, self.last_id, self.is_done = [], None, False
        self.connections = 0
        self.ready = threading.Event()

    def run(self):
        while not self.is_done:
            try:
                self.read()
            except httpx.HTTPError:
                self.ready.clear()
                time.sleep(0.1)

    def read(self):
        headers = {"Authorization": f"Bearer {self.token}"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        timeout = httpx.Timeout(5, connect=2)
        with httpx.stream("GET", self.url, headers=headers, timeout=timeout) as response:
            if response.status_code != 200:
                time.sleep(0.2)
                return
            self.connections += 1
            fields = {}
            for line in response.iter_lines():
                self.ready.set()
                if self.is_done:
                    return
                if line == "":
                    self.take(fields)
                    fields = {}
                elif not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value

    def take(self, fields):
        if "id" in fields:
            self.last_id = fields["id"]
        if "data" in fields:
            data = json.loads(fields["data"])
            self.events.append((fields["event"], fields.get("id"), data, time.monotonic()))

    def bodies(self):
        return [
            data["message"]["body"] for name, _id, data, _at in self.events if name == "message"
        ]

    def wait_for(self, count, seconds=30):
        deadline = time.monotonic() + seconds
        while len(self.bodies()) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.bodies()


def write(server, world, body):
    response = httpx.post(
        f"{server.url}/api/messages",
        json={"recipient": world["ana"]["id"], "body": body},
        headers={"Authorization": f"Bearer {world['bea']['token']}"},
        timeout=20,
    )
    assert response.status_code == 201, response.text


def test_a_stream_survives_the_death_of_its_server_without_loss(serve, world):
    port = free_port()
    streaming, writing = serve(port), serve()
    listener = Listener(f"{streaming.url}/api/messages/stream", world["ana"]["token"])
    listener.start()
    assert listener.ready.wait(20)
    for number in range(5):
        write(writing, world, f"before {number}")
    listener.wait_for(5)
    for round_ in range(2):
        streaming.kill()
        for number in range(5):
            write(writing, world, f"down {round_}.{number}")
        streaming = serve(port)
        for number in range(5):
            write(writing, world, f"up {round_}.{number}")
        # It has connected again before this server dies too.
        listener.wait_for(15 + 10 * round_)
    expected = [f"before {n}" for n in range(5)]
    for round_ in range(2):
        expected += [f"down {round_}.{n}" for n in range(5)] + [
            f"up {round_}.{n}" for n in range(5)
        ]
    assert listener.wait_for(len(expected)) == expected
    ids = [int(id_) for _name, id_, _data, _at in listener.events if id_ is not None]
    assert ids == sorted(set(ids)), "no event twice, none out of order"
    assert listener.connections >= 3
    listener.is_done = True


def test_a_message_written_in_one_process_is_pushed_by_another(serve, world):
    streaming, writing = serve(), serve()
    listener = Listener(f"{streaming.url}/api/messages/stream", world["ana"]["token"])
    listener.start()
    assert listener.ready.wait(20)
    time.sleep(1.5)  # heartbeats keep it open
    started = time.monotonic()
    write(writing, world, "now")
    assert listener.wait_for(1) == ["now"]
    arrived = next(at for name, _id, _data, at in listener.events if name == "message")
    # Notified on PostgreSQL, found by looking every second on SQLite.
    assert arrived - started < (1.0 if connection.vendor == "postgresql" else 3.0)
    listener.is_done = True


def test_a_revoked_token_ends_the_stream(serve, world):
    server = serve()
    token = world["ana"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.stream(
        "GET", f"{server.url}/api/messages/stream", headers=headers, timeout=30
    ) as response:
        lines = response.iter_lines()
        next(lines)
        assert httpx.post(f"{server.url}/api/auth/logout", headers=headers).status_code in (
            200,
            204,
        )
        started = time.monotonic()
        for _line in lines:
            assert time.monotonic() - started < 25, "the stream outlived its token"
