import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import AuditEntry, Backup, Restore
from systemadmin.tests.backups.factories import BackupFactory, RestoreFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(staff, as_user):
    return as_user(staff("operator"))


def test_a_backup_is_queued(operator):
    response = operator.post("/api/admin/backup", {"note": "before the sale"})
    assert response.status_code == 202
    body = response.json()
    assert (body["status"], body["note"]) == ("queued", "before the sale")
    row = Backup.objects.get(pk=body["id"])
    assert row.trigger == "api"
    assert row.actor == operator.user
    assert AuditEntry.objects.filter(action="systemadmin.backup.requested").count() == 1


def test_a_second_request_is_refused_and_names_the_first(operator):
    first = operator.post("/api/admin/backup").json()
    body = problem(operator.post("/api/admin/backup"), 409, "backup_in_progress")
    assert body["backup"] == first["id"]


def test_the_same_key_gives_the_same_backup(operator):
    one = operator.post("/api/admin/backup", {}, headers={"Idempotency-Key": "nightly-0001"})
    two = operator.post("/api/admin/backup", {}, headers={"Idempotency-Key": "nightly-0001"})
    assert one.status_code == two.status_code == 202
    assert one.json()["id"] == two.json()["id"]


@pytest.mark.parametrize("body", [{"note": "x" * 301}, {"notes": "typo"}, {"note": ["a"]}])
def test_wrong_input(operator, body):
    problem(operator.post("/api/admin/backup", body), 400)


def test_the_list_and_its_filters(operator):
    good = BackupFactory(verification="passed")
    bad = BackupFactory(status="failed", taken_at=None, size=0)
    body = operator.get("/api/admin/backups").json()
    assert body["count"] == 2
    assert {row["id"] for row in body["results"]} == {good.pk, bad.pk}
    assert "tables" not in body["results"][0]
    only = operator.get("/api/admin/backups?status=complete&verification=passed").json()
    assert [row["id"] for row in only["results"]] == [good.pk]
    problem(operator.get("/api/admin/backups?state=complete"), 400, field="state")


def test_the_list_needs_the_same_queries_for_more_rows(operator):
    BackupFactory()
    assert_constant_queries(
        lambda: operator.get("/api/admin/backups"), lambda: BackupFactory.create_batch(9)
    )


def test_one_backup_shows_what_it_holds(operator):
    backup = BackupFactory()
    body = operator.get(f"/api/admin/backups/{backup.pk}").json()
    assert body["tables"] == {"systemadmin_user": 10}
    assert body["verification"] == "never"
    assert body["verifications"] == []


def test_verification_is_queued(operator):
    backup = BackupFactory()
    response = operator.post(f"/api/admin/backups/{backup.pk}/verify")
    assert response.status_code == 202
    assert response.json()["status"] == "queued"
    failed = BackupFactory(status="failed")
    problem(operator.post(f"/api/admin/backups/{failed.pk}/verify"), 409, "backup_not_restorable")


def test_pins(operator):
    backup = BackupFactory()
    assert operator.post(f"/api/admin/backups/{backup.pk}/pin").json()["is_pinned"] is True
    assert operator.post(f"/api/admin/backups/{backup.pk}/unpin").json()["is_pinned"] is False


def test_restore_wants_the_name_of_the_database(operator):
    backup = BackupFactory()
    url = f"/api/admin/restore/{backup.pk}"
    problem(operator.post(url, {}), 400, field="confirm")
    problem(operator.post(url, {"confirm": "yes"}), 400, "restore_not_confirmed", "confirm")
    assert not Restore.objects.exists()


def test_restore_wants_the_second_factor(staff, as_user, settings):
    settings.DEBUG = False
    settings.DEMO_MODE = False
    settings.REQUIRE_STAFF_2FA = False
    client = as_user(staff("operator"), two_factor=False)
    url = f"/api/admin/restore/{BackupFactory().pk}"
    problem(client.post(url, {"confirm": "x"}), 403, "two_factor_required")


def test_restore_of_what_is_not_there(operator):
    problem(operator.post("/api/admin/restore/12345", {"confirm": "x"}), 404, "not_found")


def sees_people(user):
    user.user_permissions.add(Permission.objects.get(codename="view_personal_data"))


def test_whoever_sees_people_masked_downloads_no_backup(operator, admin_client_for):
    url = f"/api/admin/backups/{BackupFactory().pk}/download"
    problem(operator.get(url), 403, "permission_denied")
    page = admin_client_for(operator.user)
    url = reverse("admin:systemadmin_backup_download", args=[Backup.objects.get().pk])
    assert page.get(url).status_code == 403
    detail = page.get(reverse("admin:systemadmin_backup_change", args=[Backup.objects.get().pk]))
    assert url not in detail.content.decode()


def test_download_of_what_is_not_there(operator):
    sees_people(operator.user)
    backup = BackupFactory()
    problem(operator.get(f"/api/admin/backups/{backup.pk}/download"), 409, "manifest_invalid")
    failed = BackupFactory(status="failed")
    url = f"/api/admin/backups/{failed.pk}/download"
    problem(operator.get(url), 409, "backup_not_restorable")


def test_restores_are_listed(operator):
    restore = RestoreFactory()
    body = operator.get("/api/admin/restores").json()
    assert body["results"][0]["id"] == restore.pk
    assert operator.get(f"/api/admin/restores/{restore.pk}").json()["status"] == "done"


@pytest.mark.ratelimited
def test_backups_are_limited(operator):
    codes = [operator.post("/api/admin/backup").status_code for _ in range(8)]
    assert codes[0] == 202
    assert codes[-1] == 429
