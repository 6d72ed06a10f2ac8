"""The documented set-up on real processes: the shipped nginx file, two web processes, a stream,
Redis; and Redis lost behind it. Production settings, a host name that is not localhost."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from config.tests.live import Server
from config.tests.shipped_nginx import NGINX, ShippedNginx
from systemadmin.tests.migrated import copy_migrated_sqlite
from systemadmin.tests.own_redis import OwnRedis

pytestmark = [
    pytest.mark.slow,
    pytest.mark.own_sqlite,
    pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server"),
]
needs_nginx = pytest.mark.skipif(not NGINX, reason="needs nginx (apt-get install nginx-light)")
PEOPLE = """
import json
from systemadmin.models import ApiToken, User
from systemadmin.services import change_settings
change_settings(actor=None, values={"ratelimit.login": "1000/m", "messaging.quota_new": []})
found = {}
for name, is_staff in (("ana", False), ("bea", False), ("root", True)):
    user = User.objects.create_user(
        name, f"{name}@atalaya.example", "long-enough-1", is_staff=is_staff, is_superuser=is_staff
    )
    found[name] = {"id": user.pk, "token": ApiToken.objects.create(user=user)[1]}
print("PEOPLE" + json.dumps(found))
"""
# What nginx would send with a request that came by HTTPS.
BY_PROXY = {"Host": "atalaya.example", "X-Forwarded-Proto": "https"}
SIGN_IN = {"username": "ana", "password": "long-enough-1"}


def manage(env, *arguments):
    ran = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def redis():
    server = OwnRedis()
    yield server
    server.resume()
    server.kill()


@pytest.fixture(scope="module")
def environment(tmp_path_factory, django_db_setup, redis):
    folder = tmp_path_factory.mktemp("installed")
    copy_migrated_sqlite(folder / "installed.sqlite3")
    kept = ("PATH", "HOME", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(64),
        "BACKUP_PASSPHRASE": secrets.token_urlsafe(32),
        "DJANGO_ALLOWED_HOSTS": "atalaya.example",
        "PUBLIC_URL": "https://atalaya.example",
        "TRUSTED_PROXY_COUNT": "1",
        "REQUIRE_STAFF_2FA": "0",
        "VAR_DIR": str(folder),
        "STATIC_ROOT": str(folder / "static"),
        "DATABASE_URL": f"sqlite:///{folder}/installed.sqlite3",
        "REDIS_URL": redis.url,
    }


@pytest.fixture(scope="module")
def people(environment):
    return json.loads(manage(environment, "shell", "-v0", "-c", PEOPLE).split("PEOPLE", 1)[1])


@pytest.fixture(scope="module")
def servers(environment, people):
    started = [Server(environment), Server(environment), Server(environment, "asgi")]
    for server in started:
        server.wait()
    yield started
    for server in started:
        server.kill()


@pytest.fixture(scope="module")
def nginx(environment, servers, tmp_path_factory):
    manage(environment, "collectstatic", "--noinput", "-v0")
    folder = tmp_path_factory.mktemp("nginx")
    web, _other, stream = servers
    shipped = ShippedNginx(
        folder, web=web.port, stream=stream.port, static=environment["STATIC_ROOT"]
    )
    # The workers of nginx run as another account when this runs as root.
    static = Path(environment["STATIC_ROOT"])
    for path in (folder, *folder.parents, static, *static.parents):
        if path.stat().st_mode & 0o001 == 0:
            path.chmod(path.stat().st_mode | 0o011)
    assert shipped.check()[0] == 0, shipped.check()[1]
    yield shipped.start()
    shipped.stop()


@pytest.fixture
def browser(nginx):
    with httpx.Client(
        base_url=f"https://127.0.0.1:{nginx.tls}",
        headers={"Host": "atalaya.example"},
        verify=False,
        timeout=30,
    ) as client:
        yield client


def log_of(environment, request_id):
    with open(f"{environment['VAR_DIR']}/logs/atalaya.log", encoding="utf-8") as lines:
        return next(json.loads(line) for line in lines if request_id in line)


@needs_nginx
def test_first_page_sign_in_page_and_static_files(browser, nginx):
    assert browser.get("/").headers["Location"] == "/admin/"
    page = browser.get("/admin/login/")
    assert (page.status_code, "csrfmiddlewaretoken" in page.text) == (200, True)
    style = browser.get("/static/admin/css/base.css")
    assert (style.status_code, style.headers["Content-Type"]) == (200, "text/css")
    assert browser.get("/static/../installed.sqlite3").status_code == 404
    plain = httpx.get(f"http://127.0.0.1:{nginx.plain}/admin/", headers={"Host": "elsewhere"})
    assert plain.status_code == 301
    assert plain.headers["Location"] == "https://atalaya.example/admin/"


@needs_nginx
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:81", "proxy_1", "10.0.0.5"])
def test_probes_by_address_with_and_without_tls(browser, nginx, host):
    for address in (f"http://127.0.0.1:{nginx.plain}", f"https://127.0.0.1:{nginx.tls}"):
        for path in ("/api/health", "/api/health/ready"):
            answer = httpx.get(address + path, headers={"Host": host}, verify=False)
            assert answer.status_code == 200, answer.text
    assert browser.get("/api/faqs", headers={"Host": host}).status_code == 400


@needs_nginx
def test_what_a_caller_says_of_its_address_is_dropped(browser, environment):
    for number, name in enumerate(
        ("X-Forwarded-For", "X_Forwarded_For", "x_forwarded-for", "Forwarded", "X-Real-IP")
    ):
        request_id = f"spoofed-{number}"
        headers = {name: "203.0.113.66", "X-Request-ID": request_id, "X-Forwarded-Proto": "http"}
        answer = browser.get("/api/faqs", headers=headers)
        assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, request_id)
        assert log_of(environment, request_id)["ip"] == "127.0.0.1", name


@needs_nginx
def test_events_come_at_once_through_the_proxy(browser, people):
    headers = {"Authorization": f"Bearer {people['ana']['token']}"}
    with browser.stream("GET", "/api/messages/stream", headers=headers) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert any(line == "event: ready" for line in lines)
        sent = browser.post(
            "/api/messages",
            json={"recipient": people["ana"]["id"], "body": "hola"},
            headers={"Authorization": f"Bearer {people['bea']['token']}"},
        )
        assert sent.status_code == 201, sent.text
        assert any('"body":"hola"' in line for line in lines)


@needs_nginx
def test_nginx_answers_the_api_with_problems(browser, nginx, tmp_path):
    answer = browser.post("/api/faqs", content=b"x" * (111 * 1024 * 1024))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    away = ShippedNginx(tmp_path, web=1, stream=1, static=tmp_path).start()
    try:
        url = f"https://127.0.0.1:{away.tls}/api/faqs"
        hostile = {"X-Request-ID": '","a":"'}
        answer = httpx.get(url, headers=hostile, verify=False)
    finally:
        away.stop()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"] != hostile["X-Request-ID"]


def call(server, method, path, who=None, body=None):
    headers = {**BY_PROXY, "X-Forwarded-For": "203.0.113.7"}
    if who:
        headers["Authorization"] = f"Bearer {who['token']}"
    url = f"http://127.0.0.1:{server.port}{path}"
    # A request that hangs is an error and not an answer.
    return httpx.request(method, url, headers=headers, json=body, timeout=15)


def wait_for_sign_in(server):
    deadline = time.monotonic() + 15
    while (answer := call(server, "POST", "/api/auth/login", body=SIGN_IN)).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)


def until_ready(server):
    """The readiness once Redis is used again, which may take some seconds on a busy machine."""
    deadline = time.monotonic() + 20
    while True:
        status = call(server, "GET", "/api/health/ready").json()["status"]
        if status == "ok" or time.monotonic() > deadline:
            return status
        time.sleep(0.3)


@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_a_lost_redis_takes_nobody_out(servers, people, redis, fault):
    for server in servers:
        wait_for_sign_in(server)
    getattr(redis, fault)()
    try:
        for server in servers:
            for _ in range(20):
                assert call(server, "GET", "/api/auth/me", people["ana"]).status_code == 200
            assert call(server, "GET", "/api/health").status_code == 200
            ready = call(server, "GET", "/api/health/ready")
            assert (ready.status_code, ready.json()["status"]) == (200, "degraded"), ready.text
            written = {"recipient": people["bea"]["id"], "body": f"without Redis {server.port}"}
            sent = call(server, "POST", "/api/messages", people["ana"], written)
            assert sent.status_code == 201, sent.text
            for path, body in (
                ("/api/auth/login", SIGN_IN),
                ("/api/admin/backup", {}),
                ("/api/admin/restore/1", {"confirm": "x"}),
            ):
                who = None if path == "/api/auth/login" else people["root"]
                refused = call(server, "POST", path, who, body)
                assert (refused.status_code, refused.json()["code"]) == (
                    503,
                    "rate_limit_unavailable",
                ), (path, refused.text)
                assert int(refused.headers["Retry-After"]) > 0
    finally:
        redis.resume() if fault == "hang" else redis.start()
    for server in servers:
        wait_for_sign_in(server)
        assert until_ready(server) == "ok"
