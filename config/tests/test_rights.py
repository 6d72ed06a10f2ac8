"""Who is staff is one truth: what every change of rights takes away, by every way in."""

import asyncio
import time

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from messaging.streaming import hub as hubs
from systemadmin.errors import NotServicePermission
from systemadmin.foundation.errors import NotAllowed
from systemadmin.models import ApiToken, AuditEntry, Notification, User, UserSession
from systemadmin.services import suspend_user
from systemadmin.services.rights import set_rights
from systemadmin.services.roles import save_role
from systemadmin.services.users import save_account
from systemadmin.tests.factories import PASSWORD, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

AUDIT = "/api/admin/audit"
AUDIT_PAGE = "/admin/systemadmin/auditentry/"
# What the attacker did with a role that staff had forgotten: method, path, body.
ACTS = [
    ("get", AUDIT, None),
    ("put", "/api/admin/config", {"blocking.flood_minutes": 5}),
    ("post", "/api/admin/backup", {}),
    ("post", "/api/admin/users/{victim}/password", {"new_password": "Another-long-1-word"}),
    ("post", "/api/admin/payouts", {"seller": 1, "currency": "EUR"}),
]


@pytest.fixture(autouse=True)
def second_factor_required(settings):
    settings.REQUIRE_STAFF_2FA = True


def permission(name):
    app, codename = name.split(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


def fresh(user):
    return User.objects.get(pk=user.pk)


def streams_of(user):
    """An open stream by token and one by browser session, as the hub of a process holds them."""
    token = ApiToken.objects.filter(user=user).first()
    session = UserSession.objects.filter(user=user).first()
    end = time.monotonic() + 600
    return [
        hubs.Stream(user_id=user.pk, token_id=token.pk, position=0, expires=end),
        hubs.Stream(
            user_id=user.pk,
            token_id=None,
            session_key=session.session_key,
            position=0,
            expires=end,
        ),
    ]


def check_streams(streams):
    """Run the hub's periodic check over open streams; returns which are closing."""
    hub = hubs.Hub()
    for stream in streams:
        hub.streams[stream.user_id].append(stream)
    reads = [
        hubs.setting("messaging.streams_per_member"),
        hubs.still_valid(
            [one.user_id for one in streams],
            [one.token_id for one in streams if one.token_id],
            [one.session_key for one in streams if one.session_key],
        ),
    ]

    async def run(function, *args):
        return reads.pop(0)

    hub.run = run
    asyncio.run(hub._check_rights())
    return [one.is_closing for one in streams]


class TestTheForgottenRole:
    """`is_staff` was taken away past every service, and the role stayed."""

    @pytest.fixture
    def former(self, staff):
        return staff("operator", username="former")

    @pytest.fixture
    def victim(self, staff):
        return staff("marketplace_moderator")

    def strip(self, user):
        User.objects.filter(pk=user.pk).update(is_staff=False)

    @pytest.mark.parametrize(("method", "path", "body"), ACTS)
    def test_an_old_token_opens_nothing(self, former, victim, as_user, method, path, body):
        client = as_user(former)
        self.strip(former)
        response = getattr(client, method)(path.format(victim=victim.pk), body)
        assert response.status_code == 403

    @pytest.mark.parametrize(("method", "path", "body"), ACTS)
    def test_the_password_alone_opens_nothing(self, former, victim, api, method, path, body):
        self.strip(former)
        answer = api.post("/api/auth/login", {"username": "former", "password": PASSWORD})
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['token']}")
        response = getattr(client, method)(path.format(victim=victim.pk), body)
        assert response.status_code == 403
        assert client.get("/api/auth/me").json()["permissions"] == []

    def test_a_superuser_who_is_not_staff_has_no_rights(self, as_user, superuser, victim):
        client = as_user(superuser)
        self.strip(superuser)
        for method, path, body in ACTS:
            response = getattr(client, method)(path.format(victim=victim.pk), body)
            assert response.status_code == 403, path
        assert not fresh(superuser).has_module_perms("systemadmin")
        assert fresh(superuser).get_all_permissions() == set()

    def test_the_admin_and_its_session_are_closed(self, former, admin_client_for):
        browser = admin_client_for(former)
        assert browser.get(AUDIT_PAGE).status_code == 200
        self.strip(former)
        assert browser.get(AUDIT_PAGE).status_code == 302
        # The same session in the API, which takes it too.
        assert browser.get(AUDIT).status_code in {401, 403}

    @pytest.mark.parametrize(
        "change", [{"is_active": False}, {"suspended_at": "2026-01-01T00:00Z"}]
    )
    def test_rights_do_not_count_on_an_account_that_is_shut(self, former, change):
        User.objects.filter(pk=former.pk).update(**change)
        assert not fresh(former).has_perm("systemadmin.view_auditentry")
        assert fresh(former).get_all_permissions() == set()


