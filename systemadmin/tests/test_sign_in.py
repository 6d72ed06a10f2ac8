"""Signing in and out through the API: every way in, every refusal, and the traces they leave."""

from datetime import timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.utils import timezone

from systemadmin import events
from systemadmin.foundation.testing import problem
from systemadmin.models import ApiToken, AuditEntry, User
from systemadmin.services.authentication import MAX_TOKENS
from systemadmin.tests.factories import PASSWORD, totp_device_for

pytestmark = pytest.mark.django_db

LOGIN = "/api/auth/login"
WEAK = ["short-1", "password1234", "1234567890123", "marta@example.test"]


@pytest.fixture
def heard(request):
    """What the sign-in events told, in order."""
    told = []

    def listen(name):
        def receive(sender, signal, **facts):
            told.append((name, facts))

        signal = getattr(events, name)
        signal.connect(receive, weak=False)
        request.addfinalizer(lambda: signal.disconnect(receive))

    for name in ("user_logged_in", "user_login_failed", "two_factor_changed"):
        listen(name)
    return told


def sign_in(api, user, **fields):
    return api.post(LOGIN, {"username": user.username, "password": PASSWORD, **fields})


def with_token(client, secret):
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_a_member_gets_a_token_that_works_and_expires(api, member):
    body = sign_in(api, member).json()
    assert body["user"]["username"] == "marta"
    assert body["two_factor_setup_required"] is False
    with_token(api, body["token"])
    assert api.get("/api/auth/me").json()["username"] == "marta"
    with time_machine.travel(timezone.now() + timedelta(hours=10, seconds=1)):
        problem(api.get("/api/auth/me"), 401)


def test_the_token_is_stored_hashed(api, member):
    secret = sign_in(api, member).json()["token"]
    token = ApiToken.objects.get()
    assert token.digest != secret
    assert len(token.digest) == 128
    assert secret not in {str(value) for value in vars(token).values()}


def test_the_token_remembers_device_and_address(api, member):
    device = {"fingerprint": "fp-1", "screen": "1x1", "language": "es", "timezone": "UTC"}
    api.post(
        LOGIN,
        {"username": "marta", "password": PASSWORD, "device": device},
        REMOTE_ADDR="192.0.2.7",
        HTTP_USER_AGENT="test/1",
    )
    token = ApiToken.objects.get()
    assert (token.device, token.ip, token.user_agent) == ("fp-1", "192.0.2.7", "test/1")
    assert token.device_info == {"screen": "1x1", "language": "es", "timezone": "UTC"}


def test_a_sign_in_sets_last_login(api, member):
    sign_in(api, member)
    member.refresh_from_db()
    assert member.last_login is not None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "marta"},
        {"username": "marta", "password": ""},
        {"username": "x" * 151, "password": "y"},
        {"username": "marta", "password": "y", "device": {"serial": "1"}},
        {"username": "marta", "password": "y", "device": "laptop"},
        {"username": "marta", "password": "y", "surprise": 1},
        {"username": ["marta"], "password": "y"},
        {"username": "mar\u0000ta", "password": "y"},
    ],
)
def test_malformed_input_is_400(api, member, body):
    problem(api.post(LOGIN, body), 400)


def test_wrong_and_unknown_are_told_alike(api, member):
    wrong = problem(
        api.post(LOGIN, {"username": "marta", "password": "nope"}), 401, "invalid_credentials"
    )
    unknown = problem(
        api.post(LOGIN, {"username": "nobody", "password": "nope"}), 401, "invalid_credentials"
    )
    assert wrong["detail"] == unknown["detail"]


def test_an_unknown_name_costs_a_hash_as_well(api, member, monkeypatch):
    hashed = []
    real = User.set_password
    monkeypatch.setattr(
        User, "set_password", lambda self, raw: hashed.append(raw) or real(self, raw)
    )
    api.post(LOGIN, {"username": "nobody", "password": "nope"})
    assert hashed == ["nope"]


def test_an_inactive_account_is_refused_as_if_unknown(api, member):
    User.objects.filter(pk=member.pk).update(is_active=False)
    problem(sign_in(api, member), 401, "invalid_credentials")


def test_inactive_accounts_lose_their_tokens_too(as_user, member):
    client = as_user(member)
    User.objects.filter(pk=member.pk).update(is_active=False)
    problem(client.get("/api/auth/me"), 401)


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer é", "Bearer " + "x" * 5000])
def test_a_malformed_token_is_401(api, header):
    api.credentials(HTTP_AUTHORIZATION=header)
    problem(api.get("/api/auth/me"), 401)


