"""Preferences of a browser: time zone, single keys."""

import pytest
from django.utils import timezone

from systemadmin.models import Alert

pytestmark = pytest.mark.django_db
URL = "/admin/preferences/"


def test_a_time_zone_is_kept_and_exact_times_are_in_it(superuser, admin_client_for):
    browser = admin_client_for(superuser)
    alert = Alert.objects.create(
        rule="t", severity="critical", summary="x", last_seen_at=timezone.now()
    )
    noon = timezone.datetime(2026, 11, 1, 12, 0, tzinfo=timezone.get_fixed_timezone(0))
    Alert.objects.filter(pk=alert.pk).update(created_at=noon)
    assert "1 Nov 2026, 12:00 UTC" in browser.get("/admin/").content.decode()
    saved = browser.post(URL, {"zone": "Asia/Tokyo", "has_single_keys": "on"})
    assert saved.status_code == 302
    assert "1 Nov 2026, 21:00 JST" in browser.get("/admin/").content.decode()


def test_single_keys_are_switched_off(superuser, admin_client_for):
    browser = admin_client_for(superuser)
    assert "data-single-keys" not in browser.get(URL).content.decode()
    browser.post(URL, {"zone": "UTC"})
    assert 'data-single-keys="off"' in browser.get(URL).content.decode()


@pytest.mark.parametrize("name", ["../etc/passwd", "Mars/Base", "x" * 100, "Europe/", "\u00e9"])
def test_a_strange_zone_is_utc(name, superuser, admin_client_for):
    browser = admin_client_for(superuser)
    browser.cookies["atalaya_zone"] = name.encode("ascii", "replace").decode()
    page = browser.get(URL)
    assert page.status_code == 200
    assert page.context["shell"].zone.key == "UTC"
    assert browser.post(URL, {"zone": name}).status_code == 200
