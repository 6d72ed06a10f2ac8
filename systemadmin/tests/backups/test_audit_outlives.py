"""The audit trail over restores: honest ones hold, with the heads that lie outside."""

from datetime import timedelta

import pytest
from django.utils import timezone

from systemadmin import audit
from systemadmin.audit_guard import missing_guards
from systemadmin.backups.records import drop_connections
from systemadmin.models import AuditEntry, AuditStatement, AuditVerification
from systemadmin.services import audit_heads
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.audit_retention import retire_audit_entries
from systemadmin.services.audit_runs import verify_now
from systemadmin.services.audit_verification import verify_audit_trail
from systemadmin.services.backups import create_backup, restore_backup

pytestmark = pytest.mark.slow


def write(count, action="test.act"):
    for _ in range(count):
        audit.record(action)
    seal_audit_trail()


def test_a_restore_carries_the_trail_over_and_it_is_verified_afterwards(own_database):
    write(4)
    assert verify_now().holds
    backup = create_backup()
    write(3, "test.after")
    assert audit_heads.publish_head() is not None

    restore_backup(backup=backup, confirm=own_database.typed)

    assert AuditEntry.objects.filter(action="test.after").count() == 3
    report = verify_audit_trail(with_outside=True)
    assert [str(fault) for fault in report.faults] == []
    assert report.heads_compared >= 2, "the file and the manifests"
    assert AuditVerification.objects.filter(status="queued").exists()
    assert not AuditStatement.objects.filter(kind="restored").exists()


def test_a_trail_whose_restored_rows_are_past_retention_is_carried_over(own_database, monkeypatch):
    with monkeypatch.context() as clock:
        old = timezone.now() - timedelta(days=8000)
        clock.setattr(timezone, "now", lambda: old)
        write(4, "test.retired")
        assert audit_heads.publish_head() is not None
        backup = create_backup()
        write(2, "test.retired")
    write(3, "test.kept")
    assert retire_audit_entries() > 6
    assert audit_heads.publish_head(always=True) is not None

    restored = restore_backup(backup=backup, confirm=own_database.typed)

    assert not [said for said in restored.warnings if "not carried over" in said]
    assert AuditEntry.objects.filter(action="test.kept").count() == 3
    assert not AuditEntry.objects.filter(action="test.retired").exists()
    seal_audit_trail(everything=True)
    report = verify_audit_trail(with_outside=True)
    assert [str(fault) for fault in report.faults] == []
    assert report.heads_compared >= 2
    assert missing_guards() == []


def test_what_a_rescue_lost_is_stated_and_nothing_else_is_believed(own_database):
    write(4)
    create_backup()
    write(3, "test.after")
    assert audit_heads.publish_head() is not None
    drop_connections()
    own_database.manage("dbrestore", "--rescue", "--confirm", own_database.typed)

    assert not AuditEntry.objects.filter(action="test.after").exists()
    write(2, "test.a_new_story")
    report = verify_audit_trail(with_outside=True)
    assert [str(fault) for fault in report.faults] == []
    assert AuditStatement.objects.filter(kind="restored").exists()
