"""Closed for members, open for staff, on both sides of the API."""

from datetime import timedelta
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from systemadmin.foundation import queue
from systemadmin.foundation.hard_maintenance import disable_hard, enable_hard
from systemadmin.foundation.maintenance import queue_is_paused
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry, MaintenanceWindow
from systemadmin.services.maintenance import disable_maintenance, enable_maintenance

pytestmark = pytest.mark.django_db
URL = "/api/admin/maintenance"


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


@pytest.fixture
def hard(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    assert enable_hard("test", 60, "restoring")
    yield
    disable_hard("test")


def test_members_wait_and_staff_pass(operator, as_user, member, api):
    client = as_user(member)
    answer = operator.post(f"{URL}/enable", {"message": "Back soon", "message_es": "Ya volvemos"})
    assert answer.status_code == 200, answer.json()
    refused = client.get("/api/auth/sessions")
    body = problem(refused, 503, "maintenance")
    assert body["detail"] == "Back soon"
    assert int(refused["Retry-After"]) > 0
    spanish = client.get("/api/auth/sessions", HTTP_ACCEPT_LANGUAGE="es")
    assert problem(spanish, 503)["detail"] == "Ya volvemos"
    assert operator.get(URL).json()["enabled"] is True
    assert api.get("/api/health").status_code == 200
    assert api.get("/admin/login/").status_code == 200
    operator.post(f"{URL}/disable")
    assert client.get("/api/auth/sessions").status_code == 200


def test_browsers_get_a_page(operator, client):
    operator.post(f"{URL}/enable", {"message": "Back <b>soon</b>"})
    response = client.get("/")
    assert response.status_code == 503
    assert "Back &lt;b&gt;soon" in response.content.decode()
    assert response["Retry-After"]


def test_read_only_lets_reads_pass(operator, as_user, member):
    client = as_user(member)
    operator.post(f"{URL}/enable", {"mode": "read_only"})
    assert client.get("/api/auth/me").status_code == 200
    problem(client.delete("/api/auth/sessions/abc"), 503, "maintenance_read_only")


def test_a_bypassed_write_is_audited(operator):
    operator.post(f"{URL}/enable", {})
    operator.put("/api/admin/config", {"ratelimit.read": "70/m"})
    entry = AuditEntry.objects.get(action="systemadmin.maintenance.bypassed")
    assert entry.metadata == {"method": "PUT", "path": "/api/admin/config"}


def test_a_scheduled_window_opens_and_ends_by_the_clock(operator, as_user, member):
    client = as_user(member)
    now = timezone.now()
    operator.post(
        f"{URL}/enable",
        {
            "starts_at": (now + timedelta(hours=1)).isoformat(),
            "until": (now + timedelta(hours=2)).isoformat(),
        },
    )
    state = operator.get(URL).json()
    assert (state["enabled"], len(state["scheduled"])) == (False, 1)
    assert client.get("/api/auth/sessions").status_code == 200
    for hours, status in ((1.5, 503), (2.5, 200)):
        with mock.patch("systemadmin.foundation.maintenance.timezone.now") as clock:
            clock.return_value = now + timedelta(hours=hours)
            if status == 503:
                problem(client.get("/api/auth/sessions"), 503, "maintenance")


def test_it_always_has_an_end(operator):
    operator.post(f"{URL}/enable", {})
    window = MaintenanceWindow.objects.get()
    assert window.until - window.starts_at == timedelta(hours=12)


@pytest.mark.parametrize("until", ["2001-01-01T00:00:00Z", "soon"])
def test_a_wrong_end_is_named(operator, until):
    problem(operator.post(f"{URL}/enable", {"until": until}), 400, field="until")
    assert MaintenanceWindow.objects.count() == 0


def test_nothing_to_switch_off(operator):
    problem(operator.post(f"{URL}/disable"), 409, "no_maintenance")


def test_an_owner_ends_only_its_own(db):
    enable_maintenance(actor=None, owner="restore")
    enable_maintenance(actor=None, owner="somebody")
    assert disable_maintenance(actor=None, owner="restore") == 1
    assert MaintenanceWindow.objects.filter(ended_at__isnull=True).get().owner == "somebody"


def test_the_queue_pauses_only_when_told(db):
    enable_maintenance(actor=None)
    assert not queue_is_paused()
    enable_maintenance(actor=None, pause_queue=True)
    assert queue_is_paused()
    queue.enqueue("systemadmin.tasks.seal_audit")
    broker = queue.PausableBroker("default")
    with mock.patch("systemadmin.foundation.queue.time.sleep"):
        assert broker.dequeue() == []
    disable_maintenance(actor=None)
    assert broker.dequeue()


def test_hard_mode_asks_no_database(hard, client, django_assert_num_queries):
    with django_assert_num_queries(0):
        problem(client.get("/api/auth/me"), 503, "maintenance")
        assert client.get("/admin/").status_code == 503
        assert client.get("/api/health").status_code == 200


def test_a_database_that_is_down_is_a_503(api, as_user, member, admin_client_for, superuser):
    as_user_client, client = as_user(member), admin_client_for(superuser)
    down = OperationalError("could not connect to postgres://user:secret@host")
    with mock.patch("django.db.backends.utils.CursorWrapper.execute", side_effect=down):
        client.raise_request_exception = False
        body = problem(as_user_client.get("/api/auth/me"), 503, "database_unavailable")
        page = client.get("/admin/")
        ready = api.get("/api/health/ready")
    assert "secret" not in str(body)
    assert page.status_code == 503
    assert ready.status_code == 503
    assert "secret" not in ready.content.decode()


def test_the_command(capsys):
    call_command("maintenance", "on", "--minutes", "5", "--message", "x")
    assert "on: full" in capsys.readouterr().out
    call_command("maintenance", "status")
    assert "on: full" in capsys.readouterr().out
    call_command("maintenance", "off")
    assert capsys.readouterr().out.strip() == "off"
    with pytest.raises(CommandError):
        call_command("maintenance", "off")


def test_the_admin_page(admin_client_for, staff, superuser):
    browser = admin_client_for(superuser)
    assert browser.get("/admin/systemadmin/maintenancewindow/").status_code == 200
    assert browser.get("/admin/systemadmin/maintenancewindow/on/").status_code == 200
    browser.post("/admin/systemadmin/maintenancewindow/on/", {"mode": "full", "message": "x"})
    assert MaintenanceWindow.objects.count() == 1
    browser.post("/admin/systemadmin/maintenancewindow/off/")
    assert MaintenanceWindow.objects.filter(ended_at__isnull=True).count() == 0


def test_a_refused_window_keeps_what_was_typed(admin_client_for, superuser):
    browser = admin_client_for(superuser)
    page = "/admin/systemadmin/maintenancewindow/on/"
    assert 'type="datetime-local"' in browser.get(page).content.decode()
    typed = {"mode": "full", "message": "New shelves", "message_es": "Estantes nuevos"}
    times = {"starts_at": "2037-01-02T10:00", "until": "2037-01-02T09:00"}
    answer = browser.post(page, {**typed, **times})
    text = answer.content.decode()
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert "New shelves" in text
    assert 'value="2037-01-02T09:00"' in text
    assert not MaintenanceWindow.objects.exists()


def test_the_admin_page_refuses_those_without_the_permission(admin_client_for, staff):
    browser = admin_client_for(staff("auditor"))
    browser.post("/admin/systemadmin/maintenancewindow/on/", {"mode": "full"})
    assert MaintenanceWindow.objects.count() == 0
