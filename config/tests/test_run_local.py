"""What `make run` ends in: all processes start together, and none outlives the others."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from django.conf import settings

from config.management.commands import run_local
from systemadmin.tests.migrated import copy_migrated_sqlite

pytestmark = [pytest.mark.slow, pytest.mark.own_sqlite]
# Two members with tokens, made inside `manage.py shell`.
WORLD = Path(settings.BASE_DIR) / "messaging" / "tests" / "stream_world.py"


@pytest.fixture(scope="module")
def environment(tmp_path_factory, django_db_setup):
    """A migrated database of its own."""
    file = tmp_path_factory.mktemp("db") / "local.sqlite3"
    copy_migrated_sqlite(file)
    env = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    env |= {
        "DJANGO_DEBUG": "1",
        "DEMO_MODE": "1",
        "VAR_DIR": str(tmp_path_factory.mktemp("var")),
        "DATABASE_URL": f"sqlite:///{file}",
        "PYTHONUNBUFFERED": "1",
    }
    return env


def manage(env, *args, wait=False, text=None):
    process = subprocess.Popen(
        [sys.executable, "manage.py", *args],
        cwd=settings.BASE_DIR,
        env=env,
        stdin=None if text is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if wait:
        output = process.communicate(text, timeout=240)[0]
        assert process.returncode == 0, output
        return output
    return process


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def local(environment, port):
    process = manage(environment, "run_local", "--port", str(port))
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C stops" in line:
            break
    family = psutil.Process(process.pid).children(recursive=True)
    yield process, lines, family
    if process.poll() is None:
        process.terminate()
        process.communicate(timeout=60)


def nobody_left(family):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        left = [one for one in family if one.is_running() and one.status() != "zombie"]
        if not left:
            return True
        time.sleep(0.2)
    return False


def test_it_serves_pages_and_stops_on_ctrl_c(local, port):
    process, lines, family = local
    assert f"http://localhost:{port}/admin/" in "".join(lines)
    for path in ("/api/health", "/admin/login/", "/static/admin/css/base.css"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            assert answer.status == 200
    assert sum("qcluster" in " ".join(one.cmdline()) for one in family) >= 2
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert nobody_left(family)


def test_a_message_reaches_an_open_stream_which_does_not_hold_up_the_end(environment, local, port):
    process, _lines, family = local
    output = manage(environment, "shell", "-v0", wait=True, text=WORLD.read_text())
    line = next(line for line in output.splitlines() if line.startswith("WORLD "))
    people = json.loads(line.removeprefix("WORLD "))
    url = f"http://127.0.0.1:{port}/api/messages"
    bearer = {name: {"Authorization": f"Bearer {one['token']}"} for name, one in people.items()}
    message = {"recipient": people["ana"]["id"], "body": "hola"}
    with httpx.stream("GET", f"{url}/stream", headers=bearer["ana"], timeout=30) as stream:
        lines = stream.iter_lines()
        assert any(line == "event: ready" for line in lines)
        answer = httpx.post(url, json=message, headers=bearer["bea"], timeout=30)
        assert answer.status_code == 201, answer.text
        # Answered by polling, the stream would have ended after `ready`.
        assert any('"body":"hola"' in line for line in lines)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert time.monotonic() - began < 15
    assert nobody_left(family)


def words(one):
    with suppress(psutil.Error):
        return " ".join(one.cmdline())
    return ""


def until(happened, seconds=60):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.2)


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=3) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_what_ends_or_stands_still_is_replaced_and_the_others_go_on(local, port):
    process, _lines, family = local
    time.sleep(11)  # what ends sooner after its start is taken for broken
    worker = next(one for one in family if "qcluster" in " ".join(one.cmdline()))
    worker.kill()
    server = next(one for one in family if one.is_running() and "granian" in one.cmdline())
    server.kill()

    def family_now():
        return psutil.Process(process.pid).children(recursive=True)

    def web_workers():
        with suppress(psutil.Error):
            return [
                one
                for one in family_now()
                if one not in family
                and " granian " in words(one)
                and " granian " in words(one.parent())
            ]
        return []

    until(lambda: len(web_workers()) == 1 and answers(port))
    until(lambda: any("qcluster" in words(one) for one in family_now() if one not in family))
    new = family_now()
    (web,) = web_workers()
    web.suspend()
    until(lambda: not web.is_running() or web.status() == "zombie", seconds=60)
    until(lambda: answers(port))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert nobody_left([*family, *new])


def test_what_ends_as_soon_as_it_starts_ends_all_and_the_exit_code_says_so():
    command = run_local.Command()
    command.stopping = False
    children = {"web server": subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])}
    assert command._watch(children, "127.0.0.1", 1) == "web server"
    assert children["web server"].returncode == 3


def test_a_busy_port_is_named_before_anything_starts(environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        process = manage(environment, "run_local", "--port", str(number))
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert f"Port {number} of 127.0.0.1 is not free" in output
