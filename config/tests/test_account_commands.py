"""`changepassword` and `createsuperuser` keep to the rules of the pages."""

import io
import sys

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from systemadmin.foundation.addresses import network_of
from systemadmin.models import Alert, ApiToken, AuditEntry, Notification, User
from systemadmin.services.sign_in_lock import kept_name
from systemadmin.tests.factories import PASSWORD, StaffFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.two_people]
NEW = "An-unused-long-word-77"


@pytest.fixture
def typed(monkeypatch):
    """What comes on standard input: a password a line."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{NEW}\n"))
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", NEW)


def superuser(**values):
    return UserFactory(is_staff=True, is_superuser=True, **values)


def signed_in(api, user):
    answer = api.post(
        "/api/auth/login", {"username": user.username, "password": PASSWORD}, format="json"
    )
    return answer.json()["token"]


def fresh(user):
    return User.objects.get(pk=user.pk)


def actions(user):
    rows = AuditEntry.objects.filter(target_type="systemadmin.user", target_id=str(user.pk))
    return list(rows.order_by("id").values_list("action", flat=True))


def make_superuser(**options):
    call_command(
        "createsuperuser", username="second", email="second@example.org", interactive=False,
        **options,
    )  # fmt: skip


def test_password_of_a_member_is_set_as_staff_set_it(api, typed):
    member = UserFactory()
    token = signed_in(api, member)
    call_command("changepassword", member.username, reason="asked on the phone")
    assert fresh(member).check_password(NEW)
    assert not ApiToken.objects.filter(user=member).exists()
    assert (
        api.get("/api/auth/sessions", headers={"Authorization": f"Bearer {token}"}).status_code
        == 401
    )
    row = AuditEntry.objects.get(action="systemadmin.password.set")
    assert (row.target_id, row.source, row.reason) == (
        str(member.pk),
        "command",
        "asked on the phone",
    )
    assert Notification.objects.filter(user=member, kind="security.password_set").exists()


def test_a_weak_password_is_refused(typed, monkeypatch):
    member = UserFactory()
    monkeypatch.setattr(sys, "stdin", io.StringIO("12345\n"))
    with pytest.raises(CommandError, match="new_password"):
        call_command("changepassword", member.username)
    assert fresh(member).check_password(PASSWORD)


def colleague():
    user = StaffFactory()
    user.groups.add(Group.objects.get_or_create(name="operator")[0])
    return user


@pytest.mark.parametrize("make", [colleague, superuser])
def test_password_of_a_colleague_is_refused_with_the_right_way(make, typed):
    person = make()
    with pytest.raises(CommandError, match="one-time link"):
        call_command("changepassword", person.username, reason="just so")
    assert fresh(person).check_password(PASSWORD)
    assert "systemadmin.password.set" not in actions(person)


def test_in_an_emergency_it_is_audited_alerted_and_told(typed):
    superuser()
    person = colleague()
    with pytest.raises(CommandError, match="reason"):
        call_command("changepassword", person.username, emergency=True)
    call_command("changepassword", person.username, emergency=True, reason="nobody gets in")
    assert fresh(person).check_password(NEW)
    assert actions(person)[-2:] == ["systemadmin.password.set", "systemadmin.duties.emergency"]
    assert Alert.objects.filter(rule="duties.emergency", severity="critical").exists()
    assert Notification.objects.filter(kind="duties.emergency").exists()
    assert Notification.objects.filter(user=person, kind="security.password_set").exists()


def test_unknown_account_is_named(typed):
    with pytest.raises(CommandError, match="nobody-here"):
        call_command("changepassword", "nobody-here")


def test_first_superuser_is_made_and_audited(typed):
    make_superuser()
    made = User.objects.get(username="second")
    assert made.holds_all_rights
    assert made.check_password(NEW)
    assert {"systemadmin.user.created", "systemadmin.user.rights_changed"} <= set(actions(made))
    assert not Alert.objects.filter(rule="duties.emergency").exists()


def test_a_demo_superuser_is_no_superuser_of_the_place(typed):
    superuser(is_demo=True)
    make_superuser()
    assert User.objects.get(username="second").holds_all_rights


def test_another_superuser_is_refused_with_the_right_way(typed):
    superuser()
    with pytest.raises(CommandError, match=r"another superuser agrees.*--emergency"):
        make_superuser(reason="I want to")
    assert not User.objects.filter(username="second").exists()


def test_another_superuser_in_an_emergency_is_reported(typed):
    first = superuser()
    make_superuser(emergency=True, reason="she left with the phone")
    made = User.objects.get(username="second")
    assert "systemadmin.duties.emergency" in actions(made)
    assert Alert.objects.filter(rule="duties.emergency").exists()
    assert Notification.objects.filter(user=first, kind="duties.emergency").exists()


def test_name_and_password_that_cannot_be_are_refused(typed, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "short")
    with pytest.raises(CommandError, match="password"):
        make_superuser()
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", NEW)
    UserFactory(username="second")
    with pytest.raises(CommandError, match="name"):
        make_superuser()
    assert not User.objects.filter(is_superuser=True).exists()


# -- locks of sign-ins ---------------------------------------------------------------------------


def failed_sign_in(name, address):
    return AccessAttempt.objects.create(
        username=kept_name(name), ip_address=address, failures_since_start=5
    )


@pytest.mark.parametrize(
    ("command", "left"),
    [
        (["axes_reset"], 0),
        (["axes_reset", "--username", "marta"], 1),
        (["axes_reset_username", "marta"], 1),
        (["axes_reset_ip", "192.0.2.7"], 1),
        (["axes_reset_ip_username", "192.0.2.7", "marta"], 2),
        (["axes_reset_ip", "2001:db8::99"], 2),
    ],
)
def test_forgetting_failed_sign_ins_is_audited(capsys, member, command, left):
    failed_sign_in("marta", "192.0.2.7")
    failed_sign_in("marta", network_of("2001:db8::1"))
    failed_sign_in("somebody", "192.0.2.7")
    call_command(*command, "--reason", "She called")
    assert AccessAttempt.objects.count() == left
    assert f"{3 - left} failed sign-ins forgotten." in capsys.readouterr().out
    entry = AuditEntry.objects.get(action="systemadmin.sign_in_lock.lifted")
    assert (entry.source, entry.reason) == ("command", "She called")
    assert entry.before == {"failed_sign_ins": 3 - left}
    assert bool(entry.target_id) == ("marta" in command)


def test_what_is_no_address_is_refused():
    with pytest.raises(CommandError, match="IP address"):
        call_command("axes_reset_ip", "nonsense")
