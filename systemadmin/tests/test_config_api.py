"""Settings through the API: all or nothing, with history."""

import pytest

from systemadmin.foundation.configuration import setting
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import AuditEntry, ConfigurationChange, SystemConfig
from systemadmin.services import change_settings

pytestmark = pytest.mark.django_db
URL = "/api/admin/config"


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


def test_every_setting_is_described(operator):
    rows = operator.get(URL).json()["results"]
    read = next(row for row in rows if row["key"] == "ratelimit.read")
    assert read["value"] == read["default"] == "100/m"
    assert read["is_default"] is True
    assert all(row["description"] for row in rows)


def test_a_change_is_in_force_at_once_and_told(operator):
    body = {"ratelimit.read": "50/m", "audit.retention_days": 400, "reason": "less disk"}
    assert operator.put(URL, body).status_code == 200
    assert setting("ratelimit.read") == "50/m"
    assert setting("audit.retention_days") == 400
    history = operator.get(f"{URL}/history?key=ratelimit.read").json()["results"]
    assert [(row["old"], row["new"], row["reason"]) for row in history] == [
        ("100/m", "50/m", "less disk")
    ]
    assert AuditEntry.objects.filter(action="systemadmin.config.changed").count() == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("audit.retention_days", 364),
        ("audit.retention_days", 3651),
        ("audit.retention_days", "90"),
        ("audit.retention_days", True),
        ("ratelimit.read", "many"),
        ("ratelimit.read", "0/m"),
        ("no.such.key", 1),
    ],
)
def test_one_wrong_value_refuses_all(operator, key, value):
    response = operator.put(URL, {"ratelimit.write": "10/m", key: value})
    problem(response, 400, "invalid", field=key)
    assert SystemConfig.objects.count() == 0
    assert ConfigurationChange.objects.count() == 0


def test_a_change_can_be_taken_back(operator):
    operator.put(URL, {"ratelimit.read": "50/m"})
    change = ConfigurationChange.objects.get()
    assert operator.post(f"{URL}/history/{change.pk}/revert").status_code == 200
    assert setting("ratelimit.read") == "100/m"
    assert ConfigurationChange.objects.count() == 2


def test_the_same_value_is_no_change(operator):
    operator.put(URL, {"ratelimit.read": "100/m"})
    assert ConfigurationChange.objects.count() == 0


def test_history_costs_the_page(operator):
    operator.put(URL, {"ratelimit.read": "50/m"})

    def grow():
        for number in range(10):
            operator.put(URL, {"ratelimit.read": f"{60 + number}/m"})

    assert_constant_queries(lambda: operator.get(f"{URL}/history"), grow)


class TestPage:
    """The same in the admin."""

    PAGE = "/admin/settings/?app=audit"

    def test_a_change_is_shown_and_taken_back(self, admin_client_for, staff):
        browser = admin_client_for(staff("operator"))
        change_settings(actor=None, values={"audit.retention_days": 400}, reason="less disk")
        change = ConfigurationChange.objects.get()
        page = browser.get(self.PAGE).content.decode()
        assert "less disk" in page
        assert f'name="take_back" value="{change.pk}"' in page
        answer = browser.post(self.PAGE, {"take_back": change.pk}, follow=True)
        assert "audit.retention_days is taken back" in answer.content.decode()
        assert setting("audit.retention_days") != 400
        assert ConfigurationChange.objects.count() == 2

    @pytest.mark.parametrize("number", ["0", "x", ""])
    def test_an_unknown_change_is_not_found(self, admin_client_for, staff, number):
        browser = admin_client_for(staff("operator"))
        assert browser.post(self.PAGE, {"take_back": number}).status_code == 404

    def test_who_may_only_look_takes_nothing_back(self, admin_client_for, staff):
        browser = admin_client_for(staff("auditor"))
        change_settings(actor=None, values={"audit.retention_days": 400})
        change = ConfigurationChange.objects.get()
        page = browser.get(self.PAGE)
        assert page.status_code == 200
        assert "take_back" not in page.content.decode()
        assert browser.post(self.PAGE, {"take_back": change.pk}).status_code == 403
        assert setting("audit.retention_days") == 400

    def test_what_no_longer_fits_is_refused_in_words(self, admin_client_for, staff):
        browser = admin_client_for(staff("operator"))
        change = ConfigurationChange.objects.create(key="audit.retention_days", old="x", new=400)
        answer = browser.post(self.PAGE, {"take_back": change.pk}, follow=True)
        assert answer.status_code == 200
        assert "errornote" in answer.content.decode() or "error" in answer.content.decode()
        assert ConfigurationChange.objects.count() == 1
