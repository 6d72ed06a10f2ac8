"""Demo mode: its accounts, its code for the second factor, and what is left when it is off."""

import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings as django_settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test import Client
from django.utils import timezone

from systemadmin.foundation.testing import problem
from systemadmin.models import ApiToken, Demo2FASession
from systemadmin.services.demo_2fa import LIFETIME, demo_code
from systemadmin.tests.factories import (
    PASSWORD,
    StaffFactory,
    UserFactory,
    totp_code,
    totp_device_for,
)
from systemadmin.tests.test_admin_sign_in import CODE, give_code, give_password, is_in
from systemadmin.tests.test_sign_in import sign_in, with_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def on(settings):
    settings.DEMO_MODE = True
    settings.REQUIRE_STAFF_2FA = True


@pytest.fixture
def demo_operator(db):
    return StaffFactory(username="demo_operator", is_demo=True, role="operator")


@pytest.fixture
def demo_member(db):
    return UserFactory(username="demo_member", is_demo=True)


def staff_side(client, user):
    return client.get(f"/api/admin/users/{user.pk}/sessions")


class TestTheCode:
    def test_it_passes_demo_staff_and_is_kept_as_a_row(self, api, on, demo_operator):
        problem(sign_in(api, demo_operator), 401, "otp_required")
        body = sign_in(api, demo_operator, otp_code=demo_code()).json()
        session = Demo2FASession.objects.get()
        assert session.user == demo_operator
        assert session.expires_at - timezone.now() <= LIFETIME
        assert ApiToken.objects.get().demo_session == session
        assert staff_side(with_token(api, body["token"]), demo_operator).status_code == 200

    def test_it_counts_for_an_hour(self, api, on, demo_operator):
        body = sign_in(api, demo_operator, otp_code=demo_code()).json()
        with_token(api, body["token"])
        with time_machine.travel(timezone.now() + LIFETIME + timedelta(seconds=1)):
            problem(staff_side(api, demo_operator), 401)

    def test_in_the_admin_for_an_hour_too(self, on, demo_operator):
        browser = Client()
        assert give_password(browser, demo_operator).url.startswith(CODE)
        assert "demo code" in browser.get(CODE).content.decode()
        give_code(browser, demo_code())
        assert is_in(browser)
        assert "Demo mode" in browser.get("/admin/").content.decode()
        with time_machine.travel(timezone.now() + LIFETIME + timedelta(seconds=1)):
            assert not is_in(browser)
            assert browser.get("/admin/login/").url.startswith(CODE)
            give_code(browser, demo_code())
            assert is_in(browser)

    def test_a_deleted_session_counts_no_more(self, api, on, demo_operator):
        browser = Client()
        give_password(browser, demo_operator)
        give_code(browser, demo_code())
        with_token(api, sign_in(api, demo_operator, otp_code=demo_code()).json()["token"])
        Demo2FASession.everything.all().delete()
        assert not is_in(browser)
        problem(staff_side(api, demo_operator), 401)

    def test_a_wrong_one_is_refused_and_counted(self, api, on, demo_operator):
        wrong = f"{(int(demo_code()) + 1) % 1_000_000:06d}"
        for _ in range(4):
            problem(sign_in(api, demo_operator, otp_code=wrong), 401, "otp_invalid")
        problem(sign_in(api, demo_operator, otp_code=wrong), 429, "locked_out")
        assert not Demo2FASession.everything.exists()

    def test_real_staff_do_not_pass_with_it(self, api, on, staff):
        agent = staff("operator")
        device = totp_device_for(agent)
        problem(sign_in(api, agent, otp_code=demo_code()), 401, "otp_invalid")
        with time_machine.travel(timezone.now() + timedelta(minutes=1)):
            assert sign_in(api, agent, otp_code=totp_code(device)).status_code == 200
        assert not Demo2FASession.everything.exists()

    def test_demo_members_have_none(self, api, on, demo_member):
        assert sign_in(api, demo_member).status_code == 200
        assert not Demo2FASession.everything.exists()

    def test_it_depends_on_the_installation(self, settings):
        here = demo_code()
        settings.SECRET_KEY = "elsewhere" * 8
        assert demo_code() != here

    def test_it_is_optional_where_the_second_factor_is(self, api, settings, demo_operator):
        settings.DEMO_MODE, settings.REQUIRE_STAFF_2FA = True, False
        assert sign_in(api, demo_operator).status_code == 200


