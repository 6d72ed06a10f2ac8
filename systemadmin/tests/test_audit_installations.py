"""Heads of several installations in one storage, under one key and one database name."""

import pytest
from django.utils import timezone

from systemadmin import audit
from systemadmin.foundation.testing import triggers_off
from systemadmin.models import AuditEntry, Installation
from systemadmin.services import audit_heads
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.audit_statements import Kind, sign_statement
from systemadmin.services.audit_verification import verify_audit_trail
from systemadmin.services.installation import change_installation, current_installation

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    settings.INSTALLATION_ID = ""
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    options = {"OPTIONS": {"location": tmp_path / "backups"}}
    settings.STORAGES = {**settings.STORAGES, "backups": {**place, **options}}


@pytest.fixture
def trail():
    """Six sealed rows whose head lies outside."""
    for _number in range(6):
        audit.record("test.act")
    assert audit_heads.publish_head() is not None


def head_outside(position, **body):
    """Put a head into the storage as another process with our key signs it."""
    body = {"chain": "0" * 64, "database": audit_heads.database_name(), **body}
    head = sign_statement(Kind.HEAD, position, body)
    assert audit_heads._write_file(head)
    return head


def faults():
    seal_audit_trail()
    return [fault.kind for fault in verify_audit_trail(with_outside=True).faults]


def test_a_copy_leaves_the_later_heads_of_its_original_alone(trail):
    original = current_installation()
    change_installation()
    head_outside(900, installation=original)
    assert faults() == []
    assert audit_heads.publish_head(always=True).body["was"] == [original]


def test_an_original_leaves_the_heads_of_its_copies_alone(trail):
    head_outside(900, installation="the-copy", was=[current_installation()])
    assert faults() == []


def test_a_copy_must_agree_with_the_heads_from_before_it_was_one(trail, monkeypatch):
    original = current_installation()
    with monkeypatch.context() as clock:
        clock.setattr(timezone, "now", lambda before=timezone.now(): before)
        head_outside(4, installation=original)
    change_installation()
    assert faults() == ["history replaced"]


def test_an_identity_written_into_the_table_does_not_hide_a_cut(trail):
    last = AuditEntry.objects.latest("id").pk
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM systemadmin_auditseal WHERE entry_id = %s", [last])
        cursor.execute("DELETE FROM systemadmin_auditentry WHERE id = %s", [last])
        cursor.execute("DELETE FROM systemadmin_auditstatement WHERE kind = 'head'")
    Installation.objects.update(uid="another")
    assert "rows removed" in faults()


def test_heads_of_a_database_that_was_renamed_still_count(trail):
    head_outside(900, installation=current_installation(), database="its_old_name")
    assert faults() == ["rows removed"]


def test_with_an_identity_from_the_environment_only_its_own_heads_count(trail, settings):
    settings.INSTALLATION_ID = "shop-1"
    head_outside(900, installation="shop-2")
    assert faults() == []
    head_outside(901, installation="shop-1")
    assert faults() == ["rows removed"]
