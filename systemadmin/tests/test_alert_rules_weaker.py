"""Alert rules are not made to tell less by one person; a rule names a metric that there is."""

from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from systemadmin.models import AlertRule, ApprovalRequest
from systemadmin.services import approval_texts
from systemadmin.services.alert_rules import save_alert_rule, ship_default_rules
from systemadmin.services.alerts import raise_alert, silence_alert
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.tests.factories import StaffFactory

pytestmark = [pytest.mark.django_db, pytest.mark.two_people]

WEAKER = {
    "disk_free": [{"threshold": 9}, {"threshold": -1000}, {"comparison": "above"}],
    "queue_depth": [
        {"threshold": 1001},
        {"threshold": 1e12},
        {"metric": "queue_oldest_seconds"},
        {"code": "queue"},
        {"for_seconds": 86_400_000},
        {"severity": "info"},
        {"is_enabled": False},
    ],
    "error_rate": [{"recovery_threshold": 1e9}],
}
STRICTER = {
    "disk_free": [{"threshold": 20}],
    "queue_depth": [{"threshold": 10, "for_seconds": 0, "severity": "critical", "title": "Long"}],
    "error_rate": [{"recovery_threshold": 1}],
}


def cases(table):
    return [(code, values) for code, found in table.items() for values in found]


@pytest.fixture
def operator():
    call_command("setup", verbosity=0)
    ship_default_rules()
    return StaffFactory(role="operator")


@pytest.mark.parametrize(("code", "values"), cases(WEAKER))
def test_a_rule_that_would_tell_less_waits(code, values, operator):
    rule = AlertRule.objects.get(code=code)
    before = AlertRule.objects.filter(pk=rule.pk).values().get()
    with pytest.raises(SecondPersonNeeded):
        save_alert_rule(actor=operator, rule=rule, values=values)
    assert AlertRule.objects.filter(pk=rule.pk).values().get() == before


@pytest.mark.parametrize(("code", "values"), cases(STRICTER))
def test_a_stricter_rule_needs_nobody_else(code, values, operator):
    rule = AlertRule.objects.get(code=code)
    save_alert_rule(actor=operator, rule=rule, values=values)


def test_a_rule_that_is_off_changes_freely(operator):
    rule = AlertRule.objects.get(code="queue_depth")
    AlertRule.objects.filter(pk=rule.pk).update(is_enabled=False)
    save_alert_rule(actor=operator, rule=rule, values={"threshold": 1e9})


def test_an_unknown_metric_is_refused_by_name(operator):
    rule = AlertRule.objects.get(code="queue_depth")
    with pytest.raises(ValidationError) as refused:
        save_alert_rule(actor=operator, rule=rule, values={"metric": "nothing_like_it"})
    assert list(refused.value.message_dict) == ["metric"]


def form(rule, **changes):
    fields = ("code", "title", "metric", "comparison", "threshold", "for_seconds", "severity")
    body = {name: getattr(rule, name) for name in fields}
    return {**body, "recovery_threshold": "", "is_enabled": "on", **changes}


def test_the_admin_refuses_it_at_the_field_and_asks_for_a_second_person(operator, admin_client_for):
    rule = AlertRule.objects.get(code="queue_depth")
    page = reverse("admin:systemadmin_alertrule_change", args=[rule.pk])
    browser = admin_client_for(operator)
    assert '<option value="disk_free_percent">' in browser.get(page).content.decode()
    answer = browser.post(page, form(rule, metric="nothing_like_it"))
    assert answer.status_code == 200
    assert "metric" in answer.context["adminform"].form.errors
    browser.post(page, form(rule, threshold="100000"))
    browser.post(reverse("admin:ask_second_person"), {"reason": "noise"})
    rule.refresh_from_db()
    assert rule.threshold == 1000
    row = ApprovalRequest.objects.get()
    assert "100000" in str(approval_texts.facts(row, viewer=operator))


def test_silences_that_follow_each_other_count_together(operator):
    alert = raise_alert(rule="x", severity="warning", summary="x")
    now = timezone.now()
    silence_alert(actor=operator, alert=alert, until=now + timedelta(hours=23), reason="x")
    with time_machine.travel(now + timedelta(hours=23)), pytest.raises(SecondPersonNeeded):
        silence_alert(actor=operator, alert=alert, until=now + timedelta(hours=46), reason="x")
    with time_machine.travel(now + timedelta(hours=48)):
        until = now + timedelta(hours=60)
        silence_alert(actor=operator, alert=alert, until=until, reason="x")