class TestOff:
    @pytest.fixture
    def signed_in(self, api, on, demo_operator, settings):
        """A demo browser and a demo token from the time when demo mode was on."""
        browser = Client()
        give_password(browser, demo_operator)
        give_code(browser, demo_code())
        with_token(api, sign_in(api, demo_operator, otp_code=demo_code()).json()["token"])
        assert is_in(browser)
        settings.DEMO_MODE = False
        return browser, api

    def test_no_demo_account_can_sign_in(self, api, settings, demo_operator, demo_member):
        settings.DEMO_MODE = False
        for account in (demo_operator, demo_member):
            problem(sign_in(api, account), 401, "invalid_credentials")
            assert give_password(Client(), account).status_code == 200

    def test_what_was_open_is_closed(self, signed_in, demo_operator):
        browser, client = signed_in
        assert not is_in(browser)
        problem(staff_side(client, demo_operator), 401)
        problem(client.get("/api/auth/me"), 401)

    def test_no_demo_session_counts(self, signed_in):
        assert Demo2FASession.everything.count() == 2
        assert not Demo2FASession.objects.exists()

    def test_nor_does_one_for_an_account_that_is_demo_no_more(self, on, demo_operator):
        browser = Client()
        give_password(browser, demo_operator)
        give_code(browser, demo_code())
        demo_operator.is_demo = False
        demo_operator.save()
        assert not is_in(browser)

    def test_no_banner(self, settings):
        settings.DEMO_MODE = False
        assert "Demo mode" not in Client().get("/admin/login/").content.decode()


# -- a restart ---------------------------------------------------------------------------

PROCESS = """
import os, sys
import django
django.setup()
from django.test import Client
from systemadmin.services.demo_2fa import demo_code

cookie, token, password = sys.argv[1:4]
browser = Client()
if cookie == "-":
    browser.post("/admin/login/", {"username": "demo_operator", "password": password})
    browser.post("/admin/login/code/", {"otp_code": demo_code()})
    body = {"username": "demo_operator", "password": password, "otp_code": demo_code()}
    answer = Client().post("/api/auth/login", body, content_type="application/json").json()
    cookie, token = browser.cookies["sessionid"].value, answer["token"]
else:
    browser.cookies["sessionid"] = cookie
page = browser.get("/admin/").status_code
api = Client().get("/api/auth/sessions", headers={"Authorization": f"Bearer {token}"}).status_code
print("ANSWER", cookie, token, page, api)
"""


def database_for_processes(tmp_path):
    """An address under which other processes find the rows of this test."""
    if connection.vendor == "postgresql":
        found = connection.settings_dict
        login = f"{found['USER']}:{found['PASSWORD']}".rstrip(":")
        return f"postgres://{login}@{found['HOST']}:{found['PORT'] or 5432}/{found['NAME']}"
    copy = sqlite3.connect(tmp_path / "copy.sqlite3")
    connection.connection.backup(copy)
    copy.close()
    return f"sqlite:///{tmp_path / 'copy.sqlite3'}"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_demo_session_survives_a_restart_and_not_the_end_of_demo_mode(tmp_path):
    operator = StaffFactory(username="demo_operator", is_demo=True, role="operator")
    # The fast hash of the tests is unknown to the processes.
    operator.password = PBKDF2PasswordHasher().encode(PASSWORD, "saltsaltsaltsalt")
    operator.save()
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "PYTHONPATH": str(django_settings.BASE_DIR),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": database_for_processes(tmp_path),
        "VAR_DIR": str(tmp_path),
        "DJANGO_SECRET_KEY": "the-same-in-every-process-" * 3,
        "DJANGO_ALLOWED_HOSTS": "testserver",
        "DJANGO_TLS": "0",
        "REQUIRE_STAFF_2FA": "1",
        "DEMO_MODE_IN_PUBLIC": "1",
    }
    if django_settings.REDIS_URL:
        # With Redis the database has no table to count in.
        environment["REDIS_URL"] = django_settings.CACHES["default"]["LOCATION"]

    def process(cookie, token, demo_mode):
        done = subprocess.run(
            [sys.executable, "-c", PROCESS, cookie, token, PASSWORD],
            env={**environment, "DEMO_MODE": demo_mode},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
        assert lines, done.stderr
        return lines[0].split()[1:]

    cookie, token, page, api = process("-", "-", "1")
    assert (page, api) == ("200", "200")
    assert process(cookie, token, "1")[2:] == ["200", "200"]
    assert process(cookie, token, "0")[2:] == ["302", "401"]
