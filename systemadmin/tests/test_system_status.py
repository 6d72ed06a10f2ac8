"""State of the system: every block, no secret, heartbeats, traffic, quarantine."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from systemadmin import live
from systemadmin.foundation import queue
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.task_registry import registered_tasks
from systemadmin.models import (
    Alert,
    Backup,
    ConfigurationChange,
    Heartbeat,
    RequestMinute,
    TaskAttempt,
)
from systemadmin.services import raise_alert, system_status, telemetry
from systemadmin.services.alerts import resolve_by_hand
from systemadmin.services.configuration import change_settings
from systemadmin.services.task_guard import begin
from systemadmin.status import pinned_backups
from systemadmin.status_services import services
from systemadmin.tests.backups.factories import BackupFactory
from systemadmin.tests.factories import StaffFactory, totp_device_for

pytestmark = pytest.mark.django_db
URL = "/api/admin/system"
CALLS = []


@pytest.fixture(autouse=True)
def fresh_status():
    system_status.forget_status()
    CALLS.clear()
    yield
    system_status.forget_status()


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def test_every_block_answers_and_no_secret_is_in_it(operator, settings):
    settings.TELEGRAM_BOT_TOKEN = "123456:very-secret-token"
    answer = operator.get(f"{URL}/status").json()
    assert set(system_status.BLOCKS) <= set(answer)
    failed = {k: v for k, v in answer.items() if isinstance(v, dict) and "error" in v}
    assert failed == {}
    assert answer["secrets"]["TELEGRAM_BOT_TOKEN"] == "present"
    assert "very-secret" not in json.dumps(answer)
    assert settings.SECRET_KEY not in json.dumps(answer)
    assert answer["database"]["unapplied_migrations"] == 0


def test_a_block_that_fails_hides_no_other(operator, monkeypatch):
    def broken():
        raise RuntimeError("postgres://user:password@host")

    monkeypatch.setitem(system_status.BLOCKS, "cache", broken)
    answer = operator.get(f"{URL}/status").json()
    assert answer["cache"] == {"status": "error", "error": "RuntimeError"}
    assert answer["status"] == "error"
    assert answer["machine"]["cpu_count"]


def test_metrics_in_prometheus_format(operator):
    response = operator.get(f"{URL}/metrics")
    assert response["Content-Type"].startswith("text/plain")
    lines = response.content.decode().splitlines()
    assert any(line.startswith("atalaya_queue_depth ") for line in lines)
    assert all(line.startswith("#") or len(line.split()) == 2 for line in lines)


def test_traffic_adds_up_over_processes(monkeypatch):
    for _ in range(95):
        telemetry.count_request(8, 200)
    for _ in range(5):
        telemetry.count_request(900, 500)
    telemetry.flush()
    monkeypatch.setattr(telemetry, "process_name", lambda: "other:1")
    telemetry.count_request(8, 200)
    telemetry.flush()
    seen = telemetry.traffic(5)
    assert (seen.requests, seen.error_percent) == (101, 4.95)
    assert seen.p95_ms == 10
    assert telemetry.percentile([{"9": 1}], 0.95) == 1000
    assert RequestMinute.objects.count() == 2


def test_the_web_side_notices_a_dead_worker():
    Heartbeat.objects.create(
        kind="worker", name="w:1", started_at=timezone.now(), last_seen_at=timezone.now()
    )
    telemetry.watch_workers()
    assert Alert.objects.count() == 0
    Heartbeat.objects.update(last_seen_at=timezone.now() - timedelta(minutes=10))
    telemetry.watch_workers()
    assert Alert.objects.get().rule == "queue.workers_dead"
    telemetry.beat("worker")
    telemetry.watch_workers()
    assert Alert.objects.get().status == "resolved"


def remember(value: int):
    CALLS.append(value)


def test_a_task_that_never_ends_is_set_aside(monkeypatch):
    for _ in range(3):
        assert begin("k1", "app.tasks.killer")
    assert not begin("k1", "app.tasks.killer")
    open_alerts = Alert.objects.exclude(status="resolved")
    assert [alert.rule for alert in open_alerts] == ["queue.task_quarantined"]
    assert TaskAttempt.objects.get().quarantined_at is not None
    queue.run_task(f"{__name__}.remember", "", "k1", 1)
    assert CALLS == []


def test_a_task_that_ends_leaves_no_trace(monkeypatch):
    monkeypatch.setitem(registered_tasks(), f"{__name__}.remember", remember)
    queue.enqueue(remember, 7)
    queue.drain()
    assert CALLS == [7]
    assert TaskAttempt.objects.count() == 0


def test_home_status_and_settings_pages(admin_client_for, superuser, staff):
    browser = admin_client_for(superuser)
    home = browser.get("/admin/")
    assert home.status_code == 200
    assert "What needs you now" in home.content.decode()
    assert browser.get("/admin/status/").status_code == 200
    page = browser.get("/admin/settings/?app=ratelimit")
    assert "ratelimit.read" in page.content.decode()
    data = {key: "50/m" for key in page.context["form"].fields if key.startswith("ratelimit.")}
    browser.post("/admin/settings/?app=ratelimit", {**data, "reason": "calm"})
    assert setting("ratelimit.read") == "50/m"
    wrong = browser.post("/admin/settings/?app=ratelimit", {**data, "ratelimit.read": "many"})
    assert wrong.context["form"].errors["ratelimit.read"]
    assert admin_client_for(staff("support_agent")).get("/admin/settings/").status_code == 403


def test_settings_have_words_and_lists_have_lines(admin_client_for, superuser):
    browser = admin_client_for(superuser)
    page = browser.get("/admin/settings/?app=messaging")
    form, text = page.context["form"], page.content.decode()
    assert form.fields["messaging.refused_domains"].label.startswith("Domains that no message")
    assert "messaging.refused_domains · one per line" in text
    assert ">Rate limits</a>" in text
    assert ">ratelimit</a>" not in text
    given = {name: form[name].value() for name in form.fields if name != "reason"}
    given = {name: value for name, value in given.items() if value is not False}
    given["messaging.refused_domains"] = " bad.example \r\n\r\nworse.example"
    assert browser.post("/admin/settings/?app=messaging", given).status_code == 302
    assert setting("messaging.refused_domains") == ["bad.example", "worse.example"]
    changed = ConfigurationChange.objects.values_list("key", flat=True)
    assert list(changed) == ["messaging.refused_domains"]
    wrong = browser.post(
        "/admin/settings/?app=messaging", {**given, "messaging.quota_new": "many a day"}
    )
    assert wrong.context["form"].errors["messaging.quota_new"]
    assert "many a day" in wrong.content.decode()


def test_the_status_says_in_one_line_each_how_the_services_are(admin_client_for, superuser):
    raise_alert(rule="test", key="1", severity="critical", summary="The moon is late")
    page = admin_client_for(superuser).get("/admin/status/?part=figures")
    text = page.content.decode()
    assert "<html" not in text
    found = {line.code for line in page.context["services"]}
    assert found == {
        "web", "errors", "database", "cache", "queue", "machine", "memory", "disk",
    }  # fmt: skip
    assert all(f'id="service-{code}"' in text for code in found)
    for shown in ("The moon is late", "Acknowledge", "Restore proven", "Every measurement"):
        assert shown in text


def test_a_block_that_cannot_be_read_is_a_line_that_says_so(db):
    broken = {"status": "error", "error": "OperationalError"}
    blocks = dict.fromkeys(("database", "cache", "queue", "machine"), broken)
    lines = services({**blocks, "requests": broken})
    assert {line.state for line in lines} == {"bad"}
    assert {line.detail for line in lines} == {"OperationalError"}


def test_open_pages_hear_of_alerts_and_of_the_clock(db):
    topic = next(one for one in live.TOPICS if one.code == "status")
    alert = raise_alert(rule="test", key="1", severity="warning", summary="x")
    before = set(topic.read())
    assert max(key for key, _about in before) > 0
    resolve_by_hand(actor=StaffFactory(), alert=alert)
    # At most the clock's row is new besides that of the alert's state.
    assert any(key < 0 for key, _about in set(topic.read()) - before)


def test_every_key_of_the_status_has_a_name_for_people(db):
    from systemadmin.services.system_status import system_status
    from systemadmin.status_page import words

    # The names of packages, of secrets and of groups of workers are their own.
    own = {"versions", "secrets", "clusters"}

    def keys(block):
        for key, value in block.items():
            yield key
            if isinstance(value, dict) and key not in own:
                yield from keys(value)

    found = set(keys(system_status()))
    assert len(found) > 60
    assert found - set(words()) == set()


def test_the_status_page_is_in_the_readers_language(staff, client):
    user = staff("operator", language="es")
    client.force_login(user, backend="systemadmin.backends.AccountBackend")
    session = client.session
    session["otp_device_id"] = totp_device_for(user).persistent_id
    session.save()
    page = client.get("/admin/status/", HTTP_ACCEPT_LANGUAGE="es").content.decode()
    for text in ("Disco libre", "Memoria", "Migraciones sin aplicar"):
        assert text in page
    assert "journal mode" not in page


def test_pinned_backups_are_named_once_they_are_old(db):
    old, new = BackupFactory(is_pinned=True), BackupFactory(is_pinned=True)
    BackupFactory()
    now = timezone.now()
    Backup.objects.filter(pk=old.pk).update(taken_at=now - timedelta(days=366))
    Backup.objects.filter(pk=new.pk).update(taken_at=now - timedelta(days=10))
    assert pinned_backups() == {"status": "warning", "pinned_too_old": [old.name]}
    change_settings(actor=None, values={"backups.pinned_days": 400})
    assert pinned_backups()["status"] == "ok"