class TestSuspension:
    def suspend(self, member, until=None):
        User.objects.filter(pk=member.pk).update(
            suspended_at=timezone.now(), suspension_reason="secret reason", suspended_until=until
        )

    def test_without_end(self, api, member):
        self.suspend(member)
        body = problem(sign_in(api, member), 403, "account_suspended")
        assert body["suspended_until"] is None
        assert "secret reason" not in str(body)
        assert AuditEntry.objects.filter(action="systemadmin.login.refused").count() == 1

    def test_until_a_moment(self, api, member):
        until = timezone.now() + timedelta(days=2)
        self.suspend(member, until)
        body = problem(sign_in(api, member), 403, "account_suspended")
        assert body["suspended_until"].startswith(until.date().isoformat())
        with time_machine.travel(until + timedelta(seconds=1)):
            assert sign_in(api, member).status_code == 200

    def test_a_wrong_password_does_not_tell(self, api, member):
        self.suspend(member)
        response = api.post(LOGIN, {"username": "marta", "password": "nope"})
        problem(response, 401, "invalid_credentials")


class TestLockOut:
    def fail(self, api, times, username="marta", **extra):
        for _ in range(times):
            last = api.post(LOGIN, {"username": username, "password": "nope"}, **extra)
        return last

    def test_the_fifth_failure_locks_and_says_for_how_long(self, api, member):
        problem(self.fail(api, 4), 401, "invalid_credentials")
        response = self.fail(api, 1)
        problem(response, 429, "locked_out")
        assert 0 < int(response["Retry-After"]) <= 900
        problem(sign_in(api, member), 429, "locked_out")

    def test_unknown_names_lock_alike(self, api, member):
        problem(self.fail(api, 5, username="nobody"), 429, "locked_out")

    def test_another_address_and_another_name_are_free(self, api, member, other_member):
        self.fail(api, 5)
        assert sign_in(api, other_member).status_code == 200
        elsewhere = api.post(
            LOGIN, {"username": "marta", "password": PASSWORD}, REMOTE_ADDR="192.0.2.9"
        )
        assert elsewhere.status_code == 200

    def test_it_cools_off_although_someone_keeps_trying(self, api, member):
        start = timezone.now()
        with time_machine.travel(start) as clock:
            self.fail(api, 5)
            clock.shift(timedelta(minutes=10))
            response = self.fail(api, 1)
            assert int(response["Retry-After"]) <= 300
            clock.shift(timedelta(minutes=5, seconds=1))
            assert sign_in(api, member).status_code == 200

    def test_success_starts_the_count_again(self, api, member):
        self.fail(api, 4)
        assert sign_in(api, member).status_code == 200
        assert not AccessAttempt.objects.exists()
        problem(self.fail(api, 4), 401)

    def test_no_password_is_kept(self, api, member):
        self.fail(api, 2)
        row = AccessAttempt.objects.get()
        assert "nope" not in f"{row.get_data} {row.post_data}"

    def test_wrong_codes_count_like_wrong_passwords(self, api, member):
        totp_device_for(member)
        start = timezone.now()
        with time_machine.travel(start) as clock:
            for _ in range(4):
                problem(sign_in(api, member, otp_code="000000"), 401, "otp_invalid")
                clock.shift(timedelta(seconds=20))
            problem(sign_in(api, member, otp_code="000000"), 429, "locked_out")


class TestTraces:
    def test_success(self, api, member, heard):
        sign_in(api, member, device={"fingerprint": "fp-9"})
        entry = AuditEntry.objects.get(action="systemadmin.login.succeeded")
        assert (entry.actor, entry.ip) == (member, "127.0.0.1")
        [(name, facts)] = heard
        assert name == "user_logged_in"
        assert facts["user_id"] == member.pk
        assert (facts["ip"], facts["device"]) == ("127.0.0.1", "fp-9")
        assert facts["event_key"] == f"login-{entry.pk}"

    def test_failure(self, api, member, heard):
        api.post(
            LOGIN,
            {"username": "marta", "password": "nope", "device": {"fingerprint": "fp-9"}},
        )
        entry = AuditEntry.objects.get(action="systemadmin.login.failed")
        assert (entry.target_id, entry.actor) == (str(member.pk), None)
        [(name, facts)] = heard
        assert name == "user_login_failed"
        assert (facts["user_id"], facts["device"]) == (member.pk, "fp-9")

    def test_what_was_typed_as_an_unknown_name_is_kept_nowhere(self, api, heard):
        api.post(LOGIN, {"username": "My-Real-Password-1", "password": "nope"})
        entry = AuditEntry.objects.get(action="systemadmin.login.failed")
        assert "My-Real-Password-1" not in str(vars(entry))
        assert heard == []