class TestWhoIsNotStaff:
    def test_a_role_gives_nothing(self, member):
        member.groups.add(Group.objects.get(name="auditor"))
        assert fresh(member).get_all_permissions() == set()

    def test_a_direct_permission_of_staff_gives_nothing(self, member, as_user):
        member.user_permissions.add(permission("systemadmin.view_auditentry"))
        assert as_user(fresh(member)).get(AUDIT).status_code == 403

    def test_a_service_account_keeps_its_one_permission(self, member, as_user):
        member.user_permissions.add(permission("riskops.ingest_events"))
        assert fresh(member).get_all_permissions() == {"riskops.ingest_events"}
        body = {"events": []}
        assert as_user(fresh(member)).post("/api/events", body).status_code != 403

    def test_a_suspended_service_account_has_none(self, member, superuser):
        member.user_permissions.add(permission("riskops.ingest_events"))
        suspend_user(actor=superuser, user=member, reason="lost key")
        assert fresh(member).get_all_permissions() == set()

    def test_the_service_gives_it_no_other(self, member, superuser):
        with pytest.raises(NotServicePermission):
            set_rights(
                actor=superuser,
                user=member,
                permissions=[permission("systemadmin.view_auditentry")],
            )


def role_of_ones_own(superuser):
    return save_role(
        actor=superuser,
        name="readers",
        permissions=[permission("systemadmin.view_auditentry")],
    )


CHANGES = {
    "is_staff off": lambda root, user: set_rights(actor=root, user=user, flags={"is_staff": False}),
    "role removed": lambda root, user: set_rights(actor=root, user=user, roles=[]),
    "weaker role": lambda root, user: set_rights(
        actor=root, user=user, roles=[Group.objects.get(name="support_agent")]
    ),
    "superuser off": lambda root, user: set_rights(
        actor=root, user=user, flags={"is_superuser": False}
    ),
    "is_active off": lambda root, user: set_rights(
        actor=root, user=user, flags={"is_active": False}
    ),
    "suspension": lambda root, user: suspend_user(actor=root, user=user, reason="left"),
    "permission of the role removed": lambda root, user: save_role(
        actor=root, role=Group.objects.get(name="readers"), permissions=[]
    ),
    "direct permission removed": lambda root, user: set_rights(
        actor=root, user=user, permissions=[]
    ),
    "by the form of the admin": lambda root, user: save_account(
        actor=root, user=user, roles=[Group.objects.get(name="support_agent")]
    ),
}


@pytest.fixture
def holder(request, superuser):
    """Whoever may read the audit trail by what the change takes away."""
    change = request.getfixturevalue("change")
    user = StaffFactory(username="holder", is_superuser=change == "superuser off")
    if change.startswith("permission of the role"):
        user.groups.add(role_of_ones_own(superuser))
    elif change.startswith("direct"):
        user.user_permissions.add(permission("systemadmin.view_auditentry"))
    elif change != "superuser off":
        user.groups.add(Group.objects.get(name="operator"))
    return fresh(user)


@pytest.mark.parametrize("change", CHANGES)
def test_what_every_change_takes_away(change, holder, superuser, as_user, admin_client_for):
    client, browser = as_user(holder), admin_client_for(holder)
    streams = streams_of(holder)
    assert client.get(AUDIT).status_code == 200
    assert browser.get(AUDIT_PAGE).status_code == 200
    assert check_streams(streams) == [False, False]

    CHANGES[change](superuser, fresh(holder))

    assert client.get(AUDIT).status_code == 401
    assert browser.get(AUDIT_PAGE).status_code == 302
    assert check_streams(streams) == [True, True]
    # Signing in again brings back only what is left.
    assert as_user(fresh(holder)).get(AUDIT).status_code in {401, 403}
    assert admin_client_for(fresh(holder)).get(AUDIT_PAGE).status_code in {302, 403}


