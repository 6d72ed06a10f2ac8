"""The accounts pages of the admin: who may do what to whom, and what it leaves behind."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse

from systemadmin.foundation.testing import assert_constant_queries
from systemadmin.models import AccessLink, ApiToken, AuditEntry, User
from systemadmin.tests.factories import PASSWORD, StaffFactory, UserFactory, totp_device_for

pytestmark = pytest.mark.django_db

LIST = "/admin/systemadmin/user/"


@pytest.fixture
def root(admin_client_for, superuser):
    return admin_client_for(superuser)


@pytest.fixture
def operator(admin_client_for, staff):
    return admin_client_for(staff("operator"))


@pytest.fixture
def agent(admin_client_for, staff):
    return admin_client_for(staff("support_agent"))


def act(browser, action, *users, **form):
    data = {"action": action, "_selected_action": [user.pk for user in users], **form}
    return browser.post(LIST, data, follow=True)


def page_of(user):
    return reverse("admin:systemadmin_user_change", args=[user.pk])


def access_of(user):
    return reverse("admin:systemadmin_user_access", args=[user.pk])


class TestActions:
    def test_suspending_asks_why_first(self, root, member):
        page = act(root, "suspend", member)
        assert 'name="reason"' in page.content.decode()
        member.refresh_from_db()
        assert not member.is_suspended

    def test_suspending_with_an_end(self, root, member):
        act(root, "suspend", member, apply="1", reason="spam", until="2099-01-01T12:00")
        member.refresh_from_db()
        assert member.is_suspended
        assert (member.suspended_until.year, member.suspension_reason) == (2099, "spam")

    def test_reinstating_and_verifying(self, root, member):
        act(root, "suspend", member, apply="1", reason="spam")
        act(root, "reinstate", member, apply="1", reason="")
        act(root, "verify", member, apply="1", reason="showed a passport")
        member.refresh_from_db()
        assert not member.is_suspended
        assert member.verified_at is not None
        actions = list(AuditEntry.objects.values_list("action", flat=True))
        for expected in ("suspended", "reinstated", "verified"):
            assert f"systemadmin.user.{expected}" in actions

    def test_each_refusal_is_told_by_row(self, root, member, other_member):
        act(root, "verify", member, apply="1")
        page = act(root, "verify", member, other_member, apply="1").content.decode()
        assert "Marta: The account is already verified." in page
        other_member.refresh_from_db()
        assert other_member.verified_at is not None

    @pytest.mark.parametrize(
        ("role", "offered"),
        [
            ("support_agent", set()),
            ("marketplace_moderator", set()),
            ("auditor", set()),
            ("operator", {"suspend", "reinstate"}),
            ("risk_analyst", {"suspend", "reinstate", "verify"}),
        ],
    )
    def test_a_role_is_offered_what_it_may_do(self, admin_client_for, staff, role, offered, member):
        browser = admin_client_for(staff(role))
        page = browser.get(LIST).content.decode()
        for action in ("suspend", "reinstate", "verify"):
            assert (f'value="{action}"' in page) is (action in offered)
            if action not in offered:
                act(browser, action, member, apply="1", reason="x")
        member.refresh_from_db()
        assert not member.is_suspended
        assert member.verified_at is None


class TestEditing:
    def form(self, user, **changes):
        fields = ("username", "first_name", "last_name", "email", "country", "language")
        return {name: getattr(user, name) for name in fields} | {
            "external_id": user.external_id or "",
            "telegram_chat_id": user.telegram_chat_id,
            "is_active": "on",
            **changes,
        }

    def test_a_superuser_changes_and_the_change_is_audited(self, root, member):
        response = root.post(page_of(member), self.form(member, first_name="Maria"))
        assert response.status_code == 302, response.context["errors"]
        entry = AuditEntry.objects.get(action="systemadmin.user.changed")
        assert (entry.before, entry.after) == ({"first_name": "Marta"}, {"first_name": "Maria"})

    def test_roles_are_audited_too(self, root, member):
        group = Group.objects.get(name="support_agent")
        root.post(page_of(member), self.form(member, is_staff="on", groups=[group.pk]))
        member.refresh_from_db()
        assert (member.is_staff, member.role) == (True, "support_agent")
        entry = AuditEntry.objects.get(action="systemadmin.user.rights_changed")
        assert (entry.after["is_staff"], entry.after["roles"]) == (True, ["support_agent"])

    def test_no_role_edits_accounts(self, operator, agent, member):
        for browser in (operator, agent):
            assert browser.get(page_of(member)).status_code == 200
            assert (
                browser.post(page_of(member), self.form(member, email="x@y.z")).status_code == 403
            )
        member.refresh_from_db()
        assert member.email == "marta@example.test"

    def test_who_may_edit_accounts_cannot_hand_out_rights(self, admin_client_for, member):
        from django.contrib.auth.models import Permission

        editor = StaffFactory()
        editor.user_permissions.set(
            Permission.objects.filter(codename__in=["view_user", "change_user"])
        )
        browser = admin_client_for(editor)
        changed = self.form(editor, is_superuser="on", is_staff="on", first_name="Edgar")
        assert browser.post(page_of(editor), changed).status_code == 302
        editor.refresh_from_db()
        assert (editor.first_name, editor.is_superuser) == ("Edgar", False)

    def test_a_lesser_editor_cannot_touch_a_superuser(self, admin_client_for, superuser):
        from django.contrib.auth.models import Permission

        editor = StaffFactory()
        editor.user_permissions.set(
            Permission.objects.filter(codename__in=["view_user", "change_user"])
        )
        response = admin_client_for(editor).post(
            page_of(superuser), self.form(superuser, email="mine@evil.example")
        )
        assert response.status_code == 403

    def test_staff_are_added_with_a_password_that_passes(self, root):
        weak = {"username": "nora", "usable_password": "true", "is_staff": "on"}
        page = root.post(LIST + "add/", {**weak, "password1": "short", "password2": "short"})
        assert page.status_code == 200
        done = root.post(LIST + "add/", {**weak, "password1": PASSWORD, "password2": PASSWORD})
        assert done.status_code == 302, done.context["errors"]
        nora = User.objects.get(username="nora")
        assert nora.check_password(PASSWORD)
        assert nora.is_staff
        entry = AuditEntry.objects.get(action="systemadmin.user.created")
        assert entry.after["is_staff"] is True
        assert "password" not in entry.after

    def test_nobody_is_deleted(self, root, member):
        assert root.post(f"{LIST}{member.pk}/delete/", {"post": "yes"}).status_code == 403
        assert User.objects.filter(pk=member.pk).exists()


class TestAccessPage:
    def test_it_lists_and_ends(self, operator, root, as_user, member):
        client = as_user(member)
        ApiToken.objects.update(device="fp-77", ip="192.0.2.77")
        page = root.get(access_of(member)).content.decode()
        assert "fp-77" in page
        assert "192.0.2.77" in page
        # An operator sees which network, and ends the session all the same.
        page = operator.get(access_of(member)).content.decode()
        assert "192.0.x.x" in page
        assert "fp-77" not in page
        access = f"token-{ApiToken.objects.get().public_id.hex}"
        operator.post(access_of(member), {"act": "end", "access": access})
        assert client.get("/api/auth/me").status_code == 401

    def test_ending_all_spares_the_one_who_asks(self, root, as_user, superuser):
        as_user(superuser)
        root.post(access_of(superuser), {"act": "end_all"})
        assert not ApiToken.objects.exists()
        assert root.get("/admin/").status_code == 200

    def test_setting_a_password(self, operator, member):
        # Who has an address chooses one by a link.
        member.email = ""
        member.save()
        page = operator.post(access_of(member), {"act": "password", "new_password": "short"})
        assert page.status_code == 200
        assert "too short" in page.content.decode()
        new = "A-quite-different-1-phrase"
        operator.post(access_of(member), {"act": "password", "new_password": new})
        member.refresh_from_db()
        assert member.check_password(new)

    def test_resetting_the_second_factor(self, operator, staff):
        other = staff("support_agent")
        totp_device_for(other)
        operator.post(access_of(other), {"act": "reset", "reason": ""})
        assert not AccessLink.objects.exists()
        operator.post(access_of(other), {"act": "reset", "reason": "lost the phone"})
        # Only the owner takes it off, by the link.
        assert other.encryptedtotpdevice_set.exists()
        assert AccessLink.objects.get().purpose == "two_factor"

    def test_resetting_the_second_factor_of_a_member(self, operator, member):
        totp_device_for(member)
        operator.post(access_of(member), {"act": "reset", "reason": "lost the phone"})
        assert not member.encryptedtotpdevice_set.exists()

    def test_sending_a_link_for_a_new_password(self, operator, staff):
        other = staff("support_agent")
        operator.post(access_of(other), {"act": "link", "reason": "forgot it"})
        assert AccessLink.objects.get().purpose == "password"

    def test_a_refusal_is_told(self, operator, superuser, as_user):
        as_user(superuser)
        page = operator.post(access_of(superuser), {"act": "end_all"}, follow=True)
        assert "do not have permission" in page.content.decode()
        assert ApiToken.objects.filter(user=superuser).exists()

    def test_without_the_permission_it_is_closed(self, agent, member):
        assert agent.get(access_of(member)).status_code == 403
        assert agent.post(access_of(member), {"act": "end_all"}).status_code == 403

    def test_who_is_not_there_is_404(self, root):
        assert root.get(f"{LIST}999999999/access/").status_code == 404


class TestEveryMember:
    URL = LIST + "end-member-sessions/"

    def test_it_asks_why_and_ends_all(self, operator, as_user, member):
        client = as_user(member)
        assert "reason" in operator.get(self.URL).content.decode()
        operator.post(self.URL, {"reason": ""})
        assert client.get("/api/auth/me").status_code == 200
        operator.post(self.URL, {"reason": "leak"})
        assert client.get("/api/auth/me").status_code == 401

    def test_only_with_the_permission(self, agent):
        assert agent.get(self.URL).status_code == 403
        assert agent.post(self.URL, {"reason": "x"}).status_code == 403


def test_the_list_needs_a_constant_number_of_queries(root):
    assert_constant_queries(lambda: root.get(LIST), lambda: [UserFactory() for _ in range(10)])


def test_search_finds_by_the_beginning(root):
    UserFactory(username="zoe.lopez", external_id="shop-77")
    for text in ("zoe", "shop-7"):
        assert "zoe.lopez" in root.get(LIST, {"q": text}).content.decode()


def test_standing_filter(root, member):
    act(root, "suspend", member, apply="1", reason="spam")
    UserFactory(username="zoe.lopez")
    page = root.get(LIST, {"standing": "suspended"}).content.decode()
    assert page_of(member) in page
    assert "zoe.lopez" not in page


@pytest.mark.parametrize("page", ["systemadmin_user_change", "riskops_account_change"])
def test_who_may_not_suspend_reads_who_may(admin_client_for, staff, page):
    call_command("setup", verbosity=0)
    member, colleague = UserFactory(), StaffFactory()
    url = reverse(f"admin:{page}", args=[member.pk])
    reader = "marketplace_moderator" if page == "systemadmin_user_change" else "support_agent"
    text = admin_client_for(staff(reader)).get(url).content.decode()
    assert "You cannot suspend this account. Who can: Operator, Risk analyst, a superuser." in text
    analyst = admin_client_for(staff("risk_analyst"))
    assert "You cannot suspend" not in analyst.get(url).content.decode()
    other = reverse(f"admin:{page}", args=[colleague.pk])
    assert "Who can: a superuser." in analyst.get(other).content.decode()


def test_whom_a_permission_is_granted_to_is_who_has_it_by_role_or_account():
    call_command("setup", verbosity=0)
    by_role = StaffFactory(role="support_agent")
    by_account = StaffFactory()
    by_account.user_permissions.add(Permission.objects.get(codename="reply_ticket"))
    both = StaffFactory(role="support_agent")
    both.user_permissions.add(Permission.objects.get(codename="reply_ticket"))
    without = [StaffFactory(role="auditor"), StaffFactory(is_superuser=True), UserFactory()]

    found = list(User.objects.granted("support.reply_ticket"))

    assert sorted(user.pk for user in found) == sorted([by_role.pk, by_account.pk, both.pk])
    assert all(user.has_perm("support.reply_ticket") for user in found)
    assert not {user.pk for user in found} & {user.pk for user in without}
