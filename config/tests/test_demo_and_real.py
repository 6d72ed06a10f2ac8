"""Demo accounts and real ones: neither reaches into the other."""

import subprocess
import sys

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group

from support import demo
from support.models import Category, SlaPolicy, Ticket
from support.services import open_ticket
from support.services.mailboxes import save_mailbox
from systemadmin.backups.downloads import download
from systemadmin.errors import DemoActsOnReal, DemoChangesShared
from systemadmin.foundation.configuration import forget_stored_values, setting
from systemadmin.foundation.errors import NotAllowed
from systemadmin.models import AuditEntry, User
from systemadmin.services import (
    authentication,
    change_settings,
    reinstate_user,
    sessions,
    suspend_user,
    two_factor,
    verify_user,
)
from systemadmin.services.demo import purge_demo
from systemadmin.services.rights import set_rights
from systemadmin.services.roles import delete_role, save_role
from systemadmin.services.users import save_account
from systemadmin.services.webhooks import create_endpoint
from systemadmin.tests.backups.factories import BackupFactory
from systemadmin.tests.factories import PASSWORD, StaffFactory, UserFactory, totp_device_for

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def demo_mode(settings):
    settings.DEMO_MODE = True


@pytest.fixture
def demo_root():
    return StaffFactory(username="demo_admin", is_superuser=True, is_demo=True)


def renamed(user):
    user.first_name = "Mallory"
    return user


ACTS = {
    "edit": lambda root, user: save_account(actor=root, user=renamed(user)),
    "promote": lambda root, user: set_rights(
        actor=root, user=user, flags={"is_staff": True, "is_superuser": True}
    ),
    "give a role": lambda root, user: set_rights(
        actor=root, user=user, roles=[Group.objects.get(name="operator")]
    ),
    "suspend": lambda root, user: suspend_user(actor=root, user=user, reason="x"),
    "reinstate": lambda root, user: reinstate_user(actor=root, user=user),
    "verify": lambda root, user: verify_user(actor=root, user=user),
    "set a password": lambda root, user: authentication.set_password(
        actor=root, user=user, new_password="Another-long-1-word"
    ),
    "reset the second factor": lambda root, user: two_factor.reset(
        actor=root, user=user, reason="x"
    ),
    "end sessions": lambda root, user: sessions.end_all(actor=root, user=user),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_demo_superuser_reaches_no_real_account(act, demo_root, member):
    totp_device_for(member)
    before = User.objects.filter(pk=member.pk).values().get()
    entries = AuditEntry.objects.count()
    with pytest.raises((DemoActsOnReal, NotAllowed)):
        ACTS[act](demo_root, member)
    assert User.objects.filter(pk=member.pk).values().get() == before
    assert not member.groups.exists()
    assert AuditEntry.objects.count() == entries


def test_what_it_makes_goes_with_the_demo(demo_root, admin_client_for, superuser):
    """The published superuser made a superuser whom the purge left."""
    browser = admin_client_for(demo_root)
    form = {
        "username": "heir",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "is_staff": "on",
    }
    assert browser.post("/admin/systemadmin/user/add/", form).status_code == 302
    heir = User.objects.get(username="heir")
    set_rights(actor=demo_root, user=heir, flags={"is_superuser": True})
    assert heir.is_demo
    purge_demo(actor=superuser)
    assert list(User.objects.values_list("username", flat=True)) == ["root"]


def test_it_makes_and_changes_no_roles(demo_root, superuser):
    mine = save_role(actor=superuser, name="readers", permissions=[])
    with pytest.raises(DemoActsOnReal):
        save_role(actor=demo_root, name="heirs", permissions=[])
    with pytest.raises(DemoActsOnReal):
        delete_role(actor=demo_root, role=mine)


def test_ending_all_sessions_of_members_leaves_real_ones(demo_root, member, as_user):
    client, other = as_user(member), as_user(UserFactory(is_demo=True))
    sessions.end_all_of_members(actor=demo_root, reason="try")
    assert client.get("/api/auth/me").status_code == 200
    assert other.get("/api/auth/me").status_code == 401


def test_a_real_ticket_on_demo_configuration_does_not_block_the_purge(superuser):
    demo._categories()
    demo._policies()
    member = UserFactory(username="real")
    category = Category.objects.filter(code__startswith="demo-").first()
    ticket = open_ticket(
        actor=member, requester=member, subject="Real", body="Help.", category=category
    )
    ticket.refresh_from_db()
    assert ticket.sla_version.policy.name.startswith("demo-")
    report = purge_demo(actor=superuser)
    assert report.blockers == []
    ticket = Ticket.objects.get()
    assert None not in (ticket.sla_version, ticket.category)
    assert ticket.sla_version.policy.calendar is not None
    assert SlaPolicy.objects.get() == ticket.sla_version.policy
    assert Category.objects.get() == category


START = "import django; django.setup(); from django.conf import settings as s; "


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"DEMO_MODE": "1"}, "set DEMO_MODE_IN_PUBLIC=1 too"),
        ({"DEMO_MODE": "1", "DEMO_MODE_IN_PUBLIC": "1"}, "2FA True"),
        ({"DEMO_MODE": "1", "DJANGO_DEBUG": "1"}, "2FA False"),
        ({}, "2FA True"),
    ],
)
def test_it_starts_in_public_only_when_told_twice(environment, expected, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", START + "print('2FA', s.REQUIRE_STAFF_2FA)"],
        env={
            "PYTHONPATH": str(django_settings.BASE_DIR),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": str(tmp_path),
            "DJANGO_SECRET_KEY": "a-key-for-this-process-only-" * 3,
            **environment,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert expected in done.stdout + done.stderr


SHARED = {
    "a setting": lambda root: change_settings(actor=root, values={"privacy.export_days": 3}),
    "a webhook": lambda root: create_endpoint(actor=root, url="https://evil.example.test/"),
    "a mailbox": lambda root: save_mailbox(actor=root, values={"address": "x@example.test"}),
    "a backup": lambda root: download(actor=root, backup=BackupFactory.build()),
}


@pytest.mark.parametrize("what", SHARED)
def test_beside_real_accounts_it_does_not_touch_what_they_share(what, demo_root, member):
    with pytest.raises(DemoChangesShared) as refusal:
        SHARED[what](demo_root)
    assert refusal.value.code == "demo_account"


def test_settings_that_it_changed_alone_go_with_the_demo(demo_root):
    change_settings(actor=demo_root, values={"privacy.export_days": 3})
    assert setting("privacy.export_days") == 3
    purge_demo(actor=None)
    forget_stored_values()
    assert setting("privacy.export_days") == 7
