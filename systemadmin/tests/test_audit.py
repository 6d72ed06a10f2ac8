"""The audit trail: complete, masked, and impossible to edit unseen."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from systemadmin import audit
from systemadmin.foundation.models import AppendOnlyError
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import AuditEntry, AuditSeal
from systemadmin.services.audit_chain import (
    retire_audit_entries,
    seal_audit_trail,
    verify_audit_trail,
)
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def trail(member):
    for number in range(5):
        audit.record("test.act", actor=member, target=member, after={"number": number})
    return list(AuditEntry.objects.order_by("id"))


def test_the_actor_outlives_the_account(trail, member):
    seal_audit_trail()
    member.delete()
    entry = AuditEntry.objects.earliest("id")
    assert (entry.actor, entry.actor_name, entry.actor_role) == (None, "marta", "member")
    assert verify_audit_trail().holds


def test_secrets_are_masked(member):
    entry = audit.record("test.secret", before={"password": "hunter2"}, after={"api_key": "k"})
    assert "hunter2" not in json.dumps(entry.before)
    assert entry.after == {"api_key": "***"}


def test_rows_refuse_change_and_deletion(trail):
    trail[0].action = "test.forged"
    with pytest.raises(AppendOnlyError):
        trail[0].save()
    with pytest.raises(AppendOnlyError):
        trail[0].delete()


def faults():
    return [kind for kind, _entry in verify_audit_trail().faults]


def test_an_untouched_trail_holds(trail):
    assert verify_audit_trail().unsealed == 5
    assert seal_audit_trail() == 5
    assert seal_audit_trail() == 0
    report = verify_audit_trail()
    assert report.holds
    assert (report.checked, report.unsealed) == (5, 0)


def test_a_changed_row_is_found(trail):
    seal_audit_trail()
    AuditEntry.objects.filter(pk=trail[2].pk).update(reason="nothing to see")
    assert faults() == ["row changed"]


def test_a_changed_row_is_found_before_it_is_sealed(trail):
    AuditEntry.objects.filter(pk=trail[2].pk).update(actor_name="someone else")
    assert faults() == ["row not ours"]


def test_a_removed_row_is_found(trail):
    seal_audit_trail()
    AuditEntry.objects.filter(pk=trail[2].pk).delete()
    assert faults() == ["row removed"]


def test_an_inserted_row_is_found_sealed_or_not(trail, member):
    AuditEntry.objects.create(occurred_at=timezone.now(), action="test.forged", actor=member)
    assert faults() == ["row not ours"]
    seal_audit_trail()
    assert faults() == ["row not ours"]


def test_a_removed_pair_of_row_and_link_is_found(trail):
    seal_audit_trail()
    AuditSeal.objects.filter(entry_id=trail[2].pk).delete()
    AuditEntry.objects.filter(pk=trail[2].pk).delete()
    assert faults() == ["chain broken"]


def test_a_row_that_becomes_visible_late_is_sealed_late(trail):
    late = AuditEntry.objects.get(pk=trail[1].pk)
    AuditEntry.objects.filter(pk=late.pk).delete()
    seal_audit_trail()
    late._state.adding = True
    late.save(force_insert=True)
    assert seal_audit_trail() == 1
    assert verify_audit_trail().holds


def test_retention_removes_a_prefix_and_the_rest_still_holds(trail):
    for entry in trail[:2]:
        old = timezone.now() - timedelta(days=800)
        AuditEntry.objects.filter(pk=entry.pk).update(occurred_at=old)
        entry.refresh_from_db()
        AuditEntry.objects.filter(pk=entry.pk).update(mac=audit.authentication_code(entry))
    seal_audit_trail()
    assert retire_audit_entries() == 2
    seal_audit_trail()
    assert verify_audit_trail().holds
    assert AuditEntry.objects.filter(action="test.act").count() == 3


def test_the_command_tells_and_exits_with_one(trail, capsys):
    call_command("verify_audit")
    assert "holds" in capsys.readouterr().out
    AuditEntry.objects.filter(pk=trail[0].pk).delete()
    with pytest.raises(SystemExit) as stop:
        call_command("verify_audit")
    assert stop.value.code == 1


@pytest.fixture
def auditor(as_user, staff):
    return as_user(staff("auditor"))


def test_search_and_filters(auditor, trail):
    audit.record("other.act", reason="x")
    assert len(auditor.get("/api/admin/audit?action=test").json()["results"]) == 5
    assert len(auditor.get("/api/admin/audit?search=marta").json()["results"]) == 5
    assert (
        len(auditor.get("/api/admin/audit?occurred_before=2001-01-01T00:00:00Z").json()["results"])
        == 0
    )
    problem(auditor.get("/api/admin/audit?actoin=test"), 400, field="actoin")
    problem(auditor.get("/api/admin/audit?occurred_after=yesterday"), 400, field="occurred_after")


def test_export(auditor, trail):
    audit.record("test.formula", reason="=1+1")
    lines = b"".join(auditor.get("/api/admin/audit/export?action=test").streaming_content)
    assert lines.count(b"\n") == 7
    assert b"'=1+1" in lines
    rows = b"".join(auditor.get("/api/admin/audit/export?file=jsonl").streaming_content)
    assert json.loads(rows.splitlines()[0])["action"] == "test.formula"
    problem(auditor.get("/api/admin/audit/export?file=xml"), 400, field="file")


def test_verify_endpoint(auditor, trail):
    seal_audit_trail()
    answer = auditor.get("/api/admin/audit/verify").json()
    assert (answer["holds"], answer["checked"]) == (True, 5)


def test_the_list_costs_the_page(auditor, trail):
    def grow():
        for user in UserFactory.create_batch(10):
            audit.record("test.grown", actor=user, target=user)

    assert_constant_queries(lambda: auditor.get("/api/admin/audit"), grow)
