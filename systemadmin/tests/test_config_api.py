"""Settings through the API: all or nothing, with history."""

import pytest

from systemadmin.foundation.sockets import setting
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import AuditEntry, ConfigurationChange, SystemConfig

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
    body = {"ratelimit.read": "50/m", "audit.retention_days": 90, "reason": "less disk"}
    assert operator.put(URL, body).status_code == 200
    assert setting("ratelimit.read") == "50/m"
    assert setting("audit.retention_days") == 90
    history = operator.get(f"{URL}/history?key=ratelimit.read").json()["results"]
    assert [(row["old"], row["new"], row["reason"]) for row in history] == [
        ("100/m", "50/m", "less disk")
    ]
    assert AuditEntry.objects.filter(action="systemadmin.config.changed").count() == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("audit.retention_days", 29),
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