class TestGaining:
    def test_what_a_member_had_open_does_not_become_staffs(
        self, member, superuser, as_user, admin_client_for
    ):
        """Its own second factor vouched for a member, not for an operator."""
        client, browser = as_user(member), admin_client_for(member)
        operator = [Group.objects.get(name="operator")]
        set_rights(actor=superuser, user=fresh(member), flags={"is_staff": True}, roles=operator)
        assert client.get(AUDIT).status_code == 401
        assert browser.get(AUDIT_PAGE).status_code == 302

    def test_a_session_of_a_member_ends_however_it_became_staff(self, member, admin_client_for):
        browser = admin_client_for(member)
        member.groups.add(Group.objects.get(name="operator"))
        User.objects.filter(pk=member.pk).update(is_staff=True)
        assert browser.get(AUDIT_PAGE).status_code == 302

    def test_a_sign_in_that_waits_for_its_code_ends_too(self, staff):
        from systemadmin.tests.factories import totp_code, totp_device_for

        user = staff("support_agent", username="waiting")
        device = totp_device_for(user)
        browser = Client()
        browser.post("/admin/login/", {"username": "waiting", "password": PASSWORD})
        User.objects.filter(pk=user.pk).update(is_superuser=True)
        page = browser.post("/admin/login/code/", {"otp_code": totp_code(device)})
        assert page.status_code == 302
        assert page.url.startswith("/admin/login/")
        assert browser.get("/admin/").status_code == 302

    def test_without_the_second_factor_a_role_opens_nothing(self, staff, as_user):
        client = as_user(staff("operator"), two_factor=False)
        assert client.get(AUDIT).json()["code"] == "two_factor_required"


class TestTraces:
    def test_the_owner_is_told_and_the_audit_has_before_and_after(self, staff, superuser):
        user = staff("operator")
        weaker = [Group.objects.get(name="support_agent")]
        set_rights(actor=superuser, user=user, roles=weaker, reason="moved")
        entry = AuditEntry.objects.get(action="systemadmin.user.rights_changed")
        assert (entry.actor, entry.reason) == (superuser, "moved")
        assert entry.before["roles"] == ["operator"]
        assert entry.after["roles"] == ["support_agent"]
        assert entry.after["is_staff"] is True
        assert Notification.objects.get(user=user).kind == "security.rights_changed"

    def test_one_form_with_several_changes_is_one_change(self, staff, superuser):
        user = staff("operator")
        user.is_staff = False
        save_account(actor=superuser, user=user, roles=[])
        assert AuditEntry.objects.filter(action="systemadmin.user.rights_changed").count() == 1
        assert Notification.objects.filter(user=user).count() == 1

    def test_nothing_happens_when_nothing_changes(self, staff, superuser, as_user):
        user = staff("operator")
        client = as_user(user)
        same = list(user.groups.all())
        assert set_rights(actor=superuser, user=user, roles=same) is None
        assert client.get(AUDIT).status_code == 200

    def test_only_superusers_hand_out_rights(self, staff, member):
        for role in ("operator", "auditor"):
            with pytest.raises(NotAllowed):
                set_rights(actor=staff(role), user=member, flags={"is_staff": True})
        assert not fresh(member).is_staff

    def test_setup_takes_away_and_says_so(self, staff, as_user, superuser):
        user, role = staff("support_agent"), Group.objects.get(name="support_agent")
        role.permissions.add(permission("systemadmin.view_auditentry"))
        client = as_user(fresh(user))
        assert client.get(AUDIT).status_code == 200
        call_command("setup", verbosity=0)
        assert client.get(AUDIT).status_code == 401
        entry = AuditEntry.objects.get(action="systemadmin.user.role_rights_changed")
        assert "systemadmin.view_auditentry" in entry.before["permissions"]
        assert "systemadmin.view_auditentry" not in entry.after["permissions"]
        assert Notification.objects.filter(user=user).exists()

    def test_setup_without_a_change_ends_nothing(self, staff, as_user):
        client = as_user(staff("operator"))
        call_command("setup", verbosity=0)
        assert client.get(AUDIT).status_code == 200


class TestAddresses:
    def test_a_change_is_told_to_the_old_and_the_new_address(self, superuser, mailoutbox):
        from systemadmin.foundation.queue import drain

        user = UserFactory(email="old@example.test", language="es")
        user.email = "new@example.test"
        save_account(actor=superuser, user=user)
        drain()
        assert sorted(one.to for one in mailoutbox) == [["new@example.test"], ["old@example.test"]]

    def test_other_changes_tell_no_address(self, superuser):
        user = UserFactory()
        user.first_name = "Nova"
        save_account(actor=superuser, user=user)
        assert not Notification.objects.exists()
