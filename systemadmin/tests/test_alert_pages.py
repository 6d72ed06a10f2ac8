"""Alerts on the pages of staff: accounts by their names, metrics in words."""

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.urls import reverse

from systemadmin.alert_words import AREAS, metric_words
from systemadmin.foundation.testing import assert_constant_queries
from systemadmin.models import Alert, AlertRule
from systemadmin.services import raise_alert
from systemadmin.services.alert_rules import evaluate_rules
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
LIST = "admin:systemadmin_alert_changelist"
PAGES = (LIST, "admin:status", "admin:index")


@pytest.fixture
def operator(admin_client_for, staff):
    return admin_client_for(staff("operator"))


def rose(account):
    return raise_alert(
        rule="risk.score_rose",
        key=f"account:{account.pk}",
        severity="critical",
        summary="Account %(account)s rose to a risk score of %(score)s.",
        facts={"account": account.pk, "score": 91},
    )


@pytest.fixture
def person():
    return UserFactory(first_name="Marta", last_name="Vidal")


def test_an_alert_names_its_account_and_leads_there(operator, person):
    alert = rose(person)
    page = reverse("admin:systemadmin_user_change", args=[person.pk])
    own = reverse("admin:systemadmin_alert_change", args=[alert.pk])
    for url in [*map(reverse, PAGES), own]:
        text = operator.get(url).content.decode()
        assert "Account Marta Vidal rose" in text, url
        assert page in text or url == reverse("admin:index"), url


def test_who_sees_no_accounts_reads_the_number(admin_client_for, person):
    rose(person)
    viewer = UserFactory(is_staff=True)
    viewer.user_permissions.add(*_permissions("view_alert", "change_alert", "view_systemstatus"))
    client = admin_client_for(viewer)
    for url in map(reverse, PAGES):
        text = client.get(url).content.decode()
        assert f"Account {person.pk} rose" in text, url
        assert "Vidal" not in text, url


def _permissions(*names):
    return Permission.objects.filter(codename__in=names, content_type__app_label="systemadmin")


def test_the_list_is_filtered_by_areas_in_words(operator, person):
    rose(person)
    other = raise_alert(rule="backup.late", severity="info", summary="Late")
    page = operator.get(reverse(LIST), {"area": "backup"})
    assert list(page.context["cl"].result_list) == [other]
    assert ">Backups<" in page.content.decode()
    assert "backup.late" not in page.content.decode()


def test_every_shipped_alert_has_an_area():
    named = re.compile(r"""(?:rule=f?|RULE[A-Z_]* = )"([a-z_]+)[."]""")
    found = set()
    for app in settings.ATALAYA_APPS:
        for path in (settings.BASE_DIR / app).rglob("*.py"):
            if "tests" not in path.parts and "raise_alert" in (text := path.read_text()):
                found |= set(named.findall(text))
    assert {"audit", "queue", "support"} <= found
    assert found <= set(AREAS)


def test_names_are_one_query_however_many(operator, person):
    rose(person)
    for url in map(reverse, PAGES):
        assert_constant_queries(
            lambda url=url: operator.get(url), lambda: [rose(UserFactory()) for _ in range(3)]
        )


def test_rules_say_in_words_what_they_count(operator):
    AlertRule.objects.filter(metric="queue_depth").update(threshold=1, for_seconds=0)
    rule = AlertRule.objects.get(metric="queue_depth")
    text = operator.get(reverse("admin:systemadmin_alertrule_changelist")).content.decode()
    form = operator.get(reverse("admin:systemadmin_alertrule_change", args=[rule.pk]))
    assert "Tasks that wait" in text
    assert "queue_depth" not in text
    assert ">Tasks that wait</option>" in form.content.decode()


def test_an_alert_of_a_rule_says_what_was_counted():
    AlertRule.objects.filter(metric="queue_depth").update(threshold=1, for_seconds=0)
    assert evaluate_rules({"queue_depth": 7.0}) == 1
    assert Alert.objects.get().explanation == "Tasks that wait: 7 (above 1)"


def test_every_metric_has_words_of_the_catalogue():
    words = metric_words()
    assert len(words) > 20
    assert not [name for name, said in words.items() if said == name or said.endswith(".")]