class TestSigningOut:
    def test_one_token(self, api, member):
        first, second = sign_in(api, member).json(), sign_in(api, member).json()
        assert with_token(api, first["token"]).post("/api/auth/logout").status_code == 204
        problem(api.get("/api/auth/me"), 401)
        assert with_token(api, second["token"]).get("/api/auth/me").status_code == 200
        assert AuditEntry.objects.filter(action="systemadmin.logout").count() == 1

    def test_everywhere(self, api, member, other_member, as_user):
        other = as_user(other_member)
        secrets = [sign_in(api, member).json()["token"] for _ in range(3)]
        response = with_token(api, secrets[0]).post("/api/auth/logout-all")
        assert response.json() == {"ended": 3}
        for secret in secrets:
            problem(with_token(api, secret).get("/api/auth/me"), 401)
        assert other.get("/api/auth/me").status_code == 200

    def test_anonymous_is_401(self, api, db):
        for path in ("logout", "logout-all", "password", "2fa/setup", "2fa/confirm"):
            problem(api.post(f"/api/auth/{path}"), 401)
        for path in ("me", "sessions"):
            problem(api.get(f"/api/auth/{path}"), 401)

    def test_the_oldest_of_too_many_tokens_ends(self, api, member):
        oldest = sign_in(api, member).json()["token"]
        for _ in range(MAX_TOKENS):
            sign_in(api, member)
        assert ApiToken.objects.filter(user=member).count() == MAX_TOKENS
        problem(with_token(api, oldest).get("/api/auth/me"), 401)


class TestPassword:
    URL = "/api/auth/password"
    NEW = "A-quite-different-1-phrase"

    def body(self, **fields):
        return {"current_password": PASSWORD, "new_password": self.NEW, **fields}

    def test_change_ends_every_other_access(self, api, member, as_user):
        here, elsewhere = as_user(member), as_user(member)
        assert here.post(self.URL, self.body()).status_code == 204
        assert here.get("/api/auth/me").status_code == 200
        problem(elsewhere.get("/api/auth/me"), 401)
        problem(sign_in(api, member), 401)
        new = api.post(LOGIN, {"username": "marta", "password": self.NEW})
        assert new.status_code == 200

    def test_the_old_one_must_be_known(self, as_user, member):
        response = as_user(member).post(self.URL, self.body(current_password="nope"))
        problem(response, 400, field="current_password")

    @pytest.mark.parametrize("weak", WEAK)
    def test_weak_ones_are_refused(self, as_user, member, weak):
        response = as_user(member).post(self.URL, self.body(new_password=weak))
        problem(response, 400, field="new_password")
        member.refresh_from_db()
        assert member.check_password(PASSWORD)


@pytest.mark.ratelimited
def test_the_sixth_attempt_in_a_minute_waits(api, member, clear_cache):
    for index in range(5):
        api.post(LOGIN, {"username": f"nobody{index}", "password": "nope"})
    response = sign_in(api, member)
    problem(response, 429, "throttled")
    assert int(response["Retry-After"]) >= 1


def test_me_needs_no_more_queries_for_staff_with_many_roles(
    as_user, staff, django_assert_max_num_queries
):
    client = as_user(staff("operator"))
    with django_assert_max_num_queries(8):
        body = client.get("/api/auth/me").json()
    assert "systemadmin.end_sessions" in body["permissions"]


def test_last_use_of_a_token_is_noted_now_and_then(as_user, member):
    client = as_user(member)
    start = ApiToken.objects.get().last_used_at
    client.get("/api/auth/me")
    assert ApiToken.objects.get().last_used_at == start
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        client.get("/api/auth/me")
    assert ApiToken.objects.get().last_used_at > start


def test_suspending_ends_every_access(as_user, superuser, staff):
    from systemadmin.services import suspend_user

    agent = staff("support_agent")
    client = as_user(agent)
    suspend_user(actor=superuser, user=agent, reason="left the company")
    problem(client.get("/api/auth/me"), 401)
