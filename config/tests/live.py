"""Real web processes on the test's database, callers that keep calling, and a cable to cut."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

from systemadmin.models import ApiToken
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory
from systemadmin.tests.ports import free_port


def environment(tmp_path, *, redis_url="", database_port=None):
    """The variables of a process that shares the test's database, by another port if told."""
    db = connection.settings_dict
    port = database_port or db["PORT"] or 5432
    return {
        **os.environ,
        # As in production: with debugging on, Django answers errors with a page of its own.
        "DJANGO_DEBUG": "0",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(64),
        "BACKUP_PASSPHRASE": secrets.token_urlsafe(32),
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "PUBLIC_URL": "http://127.0.0.1",
        "DJANGO_TLS": "0",
        "REQUIRE_STAFF_2FA": "0",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": (f"postgres://{db['USER']}:{db['PASSWORD']}@127.0.0.1:{port}/{db['NAME']}"),
        "REDIS_URL": redis_url,
    }


def make_people():
    """Return the tokens of a member and of a superuser; nobody meets a rate limit."""
    change_settings(
        actor=None,
        values={
            "ratelimit.read": "1000000/m",
            "ratelimit.write": "1000000/m",
            "blocking.flood_per_minute": 1_000_000,
        },
    )
    member, chief = UserFactory(), UserFactory(is_staff=True, is_superuser=True)
    return {
        name: ApiToken.objects.create(user=user)[1]
        for name, user in (("member", member), ("staff", chief))
    }


class Server:
    """One web process with a few threads, as `docs/operations.md` runs them."""

    def __init__(self, env, interface="rsgi"):
        self.port = free_port()
        module = "config.asgi" if interface == "asgi" else "config.wsgi"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "--interface", interface),
                *("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"),
                f"{module}:application",
            ],
            env={**env, "WEB_THREADS": "4"},
            cwd=Path(settings.BASE_DIR),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError):
                if self.get("/api/health")[0] == 200:
                    return
            time.sleep(0.1)
        raise AssertionError("the server did not start")

    def get(self, path, headers=None):
        """One call: status, headers and body."""
        return self._call("GET", path, None, headers or {})

    def call(self, method, path, token, body):
        """One call with a body, as whoever has the token."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self._call(method, path, json.dumps(body), headers)

    def _call(self, method, path, body, headers):
        there = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            there.request(method, path, body=body, headers=headers)
            response = there.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            there.close()

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)


@dataclass(frozen=True)
class Call:
    """What one call came to, and when it was sent."""

    sent_at: float
    port: int
    caller: str
    status: int


class Caller(threading.Thread):
    """Calls one server `rate` times a second, over one connection, until told to stop."""

    def __init__(self, server, caller, token, rate, calls):
        super().__init__(daemon=True)
        self.server, self.caller, self.calls = server, caller, calls
        self.headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self.pause = 1 / rate
        self.is_done = False

    def run(self):
        there = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        due = time.monotonic()
        while not self.is_done:
            sent_at = time.monotonic()
            there.request("GET", "/api/messages/unread-count", headers=self.headers)
            response = there.getresponse()
            response.read()
            self.calls.append(Call(sent_at, self.server.port, self.caller, response.status))
            due = max(due + self.pause, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))
        there.close()


@contextmanager
def calling(callers):
    """All of them call while the block runs."""
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        for caller in callers:
            caller.is_done = True
        for caller in callers:
            caller.join(60)


class Cable:
    """Carries bytes between a port of its own and the database's, until it is cut."""

    def __init__(self, target):
        self.target = target
        self.ends = []
        self._listen(0)
        self.port = self.listener.getsockname()[1]

    def _listen(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        with suppress(OSError):
            while True:
                near, _address = listener.accept()
                far = socket.create_connection(self.target)
                self.ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(one, other):
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """End what is carried and refuse what comes."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.ends.clear()

    def mend(self):
        """Carry again, by the same port."""
        self._listen(self.port)
