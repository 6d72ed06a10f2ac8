"""Locks of names: a stranger is slow, from one address or many, and never keeps the owner out."""

import re
from datetime import timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.core import mail
from django.test import Client
from django.utils import timezone

from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry, Notification, User
from systemadmin.services import sign_in_lock, two_factor
from systemadmin.tests.factories import PASSWORD, StaffFactory, totp_code, totp_device_for

pytestmark = pytest.mark.django_db
LOGIN = "/api/auth/login"


def sign_in(api, user, ip="127.0.0.1", **fields):
    body = {"username": user.username, "password": PASSWORD, **fields}
    return api.post(LOGIN, body, REMOTE_ADDR=ip)


def fail(api, user, ip="127.0.0.1", times=1):
    for _ in range(times):
        response = sign_in(api, user, ip=ip, password="wrong")
    return response


def guess_from_everywhere(user, count=sign_in_lock.NAME_LIMIT):
    """Failures of a name from many networks, as they are counted."""
    AccessAttempt.objects.bulk_create(
        AccessAttempt(
            username=sign_in_lock.kept_name(user.username),
            ip_address=f"198.51.100.{number}",
            user_agent="x",
            failures_since_start=1,
            attempt_time=timezone.now(),
        )
        for number in range(count)
    )


def recovery_codes(user):
    totp_device_for(user)
    return two_factor._new_recovery_codes(user)


def sent_code():
    drain()
    [message] = mail.outbox
    return re.search(r"([a-z0-9]{4}-){3}[a-z0-9]{4}", message.body)[0]


class TestNetworks:
    def test_all_addresses_of_an_ipv6_network_lock_together(self, api, member):
        for number in range(4):
            problem(fail(api, member, f"2001:db8:1:2::{number}"), 401)
        problem(fail(api, member, "2001:db8:1:2:ffff::9"), 429, "locked_out")
        problem(sign_in(api, member, "2001:db8:1:2::77"), 429, "locked_out")
        assert sign_in(api, member, "2001:db8:1:3::1").status_code == 200

    def test_a_success_ends_the_count_of_the_network(self, api, member):
        fail(api, member, "2001:db8:1:2::1", times=4)
        assert sign_in(api, member, "2001:db8:1:2::2").status_code == 200
        assert not AccessAttempt.objects.exists()


class TestRecoveryCodes:
    def test_wrong_app_codes_do_not_slow_a_recovery_code(self, api, member):
        codes = recovery_codes(member)
        for number in range(12):
            sign_in(api, member, f"192.0.2.{number}", otp_code="000000")
        problem(sign_in(api, member, "192.0.2.99", otp_code="000000"), 429, "otp_throttled")
        assert sign_in(api, member, "192.0.2.100", otp_code=codes[0]).status_code == 200

    def test_wrong_recovery_codes_do_not_slow_the_app(self, api, member):
        recovery_codes(member)
        for number in range(12):
            answer = sign_in(api, member, f"192.0.2.{number}", otp_code="aaaa-bbbb-cccc-dddd")
            problem(answer, 401, "otp_invalid")
        code = totp_code(totp_device_for(member))
        assert sign_in(api, member, "192.0.2.99", otp_code=code).status_code == 200

    def test_it_passes_the_lock_of_the_owners_own_address(self, api, member):
        codes = recovery_codes(member)
        fail(api, member, times=5)
        code = totp_code(totp_device_for(member))
        problem(sign_in(api, member, otp_code=code), 429, "locked_out")
        assert sign_in(api, member, otp_code=codes[0]).status_code == 200

    def test_it_passes_nothing_without_the_password(self, api, member):
        codes = recovery_codes(member)
        fail(api, member, times=5)
        wrong = sign_in(api, member, password="wrong", otp_code=codes[0])
        problem(wrong, 429, "locked_out")
        assert two_factor.recovery_codes_left(member) == len(codes)

    def test_a_suspended_account_stays_out_and_is_not_told_apart(self, api, member):
        codes = recovery_codes(member)
        fail(api, member, times=5)
        User.objects.filter(pk=member.pk).update(suspended_at=timezone.now())
        problem(sign_in(api, member, otp_code=codes[0]), 429, "locked_out")

    def test_it_opens_the_admin_during_a_lock(self):
        agent = StaffFactory(username="ana", role="operator")
        codes = recovery_codes(agent)
        browser = Client()
        for _ in range(5):
            browser.post("/admin/login/", {"username": "ana", "password": "wrong"})
        form = {"username": "ana", "password": PASSWORD}
        page = browser.post("/admin/login/", form)
        assert page.status_code == 429
        assert 'name="otp_code"' in page.content.decode()
        assert browser.post("/admin/login/", {**form, "otp_code": "000000"}).status_code == 429
        assert browser.post("/admin/login/", {**form, "otp_code": codes[0]}).status_code == 302
        assert browser.get("/admin/").status_code == 200

    def test_members_do_not_get_into_the_admin_by_it(self, member):
        codes = recovery_codes(member)
        browser = Client()
        for _ in range(5):
            browser.post("/admin/login/", {"username": "marta", "password": "wrong"})
        form = {"username": "marta", "password": PASSWORD, "otp_code": codes[0]}
        assert browser.post("/admin/login/", form).status_code == 429
        assert two_factor.recovery_codes_left(member) == len(codes)


