"""Requests that nobody decided in time have expired by the clock, before any sweep marks them."""

from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from systemadmin.models import (
    AlertRule,
    ApprovalRequest,
    AuditEntry,
    ConfigurationChange,
    Notification,
)
from systemadmin.services import approvals
from systemadmin.services.alert_rules import save_alert_rule, ship_default_rules
from systemadmin.services.configuration import change_settings
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.tests.factories import StaffFactory
from systemadmin.worklists import WORKLISTS

pytestmark = [pytest.mark.django_db, pytest.mark.two_people]


@pytest.fixture
def operator():
    call_command("setup", verbosity=0)
    ship_default_rules()
    return StaffFactory(role="operator")


@pytest.fixture
def second():
    return StaffFactory(role="operator")


def ask(operator):
    rule = AlertRule.objects.get(code="disk_free")
    with pytest.raises(SecondPersonNeeded) as found:
        save_alert_rule(actor=operator, rule=rule, values={"is_enabled": False})
    (row,) = approvals.keep(found.value, "noisy")
    return row


@pytest.fixture
def late(operator, second):
    """A request whose time is over and that no sweep has looked at."""
    row = ask(operator)
    with time_machine.travel(row.expires_at + timedelta(seconds=1)):
        yield row


def test_the_api_says_expired_everywhere(late, second, as_user):
    client = as_user(second)
    url = "/api/admin/approvals"
    assert client.get(f"{url}/{late.pk}").json()["state"] == "expired"
    assert [one["state"] for one in client.get(url).json()["results"]] == ["expired"]
    assert client.get(url, {"state": "waiting"}).json()["results"] == []
    found = client.get(url, {"state": "expired"}).json()["results"]
    assert [one["id"] for one in found] == [late.pk]
    late.refresh_from_db()
    assert late.state == "waiting"  # nothing has marked it


def test_a_wrong_state_is_refused(second, as_user, operator):
    answer = as_user(second).get("/api/admin/approvals", {"state": "later"})
    assert answer.status_code == 400


def test_the_admin_says_expired_and_offers_no_decision(late, second, admin_client_for):
    browser = admin_client_for(second)
    changelist = reverse("admin:systemadmin_approvalrequest_changelist")
    assert "Expired" in browser.get(changelist).content.decode()
    assert browser.get(changelist, {"state": "waiting"}).context["cl"].result_list.count() == 0
    assert browser.get(changelist, {"state": "expired"}).context["cl"].result_list.count() == 1
    page = reverse("admin:systemadmin_approvalrequest_change", args=[late.pk])
    text = browser.get(page).content.decode()
    assert 'form="approval-approve"' not in text
    assert "Expired" in text


def test_the_worklist_and_the_command_do_not_list_it(late, second, capsys):
    counts = {str(one.title): one.count(second) for one in WORKLISTS}
    assert counts["Requests for a second person"] == 0
    call_command("approvals", "list")
    assert str(late.pk) not in capsys.readouterr().out


def test_one_that_is_overdue_does_not_stand_in_the_way_of_a_new_one(late, operator):
    new = ask(operator)
    assert new.pk != late.pk
    late.refresh_from_db()
    assert late.state == "expired"


# -- texts -----------------------------------------------------------------------------------


def test_the_mail_of_a_decision_names_the_act_in_words(operator, second):
    row = ask(operator)
    approvals.refuse(actor=second, request=row, reason="no")
    body = Notification.objects.get(kind="approval.decided", user=operator).body
    assert "switch it off" in body
    assert "systemadmin." not in body.partition("\n")[0]


def test_the_header_is_the_reason_of_the_switch_to_one_person(superuser, as_user):
    answer = as_user(superuser).put(
        "/api/admin/config",
        {"duties.single_person": True},
        format="json",
        headers={"Approval-Reason": "ma%C3%B1ana%20sola"},
    )
    assert answer.status_code == 200
    assert ConfigurationChange.objects.get().reason == "mañana sola"


def test_the_header_is_the_reason_of_what_one_person_does(operator, superuser, as_user):
    change_settings(actor=superuser, values={"duties.single_person": True}, reason="alone")
    answer = as_user(operator).put(
        "/api/admin/config",
        {"audit.retention_days": 400},
        format="json",
        headers={"Approval-Reason": "space"},
    )
    assert answer.status_code == 200
    entry = AuditEntry.objects.filter(action="systemadmin.duties.acted_alone").latest("id")
    assert entry.reason == "space"


def test_a_request_is_overdue_at_its_moment(operator, second):
    row = ask(operator)
    with time_machine.travel(row.expires_at, tick=False):
        assert timezone.now() == row.expires_at
        assert row.standing == "expired"
        assert not ApprovalRequest.objects.waiting().exists()
