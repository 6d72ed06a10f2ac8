from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from systemadmin.admin.backups import chart
from systemadmin.foundation.display import display_moment
from systemadmin.models import Backup, BackupVerification, Restore
from systemadmin.services.backups import get_backup
from systemadmin.tests.backups.factories import BackupFactory, RestoreFactory

pytestmark = pytest.mark.django_db
LIST = "/admin/systemadmin/backup/"


@pytest.fixture
def page(admin_client_for, staff):
    """Oscar the operator's browser."""
    return admin_client_for(staff("operator"))


@pytest.fixture
def auditor(admin_client_for, staff):
    return admin_client_for(staff("auditor"))


def test_the_page_tells_last_next_and_whether_it_is_proven(page):
    BackupFactory(verification="never")
    text = page.get(LIST).content.decode()
    assert "Last good backup" in text
    assert "Next scheduled backup" in text
    assert "Never verified" in text
    assert "<rect" in text


def test_a_row_is_short_relative_time_and_states_as_badges(page):
    taken = timezone.now() - timedelta(hours=5)
    backup = BackupFactory(verification="never", taken_at=taken, is_pinned=True)
    BackupFactory(status="running", taken_at=None)
    text = page.get(LIST).content.decode()
    assert f'<time title="{display_moment(taken)}">5 h</time>' in text
    assert backup.name in text
    for badge in ('at-badge-good" title="">Complete', 'at-badge-warn" title="">Never verified',
                  'at-badge-info" title="">pinned', 'at-badge-info" title="">Running'):  # fmt: skip
        assert badge in text


def test_an_empty_page_says_never_and_late(page):
    text = page.get(LIST).content.decode()
    assert "never" in text
    assert "<rect" not in text


def test_the_button_asks_first(page):
    url = reverse("admin:systemadmin_backup_now")
    assert url in page.get(LIST).content.decode()
    assert page.get(url).status_code == 200
    assert not Backup.objects.exists()
    page.post(url, {"note": "before the sale"})
    backup = Backup.objects.get()
    assert (backup.trigger, backup.note, backup.status) == ("manual", "before the sale", "queued")
    assert "already queued" in page.post(url, {}, follow=True).content.decode()


def test_who_only_looks_has_no_buttons(auditor):
    backup = BackupFactory()
    assert reverse("admin:systemadmin_backup_now") not in auditor.get(LIST).content.decode()
    assert auditor.post(reverse("admin:systemadmin_backup_now"), {}).status_code == 403
    url = reverse("admin:systemadmin_backup_download", args=[backup.pk])
    assert auditor.get(url).status_code == 403
    detail = auditor.get(reverse("admin:systemadmin_backup_change", args=[backup.pk]))
    assert "Restore…" not in detail.content.decode()
    for action in ("verify", "restore", "pin"):
        auditor.post(LIST, {"action": action, "_selected_action": backup.pk})
    assert not Restore.objects.exists()
    assert not BackupVerification.objects.exists()
    assert not get_backup(backup.pk).is_pinned


def test_one_backup_shows_its_tables_and_buttons(page, admin_client_for, superuser):
    backup = BackupFactory()
    text = page.get(reverse("admin:systemadmin_backup_change", args=[backup.pk])).content.decode()
    assert "systemadmin_user" in text
    assert "Restore…" in text
    url = reverse("admin:systemadmin_backup_change", args=[backup.pk])
    text = admin_client_for(superuser).get(url).content.decode()
    assert reverse("admin:systemadmin_backup_download", args=[backup.pk]) in text


def test_verify_and_pins(page):
    backup = BackupFactory()
    for action in ("verify", "pin"):
        page.post(LIST, {"action": action, "_selected_action": backup.pk})
    assert BackupVerification.objects.get().backup == backup
    assert get_backup(backup.pk).is_pinned
    page.post(LIST, {"action": "unpin", "_selected_action": backup.pk, "apply": "1"})
    assert not get_backup(backup.pk).is_pinned


def test_restore_asks_for_the_name_and_refuses_another(page):
    backup = BackupFactory()
    asked = page.post(LIST, {"action": "restore", "_selected_action": backup.pk})
    assert "Name of the database" in asked.content.decode()
    data = {"action": "restore", "_selected_action": backup.pk, "apply": "1", "confirm": "yes"}
    refused = page.post(LIST, data, follow=True).content.decode()
    assert "Type the exact name" in refused or "second factor" in refused
    assert not Restore.objects.exists()


def test_restores_are_listed(page):
    RestoreFactory()
    assert page.get("/admin/systemadmin/restore/").status_code == 200


def test_the_chart_scales_to_the_largest():
    rows = [BackupFactory.build(size=size) for size in (100, 50, 200)]
    bars = chart(rows)
    assert [bar.height for bar in bars] == [80, 40, 160]
    assert chart([]) == []
