"""Maintenance under load, and a database that is gone, seen from outside real processes."""

import json
import os
import time
from collections import Counter

import pytest
from django.db import connection

from config.tests.live import Cable, Caller, Server, calling, environment, make_people

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
]
MAINTENANCE = "/api/admin/maintenance"
CALLS_A_SECOND = 200
CALLERS = 8
# All processes must have heard of a switch by then, in seconds.
AGREED_AFTER = 1.0


@pytest.fixture
def serve():
    running = []

    def start(env, count=1):
        started = [Server(env) for _ in range(count)]
        running.extend(started)
        for server in started:
            server.wait()
        return started

    yield start
    for server in running:
        server.kill()


@pytest.fixture(params=["database", "redis"])
def redis_url(request):
    """How the processes tell each other: by the database's cache, or by Redis."""
    if request.param == "redis" and not os.environ.get("REDIS_URL"):
        pytest.skip("needs REDIS_URL")
    return os.environ["REDIS_URL"] if request.param == "redis" else ""


def press(server, token, path, body):
    """Switch maintenance by the API of one of the servers; return when it was done."""
    status, _headers, text = server.call("POST", f"{MAINTENANCE}/{path}", token, body)
    assert status in (200, 201), text
    return time.monotonic()


def test_all_processes_agree_within_a_second_under_load(serve, tmp_path, redis_url):
    tokens = make_people()
    servers = serve(environment(tmp_path, redis_url=redis_url), 2)
    calls = []
    callers = [
        Caller(servers[i % 2], who, tokens[who], CALLS_A_SECOND / CALLERS, calls)
        for i, who in enumerate(["member", "member", "staff", "staff"] * (CALLERS // 4))
    ]
    with calling(callers):
        time.sleep(2)
        on_at = press(servers[0], tokens["staff"], "enable", {"mode": "full", "message": "Soon"})
        time.sleep(3)
        off_at = press(servers[1], tokens["staff"], "disable", {})
        time.sleep(3)

    assert {call.status for call in calls} == {200, 503}
    assert {call.status for call in calls if call.caller == "staff"} == {200}
    members = [call for call in calls if call.caller == "member"]
    closed = [c for c in members if on_at + AGREED_AFTER < c.sent_at < off_at - AGREED_AFTER]
    reopened = [c for c in members if c.sent_at > off_at + AGREED_AFTER]
    for phase, status in ((closed, 503), (reopened, 200)):
        answers = Counter((call.port, call.status) for call in phase)
        assert answers.keys() == {(server.port, status) for server in servers}, answers


def database_check(server):
    return json.loads(server.get("/api/health/ready")[2])["checks"]["database"]


def test_the_stopped_database_is_a_503_that_says_so(serve, tmp_path):
    db = connection.settings_dict
    cable = Cable((db["HOST"], int(db["PORT"] or 5432)))
    tokens = make_people()
    (server,) = serve(environment(tmp_path, database_port=cable.port))
    member = {"Authorization": f"Bearer {tokens['member']}"}
    assert server.get("/api/auth/me", member)[0] == 200
    assert database_check(server) == "ok"

    cable.cut()
    began = time.monotonic()
    status, headers, text = server.get("/api/auth/me", member)
    assert (status, json.loads(text)["code"]) == (503, "database_unavailable")
    assert int(headers["Retry-After"]) > 0
    # Not one time-out after the other: the first caller finds out for all.
    for _ in range(20):
        assert server.get("/api/auth/me", member)[0] == 503
    assert time.monotonic() - began < 20
    # Pages too, once they need the database: to know whose session it is.
    for path in ("/admin/", "/admin/login/"):
        headers = {"Accept": "text/html", "Cookie": "sessionid=somebodys"}
        status, _headers, text = server.get(path, headers)
        assert status == 503, (path, status, text[:500])
        assert db["USER"] not in text
        assert "Traceback" not in text
    assert server.get("/api/health")[0] == 200
    assert server.get("/api/health/ready")[0] == 503
    assert "OperationalError" in database_check(server)

    cable.mend()
    deadline = time.monotonic() + 15
    while server.get("/api/auth/me", member)[0] != 200:
        assert time.monotonic() < deadline, "it did not come back"
        time.sleep(0.2)
    # Readiness is measured anew after a second or two.
    while database_check(server) != "ok":
        assert time.monotonic() < deadline, "it did not come back"
        time.sleep(0.2)
