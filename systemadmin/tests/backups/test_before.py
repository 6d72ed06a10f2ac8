"""What destroys begins after a backup, and does not begin when that fails."""

from datetime import timedelta

import pytest
from django.utils import timezone

from systemadmin import audit
from systemadmin.errors import BackupFailed
from systemadmin.models import AuditEntry, Backup
from systemadmin.services import backup_since
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.audit_retention import retire_audit_entries
from systemadmin.services.audit_verification import verify_audit_trail
from systemadmin.services.backups import create_backup

pytestmark = pytest.mark.slow


def test_a_backup_made_since_is_enough(own_database, people):
    made = create_backup()
    assert backup_since(timezone.now() - timedelta(days=1), "before expiry") == made
    assert backup_since(made.taken_at, "before expiry") == made
    later = backup_since(timezone.now(), "before erasing")
    assert later != made
    assert (later.trigger, later.note) == ("safety", "before erasing")


@pytest.fixture
def past_retention(own_database, monkeypatch):
    """Two sealed rows of the audit trail that nobody has to keep any longer."""
    old = timezone.now() - timedelta(days=8000)
    with monkeypatch.context() as clock:
        clock.setattr(timezone, "now", lambda: old)
        for _ in range(2):
            audit.record("systemadmin.test.act")
        seal_audit_trail()
    audit.record("systemadmin.test.act")
    seal_audit_trail()


def test_audit_rows_are_retired_after_a_backup(past_retention):
    assert retire_audit_entries() == 2
    assert Backup.objects.get().note == "before audit rows are retired"
    seal_audit_trail()
    assert verify_audit_trail().holds
    assert retire_audit_entries() == 0
    assert Backup.objects.count() == 1, "nothing to remove, no backup"


def test_no_backup_no_retirement(past_retention, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("systemadmin.backups.create.create", full)
    before = AuditEntry.objects.filter(action="systemadmin.test.act").count()
    with pytest.raises(BackupFailed):
        retire_audit_entries()
    assert AuditEntry.objects.filter(action="systemadmin.test.act").count() == before
