"""The queue's pages and the roles' page: what staff may do there, and what is refused in words."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from systemadmin.foundation import queue, scheduler
from systemadmin.foundation.task_packages import RUNNER, open_package
from systemadmin.models import AlertRule, AuditEntry, BlockedNetwork, User

pytestmark = pytest.mark.django_db
SEAL = "systemadmin.tasks.seal_audit"


@pytest.fixture
def browser(admin_client_for, superuser):
    client = admin_client_for(superuser)
    OrmQ.objects.all().delete()  # signing in has queued the account's event
    return client


def page(model, name="changelist", *args, app="django_q"):
    return reverse(f"admin:{app}_{model}_{name}", args=args)


def failed(**fields):
    moment = timezone.now()
    values = {
        "id": "f" * 32,
        "name": SEAL,
        "func": RUNNER,
        "args": (SEAL, "", "key"),
        "kwargs": {},
        "started": moment,
        "stopped": moment,
        "success": False,
        "result": "OSError : Traceback (most recent call last)",
    }
    return Task.objects.create(**{**values, **fields})


def told(response):
    return " ".join(str(message) for message in response.context["messages"])


def act(browser, model, action, row, **data):
    body = {"action": action, "_selected_action": [row.pk], **data}
    return browser.post(page(model), body, follow=True)


def test_a_failed_task_is_run_again_after_a_question(browser):
    task = failed()
    asked = act(browser, "failure", "retry", task)
    assert SEAL in asked.content.decode()
    assert not OrmQ.objects.exists()
    act(browser, "failure", "retry", task, apply="1")
    assert open_package(OrmQ.objects.get().payload).path == SEAL
    assert not Task.objects.exists()
    entry = AuditEntry.objects.get(action="systemadmin.task.retried")
    assert (entry.target_id, entry.actor_name) == (task.pk, "root")


@pytest.mark.parametrize(
    "fields",
    [
        {"func": "os.system", "args": ("true",)},
        {"args": ("os.system", "", "", "true")},
        {"args": "os"},
        {"args": (SEAL, "", "", 1)},
    ],
    ids=["function", "path", "no task", "arguments"],
)
def test_a_record_that_was_changed_does_not_run(browser, fields):
    task = failed(**fields)
    answer = act(browser, "failure", "retry", task, apply="1")
    assert "It cannot run" in told(answer)
    assert not OrmQ.objects.exists()
    assert Task.objects.filter(pk=task.pk).exists()


def test_what_waits_is_dropped_and_what_runs_is_not(browser):
    queue.enqueue(SEAL)
    row = OrmQ.objects.get()
    assert SEAL in browser.get(page("ormq")).content.decode()
    OrmQ.objects.update(lock=timezone.now() + timedelta(hours=1))
    assert "running" in told(
        browser.post(page("ormq", "delete", row.pk), {"post": "yes"}, follow=True)
    )
    OrmQ.objects.update(lock=timezone.now())
    browser.post(page("ormq", "delete", row.pk), {"post": "yes"})
    assert not OrmQ.objects.exists()
    assert AuditEntry.objects.get(action="systemadmin.task.dropped").before["task"] == SEAL


def test_schedules_are_only_looked_at_and_strays_are_deleted(browser):
    scheduler.sync_schedules()
    declared = Schedule.objects.get(name="systemadmin.alerts")
    stray = Schedule.objects.create(name="mine", func="os.system")
    assert browser.get(page("schedule")).status_code == 200
    assert browser.post(page("schedule", "change", stray.pk), {"func": "x"}).status_code == 403
    for row in (declared, stray):
        act(browser, "schedule", "delete_selected", row, post="yes")
    assert Schedule.objects.filter(pk=declared.pk).exists()
    assert not Schedule.objects.filter(pk=stray.pk).exists()
    assert browser.get("/admin/django_q/schedule/add/").status_code == 403


def test_an_auditor_looks_and_an_operator_acts(admin_client_for, staff):
    call_command("setup", verbosity=0)
    task = failed()
    auditor, operator = admin_client_for(staff("auditor")), admin_client_for(staff("operator"))
    OrmQ.objects.all().delete()
    assert auditor.get(page("failure", "change", task.pk)).status_code == 200
    denied = auditor.post(
        page("failure"), {"action": "retry", "_selected_action": [task.pk], "apply": "1"}
    )
    assert denied.status_code == 403
    act(operator, "failure", "retry", task, apply="1")
    assert OrmQ.objects.count() == 1


# -- roles --------------------------------------------------------------------------------


def test_superusers_make_change_and_delete_roles_of_their_own(browser):
    add = page("group", "add", app="auth")
    permission = Permission.objects.get(codename="view_auditentry")
    browser.post(add, {"name": "night", "permissions": [permission.pk]})
    role = Group.objects.get(name="night")
    assert list(role.permissions.all()) == [permission]
    browser.post(page("group", "change", role.pk, app="auth"), {"name": "day", "permissions": []})
    role.refresh_from_db()
    assert (role.name, role.permissions.count()) == ("day", 0)
    User.objects.get(username="root").groups.add(role)
    url = page("group", "delete", role.pk, app="auth")
    assert "have this role" in told(browser.post(url, {"post": "yes"}, follow=True))
    role.user_set.clear()
    browser.post(url, {"post": "yes"})
    actions = AuditEntry.objects.filter(action__startswith="systemadmin.role")
    assert [entry.action.rsplit(".")[-1] for entry in actions.order_by("id")] == [
        "created",
        "changed",
        "deleted",
    ]


def test_roles_of_the_release_stay_and_nobody_else_makes_any(browser, admin_client_for, staff):
    shipped, _created = Group.objects.get_or_create(name="operator")
    url = page("group", "change", shipped.pk, app="auth")
    assert browser.post(url, {"name": "x"}).status_code == 403
    Group.objects.filter(name="auditor").delete()
    browser.post(page("group", "add", app="auth"), {"name": "auditor"})
    assert not Group.objects.filter(name="auditor").exists()
    clerk = staff("operator")
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    answer = admin_client_for(clerk).post(page("group", "add", app="auth"), {"name": "mine"})
    assert "permission" in str(answer.context["adminform"].form.errors)
    assert not Group.objects.filter(name="mine").exists()


# -- what every page of ours does ------------------------------------------------------------


def test_what_the_service_refuses_stands_in_the_form_and_nothing_typed_is_lost(browser):
    url = page("blockednetwork", "add", app="systemadmin")
    data = {"network": "203.0.113.0/24", "reason": "flood"}
    assert browser.post(url, data).status_code == 302
    answer = browser.post(url, {**data, "reason": "typed with care"})
    assert answer.status_code == 200
    assert "already blocked" in str(answer.context["adminform"].form.errors)
    assert 'value="typed with care"' in answer.content.decode()
    wrong = browser.post(url, {**data, "network": "everywhere"})
    assert "network" in wrong.context["adminform"].form.errors
    assert BlockedNetwork.objects.count() == 1


def test_deleting_several_writes_a_row_for_each(browser):
    rules = list(AlertRule.objects.all()[:3])
    keys = [rule.pk for rule in rules]
    url = page("alertrule", app="systemadmin")
    body = {"action": "delete_selected", "_selected_action": keys}
    assert rules[0].title in browser.post(url, body).content.decode()
    assert AlertRule.objects.filter(pk__in=keys).count() == 3
    browser.post(url, {**body, "post": "yes"})
    assert not AlertRule.objects.filter(pk__in=keys).exists()
    told_of = AuditEntry.objects.filter(action="systemadmin.alert_rule.deleted")
    assert sorted(int(entry.target_id) for entry in told_of) == sorted(keys)