class TestGuessingFromManyNetworks:
    def test_the_name_is_held_and_the_right_password_looks_like_a_wrong_one(self, api, member):
        guess_from_everywhere(member)
        wrong = problem(fail(api, member, "192.0.2.1"), 429, "locked_out")
        right = problem(sign_in(api, member, "192.0.2.1"), 429, "locked_out")
        assert {**wrong, "request_id": ""} == {**right, "request_id": ""}

    def test_guesses_stop_to_be_compared_at_the_limit(self, api, member):
        for number in range(sign_in_lock.NAME_LIMIT):
            problem(fail(api, member, f"198.51.100.{number}"), 401, "invalid_credentials")
        problem(fail(api, member, "198.51.100.99"), 429, "locked_out")

    def test_unknown_names_are_held_alike(self, api):
        nobody = User(username="nobody")
        guess_from_everywhere(nobody)
        problem(fail(api, nobody, "192.0.2.1"), 429, "locked_out")

    def test_other_names_are_not_held(self, api, member, other_member):
        guess_from_everywhere(member)
        assert sign_in(api, other_member, "192.0.2.1").status_code == 200

    def test_the_owner_goes_on_from_a_network_that_is_known(self, api, member):
        sign_in(api, member, "2001:db8:5:6::1")
        guess_from_everywhere(member)
        assert sign_in(api, member, "2001:db8:5:6::2").status_code == 200
        problem(sign_in(api, member, "2001:db8:5:7::1"), 429, "locked_out")

    def test_a_known_network_is_forgotten_after_ninety_days(self, api, member):
        sign_in(api, member, "192.0.2.8")
        with time_machine.travel(timezone.now() + sign_in_lock.KNOWN_FOR + timedelta(days=1)):
            guess_from_everywhere(member)
            problem(sign_in(api, member, "192.0.2.8"), 429, "locked_out")

    def test_a_known_network_is_locked_for_its_own_failures(self, api, member):
        sign_in(api, member, "192.0.2.8")
        guess_from_everywhere(member)
        problem(fail(api, member, "192.0.2.8", times=5), 429, "locked_out")

    def test_the_owner_gets_in_from_anywhere_with_the_app(self, api, member):
        device = totp_device_for(member)
        guess_from_everywhere(member)
        wrong = sign_in(api, member, "192.0.2.1", password="wrong", otp_code=totp_code(device))
        problem(wrong, 429, "locked_out")
        answer = sign_in(api, member, "192.0.2.1", otp_code=totp_code(device))
        assert answer.status_code == 200

    def test_the_hold_ends(self, api, member):
        guess_from_everywhere(member)
        answer = sign_in(api, member, "192.0.2.1")
        assert 0 < int(answer["Retry-After"]) <= 900
        with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
            assert sign_in(api, member, "192.0.2.1").status_code == 200


