"""Start web server and workers together on one machine, and stop them together."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from contextlib import suppress
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from systemadmin import demo
from systemadmin.services.demo_2fa import demo_code

STOP_SECONDS = 20
KILL_SECONDS = 3
START_SECONDS = 90
# What ends within so many seconds of its start would only end again.
TOO_SOON_SECONDS = 10


class Command(BaseCommand):
    """`manage.py run_local`: what `make run` ends in."""

    help = "Start web server and workers on this machine; Ctrl-C stops all of them."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        self.stopping = False
        _refuse_busy_port(host, port)
        call_command("collectstatic", interactive=False, verbosity=0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        children: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for name, (command, environment) in _commands(host, port).items():
                children[name] = _start(command, environment)
            address = f"http://{'localhost' if host == '127.0.0.1' else host}:{port}"
            self._wait_until_it_answers(address, children)
            if not self.stopping:
                self._greet(address)
            dead = self._watch(children, host, port)
        finally:
            self.stdout.write("Stopping …")
            _stop_all(children)
        if dead:
            raise CommandError(f"The {dead} ended by itself (code {children[dead].returncode}).")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _watch(
        self, children: dict[str, subprocess.Popen[bytes]], host: str, port: int
    ) -> str | None:
        """Wait for a signal (None), replacing what ends; return what ends as soon as it starts."""
        born = dict.fromkeys(children, time.monotonic())
        while not self.stopping:
            for name, child in children.items():
                if child.poll() is None:
                    continue
                if time.monotonic() - born[name] < TOO_SOON_SECONDS:
                    return name
                self.stderr.write(f"The {name} ended (code {child.returncode}) and starts again.")
                _kill_group(child)
                children[name], born[name] = _start(*_commands(host, port)[name]), time.monotonic()
            time.sleep(0.3)
        return None

    def _wait_until_it_answers(
        self, address: str, children: dict[str, subprocess.Popen[bytes]]
    ) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.stopping and all(child.poll() is None for child in children.values()):
            try:
                with urllib.request.urlopen(f"{address}/api/health", timeout=5):  # noqa: S310
                    return
            except urllib.error.HTTPError:
                return  # it answers; what it says is for the health page
            except OSError:
                if time.monotonic() > deadline:
                    raise CommandError(f"The web server did not answer at {address}.") from None
                time.sleep(0.2)

    def _greet(self, address: str) -> None:
        lines = ["", f"  Atalaya runs at {address}/admin/   (API docs: {address}/api/docs)", ""]
        lines += [f"  {line}" for line in _demo_logins()]
        lines += ["  Ctrl-C stops web server and workers.", ""]
        self.stdout.write("\n".join(lines))


def _commands(host: str, port: int) -> dict[str, tuple[list[str], dict[str, str]]]:
    work = [sys.executable, "-m", "config.work"]
    # One process for pages and for live event streams, which WSGI could only answer by polling.
    # Web server and workers run under supervisors that replace what hangs.
    web = [sys.executable, "-m", "config.serve", "--interface", "asgi", "--host", host]
    web += ["--port", str(port), "--no-ws", "--log-level", "error"]
    # An open stream never ends by itself and must not hold up Ctrl-C.
    web += ["--workers-kill-timeout", str(KILL_SECONDS)]
    web += ["--static-path-route", settings.STATIC_URL.rstrip("/")]
    web += ["--static-path-mount", str(settings.STATIC_ROOT), "config.asgi:application"]
    return {
        "web server": (web, {}),
        "worker": (work, {}),
        # Backups and restores take long and must not hold up the rest.
        "worker for long tasks": (work, {"Q_CLUSTER_NAME": "long"}),
    }


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    # In a session of its own, so that Ctrl-C reaches only us and each child is stopped once,
    # in order, together with the processes it has started itself.
    return subprocess.Popen(  # noqa: S603
        command, env={**os.environ, **environment}, cwd=settings.BASE_DIR, start_new_session=True
    )


def _stop_all(children: dict[str, subprocess.Popen[bytes]]) -> None:
    for child in children.values():
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children.values():
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, deadline - time.monotonic()))
        _kill_group(child)


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.wait()


def _refuse_busy_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} of {host} is not free ({error.strerror}). Choose another: "
                "make run PORT=8001"
            ) from error


def _demo_logins() -> list[str]:
    names = demo.logins() if settings.DEMO_MODE else []
    if not names:
        return []
    lines = [f"Demo sign-ins, all with the password {demo.PASSWORD}:"]
    lines += [f"  {name:<16} {role.replace('_', ' ')}" for name, role in names]
    if settings.REQUIRE_STAFF_2FA:
        lines.append(f"  and the one-time code {demo_code()}")
    return [*lines, ""]
