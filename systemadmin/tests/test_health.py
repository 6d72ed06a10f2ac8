"""Health and readiness: under any name, cheap, and clear about what is away."""

import threading

import pytest
from django.core.cache import cache
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from systemadmin.api import health
from systemadmin.api.health import Readiness
from systemadmin.foundation.hard_maintenance import disable_hard, enable_hard
from systemadmin.foundation.middleware import HEALTH_PATHS
from systemadmin.models import Alert
from systemadmin.services import alert_rules

pytestmark = pytest.mark.django_db
HOSTS = ["localhost:8000", "10.0.0.5", "[fd00::5]:8000", "web_1", "evil.example", "not a host"]


@pytest.fixture
def production(settings):
    settings.ALLOWED_HOSTS = ["atalaya.example"]
    settings.SECURE_SSL_REDIRECT = True


@pytest.fixture
def dead_cache(monkeypatch):
    def fail(*args, **kwargs):
        raise RedisConnectionError("redis://user:secret@cache:6379 refused")

    for name in ("get", "set", "add"):
        monkeypatch.setattr(cache._connections["default"], name, fail)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", sorted(HEALTH_PATHS))
def test_probes_are_answered_under_any_host_over_plain_http(production, client, path, host):
    assert client.get(path, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "path",
    [
        *("/api/auth/me", "/api/faqs", "/admin/login/", "/api/healthy", "/api/health/other"),
        *("//api/health", "/api/health//", "/api/health/ready/x", "/api//health", "/API/health"),
    ],
)
def test_every_other_path_keeps_to_the_allowed_hosts(production, client, path, host):
    assert client.get(path, headers={"host": host}, secure=True).status_code == 400


def test_liveness_asks_nothing_even_with_a_session(client, dead_cache, django_assert_num_queries):
    client.cookies["sessionid"] = "somebodys"
    headers = {"authorization": "Bearer abc", "accept-language": "es"}
    with django_assert_num_queries(0):
        assert client.get("/api/health", headers=headers).status_code == 200


def test_readiness_is_cheap_after_the_first_time(client, django_assert_max_num_queries):
    client.get("/api/health/ready")
    with django_assert_max_num_queries(12):
        client.get("/api/health/ready")


def test_a_lost_cache_is_degraded_and_takes_nobody_out(client, dead_cache):
    answer = client.get("/api/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["cache"] == "degraded: ConnectionError"
    assert "secret" not in answer.content.decode()


def test_a_cache_that_forgets_is_degraded(client, monkeypatch):
    monkeypatch.setattr(cache._connections["default"], "get", lambda *args, **kwargs: None)
    assert client.get("/api/health/ready").json()["status"] == "degraded"


def test_an_unreadable_queue_is_degraded(client, monkeypatch):
    def fail():
        raise OperationalError("no such table")

    monkeypatch.setattr(health.queue, "depth", fail)
    answer = client.get("/api/health/ready")
    assert (answer.status_code, answer.json()["checks"]["queue"]) == (
        200,
        "degraded: OperationalError",
    )


def test_a_missing_cluster_is_degraded(client, monkeypatch):
    monkeypatch.setattr(health, "missing_clusters", lambda: ["long"])
    answer = client.get("/api/health/ready")
    assert (answer.status_code, answer.json()["checks"]["queue"]) == (
        200,
        "degraded: no worker of long",
    )


def test_a_missing_migration_is_503_until_it_is_applied(client, monkeypatch):
    recorder = health.MigrationRecorder
    applied = recorder.applied_migrations
    assert client.get("/api/health/ready").status_code == 200

    def all_but_one(self):
        rows = applied(self)
        rows.pop(("systemadmin", max(name for app, name in rows if app == "systemadmin")))
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "applied_migrations", all_but_one)
        answer = client.get("/api/health/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["migrations"] == "error: 1 migrations not applied"
    assert client.get("/api/health/ready").status_code == 200


def test_a_restore_is_503_and_asks_no_database(client, django_assert_num_queries):
    enable_hard("test", 60)
    try:
        with django_assert_num_queries(0):
            answer = client.get("/api/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "error")
        assert client.get("/api/health").status_code == 200
    finally:
        disable_hard("test")


def test_a_database_that_hangs_holds_one_thread_and_not_all(monkeypatch):
    going_on, measured = threading.Event(), []

    def hang():
        measured.append(1)
        going_on.wait(30)
        return {"database": "ok"}

    monkeypatch.setattr(health, "run_checks", hang)
    monkeypatch.setattr(health, "WAIT_SECONDS", 0.05)
    readiness = Readiness()
    first = threading.Thread(target=readiness.checks)
    first.start()
    try:
        for _ in range(3):
            assert readiness.checks() == {"database": "error: no answer in time"}
        assert len(measured) == 1
    finally:
        going_on.set()
        first.join(30)
    assert readiness.checks() == {"database": "ok"}


def test_one_process_measures_at_most_once_per_second(settings, monkeypatch):
    measured = []
    monkeypatch.setattr(health, "run_checks", lambda: measured.append(1) or {"database": "ok"})
    settings.READINESS_MAX_AGE = 60.0
    readiness = Readiness()
    assert [readiness.checks() for _ in range(5)] == [{"database": "ok"}] * 5
    assert len(measured) == 1


def test_a_lost_cache_raises_an_alert_that_ends_by_itself(monkeypatch, dead_cache):
    alert_rules.ship_default_rules()

    def states():
        alert_rules.evaluate_rules()
        return list(Alert.objects.filter(rule="metric.cache").values_list("status", flat=True))

    assert states() == ["firing"]
    monkeypatch.undo()
    assert states() == ["resolved"]
