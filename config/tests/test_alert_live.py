"""An alert from end to end: a web process that is really slow, the clock, Telegram, and a human."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django_q.models import Schedule

from config.tests.live import Caller, Server, calling, environment, make_people
from systemadmin.models import Alert, AlertRule, ApiToken
from systemadmin.services import change_settings
from systemadmin.tests.telegram_server import telegram_server

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

BOT = "123456:the-bots-own-token-of-this-test"
# Longer than the processes keep their counts to themselves.
SLOW_SECONDS = 11


@pytest.fixture
def telegram():
    with telegram_server() as (api, address):
        api.variables = {
            "TELEGRAM_BOT_TOKEN": BOT,
            "TELEGRAM_CHAT_ID": "-100200300",
            "TELEGRAM_API_URL": address,
        }
        yield api


@contextmanager
def running(env):
    """One web process and one worker."""
    server = Server(env)
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        cwd=settings.BASE_DIR,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        server.wait()
        yield server
    finally:
        server.kill()
        family = psutil.Process(worker.pid).children(recursive=True)
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
        for one in family:
            if one.is_running():
                os.kill(one.pid, signal.SIGKILL)


@contextmanager
def slow_database():
    """Whoever looks up a token waits until the block ends."""
    db = connection.settings_dict
    with psycopg.connect(
        host=db["HOST"],
        port=db["PORT"] or 5432,
        user=db["USER"],
        password=db["PASSWORD"],
        dbname=db["NAME"],
    ) as other:
        other.execute(f"LOCK TABLE {ApiToken._meta.db_table} IN ACCESS EXCLUSIVE MODE")
        yield


def until(happened, seconds=60):
    """Let the minute of the alerts come again and again until it happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        Schedule.objects.filter(name="systemadmin.alerts").update(next_run=timezone.now())
        time.sleep(1)


def about_slow_answers(bodies):
    """The texts of this test's alert: no worker for long tasks runs here, which is another one."""
    return [body["text"] for body in bodies if "Slow answers" in body["text"]]


def test_firing_acknowledged_recovered(telegram, tmp_path):
    call_command("setup")
    AlertRule.objects.exclude(code="response_time").update(is_enabled=False)
    AlertRule.objects.filter(code="response_time").update(for_seconds=0)
    # Only what this test is about: nobody has made a backup either.
    change_settings(actor=None, values={"alerts.group_wait_seconds": 0, "backups.enabled": False})
    tokens = make_people()
    # What Telegram says first: wait a second, then that it is broken.
    telegram.answers = [
        (429, {"ok": False, "error_code": 429, "parameters": {"retry_after": 1}}),
        (500, {"ok": False, "error_code": 500}),
    ]
    env = environment(tmp_path) | telegram.variables
    with running(env) as server, ThreadPoolExecutor(4) as pool:
        member = {"Authorization": f"Bearer {tokens['member']}"}
        with slow_database():
            waiting = [pool.submit(server.get, "/api/auth/me", member) for _ in range(4)]
            time.sleep(SLOW_SECONDS)
        assert [call.result()[0] for call in waiting] == [200] * 4

        until(lambda: about_slow_answers(telegram.taken), seconds=150)
        alert = Alert.objects.get(resolved_at=None, rule="metric.response_time")
        assert (alert.rule, alert.status) == ("metric.response_time", "firing")

        path = f"/api/admin/alerts/{alert.pk}/acknowledge"
        assert server.call("POST", path, tokens["staff"], {"note": "looking"})[0] == 200

        calls = []
        with calling([Caller(server, "member", tokens["member"], 20, calls)]):
            until(lambda: len(about_slow_answers(telegram.taken)) == 2, seconds=90)
    alert.refresh_from_db()
    assert (alert.status, alert.acknowledged_by.is_superuser) == ("resolved", True)
    assert {path for path, _body in telegram.calls} == {f"/bot{BOT}/sendMessage"}
    assert {body["chat_id"] for _path, body in telegram.calls} == {"-100200300"}
    fired, recovered = about_slow_answers(telegram.taken)
    assert "Slow answers" in fired
    assert "✅" in recovered
    # Twice something was refused and sent again; each arrived once.
    assert len(telegram.calls) == len(telegram.taken) + 2
