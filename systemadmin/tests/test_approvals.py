"""Requests for a second person: asked, decided, expired; one person's place."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from systemadmin.errors import CannotDecideRequest, NotWhoAsked, OwnInterest, RequestIsDecided
from systemadmin.foundation.configuration import declared_settings
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import (
    Alert,
    AlertRule,
    ApprovalRequest,
    AuditEntry,
    Notification,
    SystemConfig,
    User,
)
from systemadmin.services import approval_texts, approvals, rights, single_person
from systemadmin.services.alert_rules import delete_alert_rule, save_alert_rule, ship_default_rules
from systemadmin.services.configuration import change_settings
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.users import suspend_user
from systemadmin.tasks import expire_approvals
from systemadmin.tests.factories import StaffFactory, UserFactory, request_for_second_person

pytestmark = [pytest.mark.django_db, pytest.mark.two_people]


@pytest.fixture(autouse=True)
def roles(db):
    call_command("setup", verbosity=0)


@pytest.fixture
def operator():
    return StaffFactory(role="operator", username="olga")


@pytest.fixture
def second():
    return StaffFactory(role="operator", username="otto")


@pytest.fixture
def rule():
    ship_default_rules()
    return AlertRule.objects.get(code="disk_free")


def ask(call, reason="noisy"):
    """The request that a call makes which waits for a second person."""
    with pytest.raises(SecondPersonNeeded) as found:
        call()
    (row,) = approvals.keep(found.value, reason)
    return row


def switch_off(actor, rule):
    return save_alert_rule(actor=actor, rule=rule, values={"is_enabled": False})


def shorten(actor, days=400):
    return change_settings(actor=actor, values={"audit.retention_days": days}, reason="space")


# -- asking --------------------------------------------------------------------------


def test_an_act_that_waits_leaves_nothing_done(operator, rule):
    before = AuditEntry.objects.count()
    with pytest.raises(SecondPersonNeeded):
        switch_off(operator, rule)
    rule.refresh_from_db()
    assert rule.is_enabled
    assert AuditEntry.objects.count() == before


def test_a_request_says_who_asks_for_what_and_why(operator, rule, second):
    row = ask(lambda: switch_off(operator, rule), "noisy at night")
    assert (row.asked_by, row.reason, row.state) == (operator, "noisy at night", "waiting")
    assert (row.subject_type, row.subject_id) == ("systemadmin.alertrule", str(rule.pk))
    assert row.expires_at > timezone.now() + timedelta(hours=71)
    assert AuditEntry.objects.filter(action="systemadmin.approval.requested").count() == 1
    told = set(Notification.objects.values_list("user__username", flat=True))
    assert told == {"otto"}


def test_who_asks_reads_whether_anybody_may_decide(operator, rule):
    row = ask(lambda: switch_off(operator, rule))
    assert "duties.single_person" in approval_texts.waiting_text(row)
    StaffFactory(role="operator")
    assert "duties.single_person" not in approval_texts.waiting_text(row)


def test_a_request_needs_a_reason(operator, rule):
    with pytest.raises(SecondPersonNeeded) as found:
        switch_off(operator, rule)
    with pytest.raises(InvalidInput):
        approvals.keep(found.value, " \u200b ")
    assert not ApprovalRequest.objects.exists()


def test_asked_twice_it_waits_once(operator, rule, second):
    first = ask(lambda: switch_off(operator, rule))
    assert ask(lambda: switch_off(operator, rule)) == first
    with pytest.raises(SecondPersonNeeded) as found:
        switch_off(second, rule)
    with pytest.raises(approvals.RequestWaitsAlready):
        approvals.keep(found.value, "me too")
    assert ApprovalRequest.objects.count() == 1


def test_what_a_rule_would_refuse_is_refused_before_anybody_is_asked(operator):
    with pytest.raises(InvalidInput):
        change_settings(actor=operator, values={"audit.retention_days": 30}, reason="x")


def test_the_database_refuses_a_decision_by_who_asked(operator, rule):
    row = ask(lambda: switch_off(operator, rule))
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRequest.objects.filter(pk=row.pk).update(
            state="approved", decided_by=operator, decided_at=timezone.now()
        )


# -- deciding ------------------------------------------------------------------------


def test_an_approved_act_is_done_by_who_asked_and_names_who_approved(operator, second, rule):
    row = ask(lambda: switch_off(operator, rule))
    row = approvals.approve(actor=second, request=row, reason="agreed")
    assert (row.state, row.decided_by) == ("approved", second)
    rule.refresh_from_db()
    assert not rule.is_enabled
    entry = AuditEntry.objects.get(action="systemadmin.alert_rule.changed")
    assert entry.actor == operator
    assert entry.metadata == {"approval_request": row.pk, "approved_by": "otto"}
    assert Notification.objects.filter(user=operator, kind="approval.decided").exists()
    with pytest.raises(RequestIsDecided):
        approvals.approve(actor=second, request=row)


def test_nobody_approves_what_they_asked_for_not_even_a_superuser(rule):
    root = StaffFactory(is_superuser=True)
    row = ask(lambda: switch_off(root, rule))
    with pytest.raises(CannotDecideRequest) as refusal:
        approvals.approve(actor=root, request=row)
    assert "superuser" in str(refusal.value)


@pytest.mark.parametrize("role", ["support_agent", "auditor", "risk_analyst"])
def test_only_holders_of_the_acts_permission_approve(role, operator, rule):
    row = ask(lambda: switch_off(operator, rule))
    with pytest.raises(CannotDecideRequest) as refusal:
        approvals.approve(actor=StaffFactory(role=role), request=row)
    assert refusal.value.extra["roles"] == ["operator"]


def test_a_colleague_made_a_moment_ago_does_not_approve():
    root, puppet = StaffFactory(is_superuser=True), UserFactory()
    other = StaffFactory(is_superuser=True)
    row = ask(lambda: rights.set_rights(actor=root, user=puppet, flags=all_rights()))
    approvals.approve(actor=other, request=row)
    puppet = User.objects.get(pk=puppet.pk)
    rows = ask(lambda: rights.set_rights(actor=root, user=UserFactory(), flags=all_rights()))
    with pytest.raises(CannotDecideRequest, match="short while"):
        approvals.approve(actor=puppet, request=rows)
    # Rows of the trail cannot be made older: the hours are made fewer.
    change_settings(actor=None, values={"duties.new_colleague_hours": 0})
    assert approvals.approve(actor=puppet, request=rows).state == "approved"


def all_rights():
    return {"is_staff": True, "is_superuser": True}


def test_whom_it_concerns_does_not_approve():
    root, other = StaffFactory(is_superuser=True), StaffFactory(is_superuser=True)
    other_account = StaffFactory(role="operator")
    role = rights.Group.objects.get(name="auditor")
    row = ask(lambda: rights.set_rights(actor=root, user=other, roles=[role]))
    with pytest.raises(OwnInterest):
        approvals.approve(actor=other, request=row)
    with pytest.raises(OwnInterest):
        approvals.refuse(actor=other, request=row, reason="no")
    assert other_account.is_staff


def test_a_request_fails_when_its_object_has_changed(operator, second, rule):
    row = ask(lambda: switch_off(operator, rule))
    save_alert_rule(actor=second, rule=rule, values={"threshold": 12})
    row = approvals.approve(actor=second, request=row)
    assert row.state == "failed"
    assert "changed" in row.result["error"]
    rule.refresh_from_db()
    assert rule.is_enabled


def test_a_request_fails_when_its_object_is_gone(operator, second):
    made = save_alert_rule(
        actor=operator,
        values={
            "code": "own",
            "title": "Own",
            "metric": "queue_depth",
            "comparison": "above",
            "threshold": 1,
            "for_seconds": 1,
            "severity": "warning",
            "is_enabled": True,
        },
    )
    row = ask(lambda: switch_off(operator, made))
    delete_alert_rule(actor=None, rule=made)
    assert approvals.approve(actor=second, request=row).state == "failed"


def test_a_request_fails_when_who_asked_may_not_do_it_any_more(operator, second, rule):
    row = ask(lambda: switch_off(operator, rule))
    suspend_user(actor=None, user=operator, reason="left")
    row = approvals.approve(actor=second, request=row)
    assert (row.state, "may not" in row.result["error"]) == ("failed", True)


def test_a_refusal_needs_a_reason_and_does_nothing(operator, second, rule):
    row = ask(lambda: switch_off(operator, rule))
    with pytest.raises(InvalidInput):
        approvals.refuse(actor=second, request=row, reason="")
    row = approvals.refuse(actor=second, request=row, reason="we need it")
    assert (row.state, row.decision_reason) == ("refused", "we need it")
    rule.refresh_from_db()
    assert rule.is_enabled


def test_only_who_asked_withdraws(operator, second, rule):
    row = ask(lambda: switch_off(operator, rule))
    with pytest.raises(NotWhoAsked):
        approvals.withdraw(actor=second, request=row)
    assert approvals.withdraw(actor=operator, request=row).state == "withdrawn"
    assert ask(lambda: switch_off(operator, rule)).pk != row.pk


# -- the clock ------------------------------------------------------------------------


def test_a_request_of_another_release_is_read_and_expires(as_user, admin_client_for, second):
    row = request_for_second_person()
    ApprovalRequest.objects.filter(pk=row.pk).update(act="systemadmin.gone")
    rows = as_user(second).get("/api/admin/approvals").json()["results"]
    assert [one["title"] for one in rows] == ["systemadmin.gone"]
    page = reverse("admin:systemadmin_approvalrequest_change", args=[row.pk])
    assert admin_client_for(second).get(page).status_code == 200
    row.refresh_from_db()
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=second, request=row)
    ApprovalRequest.objects.update(expires_at=timezone.now())
    expire_approvals()
    row.refresh_from_db()
    assert row.state == "expired"


def test_a_request_expires(operator, second, rule):
    row = ask(lambda: switch_off(operator, rule))
    ApprovalRequest.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    with pytest.raises(RequestIsDecided):
        approvals.approve(actor=second, request=row)
    assert expire_approvals() == 1
    row.refresh_from_db()
    assert (row.state, row.decided_by) == ("expired", None)
    assert Notification.objects.filter(user=operator, kind="approval.decided").exists()
    assert expire_approvals() == 0


# -- settings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("audit.retention_days", 400),
        ("backups.keep_days", 1),
        ("sign_in.keep_failures_days", 1),
        ("duties.second_person_payout_limit", 10**9),
        ("duties.second_person_payment_limit", 10**9),
        ("duties.second_person_entry_limit", 10**9),
        ("duties.new_colleague_hours", 0),
        ("duties.second_person_silence_hours", 700),
    ],
)
def test_settings_that_would_protect_less_wait(operator, second, key, value):
    row = ask(lambda: change_settings(actor=operator, values={key: value}, reason="space"))
    assert not SystemConfig.objects.filter(key=key).exists()
    assert approvals.approve(actor=second, request=row).state == "approved"
    assert SystemConfig.objects.get(key=key).value == value


def test_settings_that_protect_more_are_changed_by_one_person(operator):
    change_settings(
        actor=operator,
        values={"audit.retention_days": 1000, "duties.second_person_payout_limit": 0},
    )
    change_settings(actor=operator, values={"messaging.retention_days": 0})
    with pytest.raises(SecondPersonNeeded):
        change_settings(actor=operator, values={"messaging.retention_days": 30})


# -- one person's place ------------------------------------------------------------------


def be_alone(actor, reason="only me"):
    change_settings(actor=actor, values={"duties.single_person": True}, reason=reason)


def test_the_only_superuser_says_that_the_place_has_one_person(rule):
    root = StaffFactory(is_superuser=True)
    with pytest.raises(InvalidInput):
        be_alone(root, "")
    be_alone(root)
    assert Alert.objects.filter(rule="duties.single_person").exists()
    switch_off(root, rule)
    entry = AuditEntry.objects.get(action="systemadmin.duties.acted_alone")
    assert entry.metadata["single_person"] is True
    assert entry.after["act"] == "systemadmin.switch_off_alert_rule"
    assert Alert.objects.filter(rule="duties.acted_alone").exists()
    change_settings(actor=root, values={"duties.single_person": False})
    with pytest.raises(SecondPersonNeeded):
        delete_alert_rule(actor=root, rule=AlertRule.objects.filter(is_enabled=True).first())


def test_an_operator_does_not_say_so(operator):
    with pytest.raises(approvals.NotAllowed):
        be_alone(operator)


def test_beside_a_colleague_it_takes_two(operator):
    root, other = StaffFactory(is_superuser=True), StaffFactory(is_superuser=True)
    row = ask(lambda: be_alone(root))
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=root, request=row)
    assert approvals.approve(actor=other, request=row).state == "approved"


REMOVALS = {
    "suspend": lambda root, other: suspend_user(actor=root, user=other, reason="in my way"),
    "take rights": lambda root, other: rights.set_rights(
        actor=root, user=other, flags={"is_superuser": False}
    ),
}


@pytest.mark.parametrize("how", REMOVALS)
def test_nobody_removes_the_last_colleague_to_be_alone(how):
    root, other = StaffFactory(is_superuser=True), StaffFactory(is_superuser=True)
    with pytest.raises(SecondPersonNeeded):
        REMOVALS[how](root, other)
    with pytest.raises(SecondPersonNeeded):
        be_alone(root)


# -- API -------------------------------------------------------------------------------


def test_the_api_answers_202_and_lets_another_decide(operator, second, as_user):
    body = {"audit.retention_days": 400, "reason": "space"}
    answer = as_user(operator).put("/api/admin/config", body, format="json")
    assert answer.status_code == 202, answer.json()
    data = answer.json()
    assert data["state"] == "waiting"
    assert data["requests"][0]["may_decide"]["roles"] == ["operator"]
    path = f"/api/admin/approvals/{data['approval_request']}"
    assert answer["Location"] == path
    shown = as_user(second).get(path).json()
    assert shown["facts"] == [["audit.retention_days", "730 → 400"]]
    problem(as_user(operator).post(f"{path}/approve"), 403, "cannot_decide_request")
    stale = as_user(second).post(f"{path}/approve", headers={"If-Match": '"7"'})
    problem(stale, 412, "stale_version")
    done = as_user(second).post(f"{path}/approve", headers={"If-Match": '"1"'})
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    problem(as_user(second).post(f"{path}/approve"), 409, "request_is_decided")


def test_the_api_asks_for_a_reason_and_takes_it_from_a_header(operator, as_user):
    client, body = as_user(operator), {"audit.retention_days": 400}
    problem(client.put("/api/admin/config", body, format="json"), 400, "invalid", "reason")
    answer = client.put(
        "/api/admin/config",
        body,
        format="json",
        headers={"Approval-Reason": "poco%20espacio%C3%B1"},
    )
    assert answer.json()["requests"][0]["reason"] == "poco espacioñ"


def test_the_api_lists_refuses_and_withdraws(operator, second, as_user, rule):
    first = ask(lambda: switch_off(operator, rule))
    listed = as_user(second).get("/api/admin/approvals", {"state": "waiting"}).json()
    assert [one["id"] for one in listed["results"]] == [first.pk]
    path = f"/api/admin/approvals/{first.pk}"
    problem(as_user(second).post(f"{path}/refuse"), 400, "invalid", "reason")
    answer = as_user(second).post(f"{path}/refuse", {"reason": "no"}, format="json")
    assert answer.json()["state"] == "refused"
    again = ask(lambda: switch_off(operator, rule))
    path = f"/api/admin/approvals/{again.pk}"
    problem(as_user(second).post(f"{path}/withdraw"), 403, "not_who_asked")
    assert as_user(operator).post(f"{path}/withdraw").json()["state"] == "withdrawn"


# -- admin and command -----------------------------------------------------------------


def test_the_admin_asks_why_and_another_approves(operator, second, admin_client_for, rule):
    client = admin_client_for(operator)
    page = reverse("admin:systemadmin_alertrule_change", args=[rule.pk])
    values = {
        name: getattr(rule, name)
        for name in (
            "code",
            "title",
            "metric",
            "comparison",
            "threshold",
            "for_seconds",
            "severity",
        )
    }
    answer = client.post(page, values, follow=True)
    assert "needs a second person" in answer.content.decode()
    assert not ApprovalRequest.objects.exists()
    client.post(reverse("admin:ask_second_person"), {"reason": "noisy"})
    row = ApprovalRequest.objects.get()
    assert row.reason == "noisy"
    own = client.get(reverse("admin:systemadmin_approvalrequest_change", args=[row.pk]))
    assert "Withdraw" in own.content.decode()
    assert "Approve and do it" not in own.content.decode()
    other = admin_client_for(second)
    assert "Requests for a second person" in other.get(reverse("admin:index")).content.decode()
    shown = other.get(reverse("admin:systemadmin_approvalrequest_change", args=[row.pk]))
    assert "Approve and do it" in shown.content.decode()
    other.post(
        reverse("admin:systemadmin_approvalrequest_changelist"),
        {"action": "approve", "_selected_action": [row.pk], "apply": "1", "reason": ""},
    )
    rule.refresh_from_db()
    assert not rule.is_enabled


def test_rights_wait_and_the_rest_of_the_account_is_saved(admin_client_for):
    root, other = StaffFactory(is_superuser=True), StaffFactory(is_superuser=True)
    client = admin_client_for(root)
    client.post(
        reverse("admin:systemadmin_user_add"),
        {"username": "nuria", "usable_password": "false", "is_staff": "on"},
    )
    made = User.objects.get(username="nuria")
    assert not made.is_staff
    client.post(reverse("admin:ask_second_person"), {"reason": "joins support"})
    row = ApprovalRequest.objects.get()
    assert approvals.approve(actor=other, request=row).state == "approved"
    made.refresh_from_db()
    assert made.is_staff


def test_the_command_lists_approves_and_refuses(operator, second, rule, capsys):
    row = ask(lambda: switch_off(operator, rule))
    call_command("approvals", "list")
    assert "asked by olga" in capsys.readouterr().out
    with pytest.raises(CommandError, match="yourself"):
        call_command("approvals", "approve", str(row.pk), "--by", "olga")
    call_command("approvals", "approve", str(row.pk), "--by", "otto")
    rule.refresh_from_db()
    assert not rule.is_enabled
    other = AlertRule.objects.filter(is_enabled=True).first()
    row = ask(lambda: switch_off(operator, other))
    call_command("approvals", "refuse", str(row.pk), "--by", "otto", "--reason", "no")
    row.refresh_from_db()
    assert row.state == "refused"


def test_the_list_needs_the_same_queries_for_more_rows(second, as_user):
    client = as_user(second)
    asker = StaffFactory(role="operator")
    request_for_second_person(subject_id="0", asked_by=asker)

    def grow():
        for number in range(1, 10):
            request_for_second_person(subject_id=str(number), asked_by=asker)

    assert_constant_queries(lambda: client.get("/api/admin/approvals"), grow)


def test_every_setting_of_how_long_something_is_kept_is_guarded():
    kept = [
        one for key, one in declared_settings().items() if "retention" in key or ".keep_" in key
    ]
    assert len(kept) > 10
    for one in kept:
        higher, lower = int(one.max), int(one.max) - 1
        assert one.weakens(higher, lower), one.key
        assert not one.weakens(lower, higher), one.key


def test_the_status_page_counts_what_was_done_alone(rule):
    root = StaffFactory(is_superuser=True)
    assert single_person.status()["acts_done_alone_30_days"] == 0
    be_alone(root)
    switch_off(root, rule)
    assert single_person.status() == {
        "status": "warning",
        "single_person": True,
        "acts_done_alone_30_days": 1,
    }
