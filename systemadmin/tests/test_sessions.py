"""Sessions and tokens: whose they are, who may see and end them, and that they end."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.utils import timezone

from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import ApiToken, AuditEntry, Notification, User, UserSession
from systemadmin.services.retention import prune_rules
from systemadmin.tests.factories import PASSWORD, UserFactory, totp_device_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(staff):
    return staff("operator")


def url_of(user, access=""):
    return f"/api/admin/users/{user.pk}/sessions" + (f"/{access}" if access else "")


class TestOwn:
    def test_list_names_device_and_address_and_marks_the_current_one(self, as_user, member):
        here, _elsewhere = as_user(member), as_user(member)
        ApiToken.objects.update(device="fp-1", ip="192.0.2.1", user_agent="test/1")
        rows = here.get("/api/auth/sessions").json()
        assert [row["is_current"] for row in rows].count(True) == 1
        assert {(row["device"], row["ip"], row["user_agent"]) for row in rows} == {
            ("fp-1", "192.0.2.1", "test/1")
        }
        assert all(row["id"].startswith("token-") for row in rows)
        assert not any(token.digest in str(rows) for token in ApiToken.objects.all())

    def test_expired_ones_are_not_listed(self, as_user, member):
        client = as_user(member)
        ApiToken.objects.create(user=member, expiry=timedelta(seconds=-1))
        assert len(client.get("/api/auth/sessions").json()) == 1

    def test_one_may_be_ended(self, as_user, member):
        here, elsewhere = as_user(member), as_user(member)
        rows = here.get("/api/auth/sessions").json()
        [other] = [row["id"] for row in rows if not row["is_current"]]
        assert here.delete(f"/api/auth/sessions/{other}").status_code == 204
        problem(elsewhere.get("/api/auth/me"), 401)
        problem(here.delete(f"/api/auth/sessions/{other}"), 404)

    def test_somebody_elses_is_404(self, as_user, member, other_member):
        as_user(other_member)
        access = f"token-{ApiToken.objects.get(user=other_member).public_id.hex}"
        problem(as_user(member).delete(f"/api/auth/sessions/{access}"), 404)
        assert ApiToken.objects.filter(user=other_member).exists()

    @pytest.mark.parametrize("access", ["token-1", "session-x", "session-" + "9" * 20, "x"])
    def test_nonsense_is_404(self, as_user, member, access):
        problem(as_user(member).delete(f"/api/auth/sessions/{access}"), 404)

    def test_unknown_parameters_are_refused(self, as_user, member):
        problem(as_user(member).get("/api/auth/sessions?user=1"), 400, field="user")


class TestOfOthers:
    def test_operators_see_tokens_and_browser_sessions(
        self, as_user, operator, staff, admin_client_for
    ):
        agent = staff("support_agent")
        admin_client_for(agent)
        as_user(agent)
        rows = as_user(operator).get(url_of(agent)).json()
        assert sorted(row["kind"] for row in rows) == ["session", "token"]

    def test_ending_one_browser_session(self, as_user, operator, staff, admin_client_for):
        agent = staff("support_agent")
        browser = admin_client_for(agent)
        [row] = as_user(operator).get(url_of(agent)).json()
        assert as_user(operator).delete(url_of(agent, row["id"])).status_code == 204
        assert browser.get("/admin/").status_code == 302
        assert not Session.objects.filter(session_key=browser.session.session_key).exists()
        entry = AuditEntry.objects.get(action="systemadmin.session.ended")
        assert (entry.actor, entry.target_id) == (operator, str(agent.pk))

    def test_ending_all(self, as_user, operator, member, other_member):
        clients = [as_user(member) for _ in range(3)]
        spared = as_user(other_member)
        assert as_user(operator).delete(url_of(member)).json() == {"ended": 3}
        for client in clients:
            problem(client.get("/api/auth/me"), 401)
        assert spared.get("/api/auth/me").status_code == 200

    def test_who_has_gone_is_404(self, as_user, operator):
        problem(as_user(operator).get("/api/admin/users/999999999/sessions"), 404)

    def test_only_a_superuser_throws_a_superuser_out(self, as_user, operator, superuser):
        root = as_user(superuser)
        problem(as_user(operator).delete(url_of(superuser)), 403)
        access = f"token-{ApiToken.objects.get(user=superuser).public_id.hex}"
        problem(as_user(operator).delete(url_of(superuser, access)), 403)
        assert root.get("/api/auth/me").status_code == 200

    def test_list_has_a_constant_number_of_queries(
        self, as_user, operator, staff, admin_client_for
    ):
        agent = staff("support_agent")
        client = as_user(operator)
        admin_client_for(agent)

        def grow():
            for _ in range(5):
                as_user(agent)
                admin_client_for(agent)

        assert_constant_queries(lambda: client.get(url_of(agent)), grow)


class TestEveryMember:
    URL = "/api/admin/sessions/end-members"

    def test_all_but_staff_are_out(self, as_user, operator, staff, member, admin_client_for):
        agent = staff("support_agent")
        out, stays = as_user(member), as_user(agent)
        browser_out, browser_stays = admin_client_for(member), admin_client_for(agent)
        response = as_user(operator).post(self.URL, {"reason": "leaked cookies"})
        assert response.json() == {"ended": 2}
        problem(out.get("/api/auth/me"), 401)
        assert stays.get("/api/auth/me").status_code == 200
        assert not Session.objects.filter(session_key=browser_out.session.session_key).exists()
        assert browser_stays.get("/admin/").status_code == 200
        entry = AuditEntry.objects.get(action="systemadmin.sessions.ended_of_members")
        assert (entry.reason, entry.metadata) == ("leaked cookies", {"ended": 2})

    def test_a_reason_is_needed(self, as_user, operator):
        problem(as_user(operator).post(self.URL, {}), 400, field="reason")


class TestPasswordOfOthers:
    NEW = "A-quite-different-1-phrase"

    def url(self, user):
        return f"/api/admin/users/{user.pk}/password"

    def test_it_changes_and_ends_every_access(self, api, as_user, operator, member):
        client = as_user(member)
        User.objects.filter(pk=member.pk).update(email="")
        response = as_user(operator).post(self.url(member), {"new_password": self.NEW})
        assert response.status_code == 204
        problem(client.get("/api/auth/me"), 401)
        body = {"username": member.username, "password": self.NEW}
        assert api.post("/api/auth/login", body).status_code == 200
        assert self.NEW not in str(list(AuditEntry.objects.values()))

    def test_weak_ones_are_refused(self, as_user, operator, member):
        User.objects.filter(pk=member.pk).update(email="")
        response = as_user(operator).post(self.url(member), {"new_password": "short"})
        problem(response, 400, field="new_password")
        member.refresh_from_db()
        assert member.check_password(PASSWORD)

    def test_not_of_a_superuser(self, as_user, operator, superuser):
        response = as_user(operator).post(self.url(superuser), {"new_password": self.NEW})
        problem(response, 403)
        superuser.refresh_from_db()
        assert superuser.check_password(PASSWORD)

    def test_nor_the_second_factor_of_a_superuser(self, as_user, operator, superuser):
        totp_device_for(superuser)
        url = f"/api/admin/users/{superuser.pk}/2fa/reset"
        problem(as_user(operator).post(url, {"reason": "let me in"}), 403)


def sweep():
    """Apply the retention of sessions and tokens; returns how many rows went."""
    return sum(prune_rules(["tokens", "sessions", "session_devices"]).values())


def test_retention_removes_sessions_that_are_over_and_nothing_else(
    as_user, member, admin_client_for
):
    as_user(member)
    admin_client_for(member)
    ApiToken.objects.create(user=member, expiry=timedelta(seconds=-1))
    orphan = UserSession.objects.create(user=UserFactory(), session_key="gone")
    UserSession.objects.filter(pk=orphan.pk).update(created_at=timezone.now() - timedelta(hours=1))
    assert sweep() == 2
    assert not UserSession.objects.filter(pk=orphan.pk).exists()
    assert (ApiToken.objects.count(), UserSession.objects.count()) == (1, 1)
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert sweep() > 0
    assert (ApiToken.objects.count(), UserSession.objects.count()) == (0, 0)


class TestBrowserSessionsAtTheApi:
    """The docs page calls the API with the admin's session."""

    def test_a_verified_session_opens_the_staff_side(self, admin_client_for, operator, settings):
        settings.REQUIRE_STAFF_2FA = True
        assert admin_client_for(operator).get(url_of(operator)).status_code == 200
        half = admin_client_for(operator, two_factor=False)
        problem(half.get(url_of(operator)), 403, "two_factor_required")

    def test_writing_takes_the_csrf_token(self, admin_client_for, operator, member):
        browser = admin_client_for(operator)
        browser.handler.enforce_csrf_checks = True
        problem(browser.delete(url_of(member)), 403)
        browser.get("/admin/")
        token = browser.cookies["csrftoken"].value
        assert browser.delete(url_of(member), headers={"X-CSRFToken": token}).status_code == 200

    def test_signing_out_ends_the_session(self, admin_client_for, operator):
        browser = admin_client_for(operator)
        assert browser.post("/api/auth/logout").status_code == 204
        assert browser.get("/admin/").status_code == 302
        assert not UserSession.objects.exists()


