"""Signing in to the admin: two steps, enrolment, recovery, lock-out, languages."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from systemadmin.models import AuditEntry, EncryptedTotpDevice, User, UserSession
from systemadmin.tests.factories import PASSWORD, StaffFactory, totp_code, totp_device_for

pytestmark = pytest.mark.django_db

LOGIN, CODE, FACTOR = "/admin/login/", "/admin/login/code/", "/admin/second-factor/"


@pytest.fixture
def agent(db):
    return StaffFactory(username="ana", role="operator")


@pytest.fixture
def browser():
    return Client()


@pytest.fixture
def required(settings):
    settings.REQUIRE_STAFF_2FA = True


@pytest.fixture
def optional(settings):
    settings.REQUIRE_STAFF_2FA = False


def give_password(browser, user, password=PASSWORD, **extra):
    return browser.post(LOGIN, {"username": user.username, "password": password, **extra})


def give_code(browser, code, **extra):
    return browser.post(CODE, {"otp_code": code, **extra})


def is_in(browser):
    return browser.get("/admin/").status_code == 200


def test_without_second_factor_where_it_is_optional(browser, agent, optional):
    assert give_password(browser, agent, next="/admin/systemadmin/user/").url == (
        "/admin/systemadmin/user/"
    )
    assert is_in(browser)


def test_password_then_code(browser, agent, required):
    device = totp_device_for(agent)
    step = give_password(browser, agent, next="/admin/systemadmin/user/")
    assert step.url == f"{CODE}?next=%2Fadmin%2Fsystemadmin%2Fuser%2F"
    assert not is_in(browser)
    page = browser.get(step.url)
    assert page.status_code == 200
    assert PASSWORD not in page.content.decode()
    done = give_code(browser, totp_code(device), next="/admin/systemadmin/user/")
    assert done.url == "/admin/systemadmin/user/"
    assert is_in(browser)
    entry = AuditEntry.objects.get(action="systemadmin.login.succeeded")
    assert entry.metadata["two_factor"] is True
    assert entry.metadata["channel"] == "web"


def test_who_has_an_app_needs_it_also_where_it_is_optional(browser, agent, optional):
    totp_device_for(agent)
    assert give_password(browser, agent).url.startswith(CODE)
    assert not is_in(browser)


def test_a_code_works_once(browser, agent, required):
    code = totp_code(totp_device_for(agent))
    give_password(browser, agent)
    assert give_code(browser, code).status_code == 302
    other = Client()
    give_password(other, agent)
    assert give_code(other, code).status_code == 200
    assert not is_in(other)


def test_a_password_waits_five_minutes_for_its_code(browser, agent, required):
    device = totp_device_for(agent)
    start = timezone.now()
    with time_machine.travel(start) as clock:
        give_password(browser, agent)
        clock.shift(timedelta(minutes=5, seconds=1))
        response = give_code(browser, totp_code(device))
        assert response.url.startswith(LOGIN)
        assert not is_in(browser)


def test_a_new_password_ends_a_sign_in_half_done(browser, agent, required):
    device = totp_device_for(agent)
    give_password(browser, agent)
    agent.set_password("Another-long-1-phrase")
    agent.save()
    assert give_code(browser, totp_code(device)).url.startswith(LOGIN)


def test_a_code_without_a_password_is_sent_to_the_password(browser, agent, required):
    assert give_code(browser, totp_code(totp_device_for(agent))).url.startswith(LOGIN)


@pytest.mark.parametrize("then", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(browser, agent, optional, then):
    assert give_password(browser, agent, next=then).url == "/admin/"


def test_members_and_suspended_staff_stay_out(browser, agent, member, optional):
    assert give_password(browser, member).status_code == 200
    assert not is_in(browser)
    User.objects.filter(pk=agent.pk).update(suspended_at=timezone.now())
    page = give_password(browser, agent)
    assert "suspended" in page.content.decode()
    assert not is_in(browser)


def test_suspension_ends_a_session_at_once(browser, agent, optional):
    give_password(browser, agent)
    User.objects.filter(pk=agent.pk).update(suspended_at=timezone.now())
    assert not is_in(browser)


def test_wrong_passwords_lock_the_name_for_this_address(browser, agent, optional):
    for _ in range(4):
        assert give_password(browser, agent, password="nope").status_code == 200
    locked = give_password(browser, agent, password="nope")
    assert locked.status_code == 429
    assert 0 < int(locked["Retry-After"]) <= 900
    assert "text/html" in locked["Content-Type"]
    assert give_password(browser, agent).status_code == 429
    assert not is_in(browser)


def test_wrong_codes_lock_as_well(browser, agent, required):
    totp_device_for(agent)
    with time_machine.travel(timezone.now()) as clock:
        give_password(browser, agent)
        for _ in range(4):
            assert give_code(browser, "000000").status_code == 200
            clock.shift(timedelta(seconds=20))
        assert give_code(browser, "000000").status_code == 429


def test_wrong_codes_have_to_wait(browser, agent, required):
    device = totp_device_for(agent)
    give_password(browser, agent)
    give_code(browser, "000000")
    give_code(browser, "000001")
    page = give_code(browser, totp_code(device))
    assert page.status_code == 200
    assert not is_in(browser)


class TestEnrolment:
    def begin(self, browser, agent):
        assert give_password(browser, agent).url == FACTOR
        assert not is_in(browser)
        page = browser.post(FACTOR, {"act": "begin", "otp_code": ""})
        assert page.status_code == 200
        return page

    def test_staff_without_app_see_nothing_but_the_enrolment(self, browser, agent, required):
        self.begin(browser, agent)
        assert browser.get("/admin/systemadmin/user/").status_code == 302
        assert browser.get("/admin/").url.startswith(LOGIN)
        follow = browser.get("/admin/", follow=True)
        assert follow.redirect_chain[-1][0].startswith(FACTOR)

    def test_the_qr_code_obeys_the_policy(self, browser, agent, required):
        page = self.begin(browser, agent)
        html = page.content.decode()
        assert "<svg" in html
        assert "style=" not in html
        assert "<script>" not in html
        assert "no-store" in page["Cache-Control"]

    def test_the_first_code_turns_it_on_and_shows_recovery_codes_once(
        self, browser, agent, required
    ):
        self.begin(browser, agent)
        device = EncryptedTotpDevice.objects.get(user=agent, confirmed=False)
        page = browser.post(FACTOR, {"act": "confirm", "otp_code": totp_code(device)})
        codes = re.findall(r"<code>([a-z0-9-]{19})</code>", page.content.decode())
        assert len(codes) == 10
        assert is_in(browser)
        assert codes[0] not in browser.get(FACTOR).content.decode()
        lost_phone = Client()
        give_password(lost_phone, agent)
        give_code(lost_phone, codes[0].upper())
        assert is_in(lost_phone)
        again = Client()
        give_password(again, agent)
        assert give_code(again, codes[0]).status_code == 200
        assert not is_in(again)

    def test_a_wrong_first_code_turns_nothing_on(self, browser, agent, required):
        self.begin(browser, agent)
        browser.post(FACTOR, {"act": "confirm", "otp_code": "000000"})
        assert not EncryptedTotpDevice.objects.filter(confirmed=True).exists()
        assert not is_in(browser)

    def test_a_password_alone_cannot_replace_the_app(self, browser, agent, required):
        totp_device_for(agent)
        give_password(browser, agent)
        assert browser.post(FACTOR, {"act": "begin", "otp_code": ""}).url.startswith(LOGIN)
        assert EncryptedTotpDevice.objects.filter(user=agent).count() == 1

    def test_mandatory_ones_cannot_be_turned_off(self, browser, agent, required):
        device = totp_device_for(agent)
        give_password(browser, agent)
        give_code(browser, totp_code(device))
        browser.post(FACTOR, {"act": "disable", "otp_code": totp_code(device, step=1)})
        assert EncryptedTotpDevice.objects.filter(user=agent, confirmed=True).exists()


def test_a_removed_app_ends_what_it_vouched_for(browser, agent, required):
    device = totp_device_for(agent)
    give_password(browser, agent)
    give_code(browser, totp_code(device))
    assert is_in(browser)
    device.delete()
    assert not is_in(browser)


def test_a_session_is_listed_with_its_address_and_ends_with_sign_out(browser, agent, optional):
    give_password(browser, agent)
    row = UserSession.objects.get()
    assert (row.user, row.ip) == (agent, "127.0.0.1")
    browser.post("/admin/logout/")
    assert not UserSession.objects.exists()
    assert AuditEntry.objects.filter(action="systemadmin.logout").count() == 1


def test_last_seen_moves_now_and_then(browser, agent, optional):
    give_password(browser, agent)
    first = UserSession.objects.get().last_seen_at
    is_in(browser)
    assert UserSession.objects.get().last_seen_at == first
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        is_in(browser)
    assert UserSession.objects.get().last_seen_at > first


def test_changing_ones_password_ends_the_other_sessions(browser, agent, optional):
    other = Client()
    give_password(browser, agent)
    give_password(other, agent)
    new = "A-quite-different-1-phrase"
    response = browser.post(
        "/admin/password_change/",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )
    assert response.status_code == 302
    assert is_in(browser)
    assert not is_in(other)
    assert UserSession.objects.count() == 1
    assert UserSession.objects.get().session_key == browser.session.session_key


def test_the_language_is_switched_and_remembered(browser, agent, optional):
    give_password(browser, agent)
    response = browser.post("/admin/language/", {"language": "es", "next": "/admin/"})
    assert response.url == "/admin/"
    assert 'lang="es"' in browser.get("/admin/").content.decode()
    agent.refresh_from_db()
    assert agent.language == "es"
    browser.post("/admin/language/", {"language": "xx"})
    agent.refresh_from_db()
    assert agent.language == "es"


def test_the_pages_are_never_cached(browser, agent, required):
    assert "no-store" in browser.get(LOGIN)["Cache-Control"]
    totp_device_for(agent)
    give_password(browser, agent)
    assert "no-store" in browser.get(CODE)["Cache-Control"]


@pytest.mark.ratelimited
def test_sign_in_pages_are_rate_limited(browser, agent, optional, clear_cache):
    for index in range(5):
        browser.post(LOGIN, {"username": f"nobody{index}", "password": "nope"})
    assert give_password(browser, agent).status_code == 429