class TestOneTimeCode:
    def test_it_is_sent_for_the_right_password_and_opens_once(self, api, member):
        guess_from_everywhere(member)
        problem(sign_in(api, member, "192.0.2.1"), 429)
        code = sent_code()
        assert sign_in(api, member, "192.0.2.1", otp_code=code.upper()).status_code == 200
        problem(sign_in(api, member, "203.0.113.1", otp_code=code), 429, "locked_out")

    def test_it_passes_the_lock_of_the_owners_own_address(self, api, member):
        fail(api, member, times=5)
        problem(sign_in(api, member), 429)
        assert sign_in(api, member, otp_code=sent_code()).status_code == 200

    def test_nothing_is_sent_for_a_wrong_password(self, api, member):
        guess_from_everywhere(member)
        fail(api, member, "192.0.2.1", times=3)
        drain()
        assert mail.outbox == []

    def test_it_is_sent_once_an_hour(self, api, member):
        with time_machine.travel(timezone.now().replace(minute=5), tick=False):
            guess_from_everywhere(member)
            for _ in range(3):
                sign_in(api, member, "192.0.2.1")
                drain()
        assert Notification.objects.filter(kind="security.sign_in_code").count() == 1

    def test_it_expires(self, api, member):
        guess_from_everywhere(member)
        sign_in(api, member, "192.0.2.1")
        code = sent_code()
        with time_machine.travel(timezone.now() + timedelta(hours=2)):
            AccessAttempt.objects.all().delete()
            guess_from_everywhere(member)
            problem(sign_in(api, member, "192.0.2.1", otp_code=code), 429, "locked_out")

    def test_it_is_void_with_another_password_and_for_another_account(
        self, api, member, other_member
    ):
        fail(api, member, times=5)
        sign_in(api, member)
        code = sent_code()
        fail(api, other_member, times=5)
        problem(sign_in(api, other_member, otp_code=code), 429, "locked_out")
        wrong = sign_in(api, member, password="wrong", otp_code=code)
        problem(wrong, 429, "locked_out")

    def test_it_does_not_stand_in_for_a_second_factor(self, api, member):
        fail(api, member, times=5)
        sign_in(api, member)
        code = sent_code()
        totp_device_for(member)
        problem(sign_in(api, member, otp_code=code), 429, "locked_out")


class TestTypedNames:
    """People type passwords into the name field."""

    TYPED = "My-secret-word-77"

    def stored(self):
        from axes.models import AccessFailureLog, AccessLog

        found = []
        for model in (AccessAttempt, AccessLog, AccessFailureLog, AuditEntry, Notification):
            found += [repr(row) for row in model.objects.values()]
        return "\n".join(found)

    @pytest.mark.parametrize("door", ["api", "admin", "query"])
    def test_no_row_and_no_log_line_holds_what_was_typed(self, api, caplog, door):
        caplog.set_level("DEBUG")
        fields = {"username": self.TYPED, "password": "x", "otp_code": self.TYPED}
        for _ in range(6):
            if door == "api":
                api.post(LOGIN, fields)
            elif door == "admin":
                Client().post("/admin/login/", fields)
            else:
                Client().post(f"/admin/login/?username={self.TYPED}", fields)
        assert AccessAttempt.objects.count() == 1
        assert self.TYPED not in self.stored()
        lines = [r.getMessage() for r in caplog.records if r.name.startswith(("axes", "atalaya"))]
        assert self.TYPED not in "\n".join(lines)

    def test_names_still_lock_apart(self, api, member, other_member):
        assert fail(api, member, times=5).status_code == 429
        assert sign_in(api, member).status_code == 429
        assert sign_in(api, other_member).status_code == 200

    def test_the_hash_needs_the_key(self, settings):
        before = sign_in_lock.kept_name("marta")
        settings.SECRET_KEY = "another" * 8
        assert sign_in_lock.kept_name("marta") != before

    def test_old_failures_are_pruned(self, api, member):
        from systemadmin.services.retention import prune_nightly

        fail(api, member)
        assert prune_nightly()["failed_sign_ins"] == 0
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(days=8))
        assert prune_nightly()["failed_sign_ins"] == 1

    def test_the_migration_removes_what_was_kept_in_clear(self):
        from importlib import import_module
        from types import SimpleNamespace

        from django.apps import apps
        from django.db import connection

        guess_from_everywhere(SimpleNamespace(username=self.TYPED), count=2)
        migration = import_module("systemadmin.migrations.0008_forget_typed_names")
        migration.forget_names(apps, SimpleNamespace(connection=connection))
        assert not AccessAttempt.objects.exists()