class TestNoticesToTheOwner:
    def kinds(self):
        return sorted(Notification.objects.values_list("kind", flat=True))

    def test_a_password_set_by_staff_is_told_in_the_owners_language(
        self, as_user, operator, member
    ):
        body = {"new_password": "A-quite-different-1-phrase"}
        User.objects.filter(pk=member.pk).update(email="", telegram_chat_id="1")
        as_user(operator).post(f"/api/admin/users/{member.pk}/password", body)
        notice = Notification.objects.get(user=member)
        assert notice.kind == "security.password_set"
        assert "127.0.0.1" in notice.body
        assert body["new_password"] not in notice.body

    def test_a_reset_second_factor_is_told(self, as_user, operator, member):
        totp_device_for(member)
        url = f"/api/admin/users/{member.pk}/2fa/reset"
        as_user(operator).post(url, {"reason": "lost the phone"})
        assert self.kinds() == ["security.two_factor_reset"]

    def test_the_demo_writes_to_nobody(self, as_user, operator):
        body = {"new_password": "A-quite-different-1-phrase"}
        demo = UserFactory(is_demo=True, email="", telegram_chat_id="1")
        as_user(operator).post(f"/api/admin/users/{demo.pk}/password", body)
        assert self.kinds() == []


def test_the_account_panel_tells_how_the_account_is_protected(api, as_user, member):
    from systemadmin.account import signing_in

    totp_device_for(member)
    as_user(member)
    api.post("/api/auth/login", {"username": "marta", "password": "nope"})
    values = [value for _label, value, _url in signing_in(member)]
    assert values == ["on", 1, "never", 1]
