"""Erasures outlive a restore: whom an older backup brings back is erased again."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from systemadmin.models import Notification, User
from systemadmin.services import notify_user
from systemadmin.services.audit_verification import verify_audit_trail
from systemadmin.services.backups import create_backup, restore_backup
from systemadmin.services.erasure import erase_account
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.slow
MARK = "ZZMARKED"


def everywhere(database):
    """Every table of the database that holds the mark, as text."""
    found = set()
    for table in database.tables():
        rows = database.run(f'SELECT * FROM "{table}"')
        if any(MARK.lower() in str(row).lower() for row in rows or ()):
            found.add(table)
    return found


def test_a_restore_of_yesterday_brings_nobody_back(own_database):
    person = UserFactory(username=MARK, email=f"{MARK}@example.test", first_name=MARK)
    other = UserFactory(username="stays")
    notify_user(user=person, kind="test", subject=MARK, body=MARK, key="one")
    storages["private"].save("products/lamp.png", ContentFile(MARK.encode()))
    storages["private"].save("exports/copy.zip", ContentFile(MARK.encode()))
    yesterday = create_backup()
    assert yesterday.media_files == 1
    erase_account(actor=None, user=person, reason="asked for it")
    storages["private"].delete("products/lamp.png")
    assert everywhere(own_database) <= {"systemadmin_auditentry"}
    done = restore_backup(backup=yesterday, confirm=own_database.typed)
    assert done.status == "done"
    assert any("erased again" in warning for warning in done.warnings)
    assert not any("not carried over" in warning for warning in done.warnings)
    assert everywhere(own_database) <= {"systemadmin_auditentry"}
    assert not Notification.objects.exists()
    back = User.objects.get(pk=person.pk)
    assert (back.username, back.is_active) == (f"[erased-{person.pk}]", False)
    assert User.objects.get(pk=other.pk).username == "stays"
    assert not storages["private"].exists("products/lamp.png")
    assert verify_audit_trail().holds
