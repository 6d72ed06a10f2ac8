"""Verification as a job: asked for, resumed, seen, alerted; and lowering the retention."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from systemadmin import audit
from systemadmin.audit_guard import missing_guards
from systemadmin.foundation import queue
from systemadmin.foundation.testing import assert_constant_queries, problem, triggers_off
from systemadmin.models import (
    Alert,
    AuditEntry,
    AuditSeal,
    AuditStatement,
    AuditVerification,
    Notification,
)
from systemadmin.services import audit_heads, audit_runs, audit_verification, audit_walk
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.audit_verification import verify_since_checkpoint
from systemadmin.services.configuration import change_settings
from systemadmin.status import audit_trail

pytestmark = pytest.mark.django_db
URL = "/api/admin/audit/verifications"


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    options = {"OPTIONS": {"location": tmp_path / "backups"}}
    settings.STORAGES = {**settings.STORAGES, "backups": {**place, **options}}


@pytest.fixture
def auditor(as_user, staff):
    return as_user(staff("auditor"))


@pytest.fixture
def trail(member):
    for number in range(9):
        audit.record("test.act", actor=member, after={"number": number})
    seal_audit_trail()
    return list(AuditEntry.objects.order_by("id").values_list("id", flat=True))


def forge(pk):
    with triggers_off() as cursor:
        cursor.execute("UPDATE systemadmin_auditentry SET reason = 'x' WHERE id = %s", [pk])


def test_a_verification_is_queued_run_and_read(auditor, trail):
    answer = auditor.post(URL)
    assert answer.status_code == 202
    run = answer.json()
    assert (run["status"], run["holds"]) == ("queued", None)
    problem(auditor.post(URL), 409, "audit_verification_running")
    queue.drain()
    run = auditor.get(f"{URL}/{run['id']}").json()
    assert (run["status"], run["holds"], run["fault_count"]) == ("done", True, 0)
    assert run["checked"] == run["total"] == 10, "the request itself is a row"
    state = auditor.get(f"{URL}/state").json()
    assert state["last"]["id"] == run["id"]
    assert (state["running"], state["missing_triggers"]) == (None, [])
    entry = AuditEntry.objects.get(action="systemadmin.audit.verified")
    assert entry.metadata["holds"] is True
    assert entry.actor_id is not None


def test_a_forged_row_is_named_and_raises_an_alert_that_ends(auditor, trail):
    forge(trail[3])
    auditor.post(URL)
    queue.drain()
    run = auditor.get(URL).json()["results"][0]
    assert run["holds"] is False
    assert run["first_fault"] == {
        "kind": "row changed",
        "position": 4,
        "entry": trail[3],
        "detail": "",
    }
    alert = Alert.objects.get(rule="audit.verification_failed")
    assert (alert.severity, alert.status) == ("critical", "firing")
    assert audit_trail()["status"] == "error"
    audit_runs.explain_fault(actor=None, fault="row changed", position=4, reason="an exercise")
    assert audit_runs.verify_now().holds
    alert.refresh_from_db()
    assert alert.status == "resolved"
    assert audit_trail()["status"] == "ok"


def test_reading_the_state_costs_the_same_for_a_longer_trail(auditor, trail):
    audit_runs.verify_now()

    def grow():
        for _ in range(10):
            audit.record("test.more")
        seal_audit_trail()

    assert_constant_queries(lambda: auditor.get(f"{URL}/state"), grow)


def test_a_queued_run_that_no_worker_takes_is_done_by_hand(trail):
    queued = audit_runs.request_verification(actor=None)
    assert audit_runs.verify_now().pk == queued.pk
    finished = AuditVerification.objects.get()
    assert (finished.status, finished.holds) == ("done", True)
    queue.drain()
    again = AuditVerification.objects.get()
    assert again.finished_at == finished.finished_at, "its task came late and found it done"


def test_an_interrupted_run_goes_on_where_it_was(trail, monkeypatch):
    monkeypatch.setattr(audit_walk, "CHUNK", 2)
    monkeypatch.setattr(audit_runs, "PROGRESS_SECONDS", 0)
    keep, kept = audit_runs._Progress.__call__, []

    def dies_at_the_second(self, walked):
        keep(self, walked)
        kept.append(walked.position)
        if len(kept) == 2:
            raise SystemExit

    monkeypatch.setattr(audit_runs._Progress, "__call__", dies_at_the_second)
    with pytest.raises(SystemExit):
        audit_runs.verify_now()
    run = AuditVerification.objects.get()
    assert (run.status, run.checked) == ("running", 4)
    audit_runs.verify_by_the_clock()
    run.refresh_from_db()
    assert (run.status, run.holds, run.checked) == ("done", True, 9)
    assert kept[2] == 6, "it did not begin again"


def test_what_a_forger_writes_as_progress_is_not_believed(trail):
    forge(trail[0])
    run = AuditVerification.objects.create(status="running", checked=9, resume={"position": 9})
    audit_runs.verify_now()
    run.refresh_from_db()
    assert (run.status, run.holds) == ("done", False)


def test_a_restore_verifies_only_what_is_newer_than_the_checkpoint(trail, monkeypatch):
    assert audit_runs.verify_now().holds
    seen = []
    original = audit_walk.read_rows
    monkeypatch.setattr(audit_walk, "read_rows", lambda ids: seen.extend(ids) or original(ids))
    audit.record("test.newer")
    seal_audit_trail()
    assert verify_since_checkpoint().holds
    assert 0 < len(seen) <= 3
    forge(seen[-1])
    assert verify_since_checkpoint().first_fault.kind == "row changed"


def test_a_restore_computes_few_codes_without_a_checkpoint_too(trail, monkeypatch):
    seen = []
    original = audit_walk.read_rows
    monkeypatch.setattr(audit_walk, "read_rows", lambda ids: seen.extend(ids) or original(ids))
    monkeypatch.setattr(audit_verification, "NEWEST", 3)
    assert verify_since_checkpoint().holds
    assert len(seen) == 3
    forge(trail[-1])
    assert verify_since_checkpoint().first_fault.kind == "row changed"


def test_a_restore_misses_old_rows_and_links_that_are_gone(trail, monkeypatch):
    monkeypatch.setattr(audit_verification, "NEWEST", 3)
    _second, third = AuditSeal.objects.filter(position__in=[2, 3]).order_by("position")
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM systemadmin_auditentry WHERE id = %s", [third.entry_id])
    fault = verify_since_checkpoint().first_fault
    assert (fault.kind, fault.position) == ("row removed", 3)
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM systemadmin_auditseal WHERE position IN (2, 3)")
    assert verify_since_checkpoint().first_fault.kind == "rows removed"


def test_a_checkpoint_of_a_forger_is_not_believed(trail):
    forge(trail[0])
    last = audit_heads.current_head()
    AuditStatement.objects.create(
        kind="verified",
        position=last.position,
        body={"chain": last.body["chain"]},
        made_at=timezone.now(),
        kid=last.kid,
        signature="0" * 64,
    )
    assert verify_since_checkpoint().first_fault.position == 1


def test_the_status_warns_when_nothing_was_verified_for_two_nights(trail):
    run = audit_runs.verify_now()
    assert audit_trail()["status"] == "ok"
    AuditVerification.objects.filter(pk=run.pk).update(
        finished_at=timezone.now() - timedelta(days=3)
    )
    assert audit_trail()["status"] == "warning"
    assert missing_guards() == []


def test_the_admin_shows_the_state_and_queues_a_run(admin_client_for, staff, trail):
    browser = admin_client_for(staff("auditor"))
    page = browser.get("/admin/systemadmin/auditentry/")
    assert "never" in page.content.decode()
    assert browser.get("/admin/systemadmin/auditentry/verify/").status_code == 403
    answer = browser.post("/admin/systemadmin/auditentry/verify/", follow=True)
    assert "queued" in answer.content.decode()
    queue.drain()
    forge(trail[2])
    audit_runs.verify_now()
    text = browser.get("/admin/systemadmin/auditentry/").content.decode()
    assert "does not hold" in text
    assert "row changed" in text
    assert browser.get("/admin/systemadmin/auditverification/").status_code == 200
    agent = admin_client_for(staff("support_agent"))
    assert agent.post("/admin/systemadmin/auditentry/verify/").status_code == 403


def test_the_command_tells_and_exits_with_one(trail, capsys):
    call_command("verify_audit")
    assert "holds" in capsys.readouterr().out
    forge(trail[4])
    with pytest.raises(SystemExit) as stop:
        call_command("verify_audit")
    assert stop.value.code == 1
    assert f"row changed: position 5, audit entry {trail[4]}" in capsys.readouterr().err
    with pytest.raises(CommandError):
        call_command("verify_audit", head=["nonsense"])
    with pytest.raises(CommandError):
        call_command("verify_audit", explain=["row changed", "5"])
    with pytest.raises(CommandError):
        call_command("verify_audit", explain=["row not ours", "0"], reason="all of them")


def test_lowering_the_retention_is_told_to_every_superuser(superuser, staff):
    superuser.email = "root@example.com"
    superuser.save()
    operator = staff("operator")
    change_settings(actor=operator, values={"audit.retention_days": 800})
    assert not Notification.objects.exists()
    change_settings(actor=operator, values={"audit.retention_days": 400}, reason="less disk")
    notice = Notification.objects.get(user=superuser, channel="email")
    assert "from 800 to 400 days" in notice.body
    assert "less disk" in notice.body
    assert Alert.objects.filter(rule="audit.retention_lowered").exists()
