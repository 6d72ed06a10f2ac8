"""The second factor through the API: enrolment, codes, recovery, and what staff may without it."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from systemadmin.foundation.testing import problem, run_threads
from systemadmin.models import ApiToken, AuditEntry, EncryptedTotpDevice, RecoveryCode
from systemadmin.services import two_factor
from systemadmin.tests.factories import (
    PASSWORD,
    TOTP_KEY,
    StaffFactory,
    UserFactory,
    totp_code,
    totp_device_for,
)
from systemadmin.tests.test_sign_in import LOGIN, heard, sign_in, with_token

__all__ = ["heard"]

pytestmark = pytest.mark.django_db

SETUP, CONFIRM = "/api/auth/2fa/setup", "/api/auth/2fa/confirm"
DISABLE, CODES = "/api/auth/2fa/disable", "/api/auth/2fa/recovery-codes"


def enrol(client):
    """Turn 2FA on for the client's account; returns the device and the recovery codes."""
    assert client.post(SETUP, {}).status_code == 200
    device = EncryptedTotpDevice.objects.get(user=client.user, confirmed=False)
    response = client.post(CONFIRM, {"otp_code": totp_code(device)})
    assert response.status_code == 200, response.json()
    device.refresh_from_db()
    return device, response.json()["recovery_codes"]


class TestEnrolment:
    def test_setup_answers_with_what_an_app_needs(self, as_user, member):
        body = as_user(member).post(SETUP, {}).json()
        device = EncryptedTotpDevice.objects.get(user=member)
        assert body["secret"] == device.base32_key
        assert body["otpauth_url"].startswith("otpauth://totp/Atalaya%3Amarta?")
        assert f"secret={device.base32_key}" in body["otpauth_url"]
        assert body["qr_svg"].startswith("<svg")

    def test_the_secret_is_encrypted_in_the_table(self, as_user, member):
        as_user(member).post(SETUP, {})
        device = EncryptedTotpDevice.objects.get(user=member)
        with connection.cursor() as cursor:
            cursor.execute("SELECT secret FROM systemadmin_encryptedtotpdevice")
            [(stored,)] = cursor.fetchall()
        assert stored.startswith("v1:")
        assert device.key.hex() not in stored
        assert device.base32_key not in stored

    def test_nothing_changes_before_the_first_code(self, api, as_user, member):
        as_user(member).post(SETUP, {})
        assert sign_in(api, member).status_code == 200

    def test_confirming_turns_it_on_once_for_all(self, api, as_user, member, heard):
        client = as_user(member, two_factor=False)
        device, codes = enrol(client)
        assert len(set(codes)) == two_factor.RECOVERY_CODE_COUNT
        assert device.confirmed
        assert client.get("/api/auth/me").json()["two_factor_passed"] is True
        problem(sign_in(api, member), 401, "otp_required")
        [(name, facts)] = heard
        assert (name, facts["enabled"]) == ("two_factor_changed", True)

    def test_a_wrong_first_code_is_400(self, as_user, member):
        client = as_user(member)
        client.post(SETUP, {})
        problem(client.post(CONFIRM, {"otp_code": "000000"}), 400, field="otp_code")
        assert not EncryptedTotpDevice.objects.filter(confirmed=True).exists()

    def test_confirming_without_setup_is_409(self, as_user, member):
        response = as_user(member).post(CONFIRM, {"otp_code": "123456"})
        problem(response, 409, "two_factor_not_started")

    def test_setting_up_again_makes_a_new_secret(self, as_user, member):
        client = as_user(member)
        first = client.post(SETUP, {}).json()["secret"]
        assert client.post(SETUP, {}).json()["secret"] != first
        assert EncryptedTotpDevice.objects.count() == 1

    def test_replacing_the_app_takes_a_code_of_the_old_one(self, as_user, member):
        client = as_user(member)
        old = totp_device_for(member)
        problem(client.post(SETUP, {}), 401, "otp_required")
        problem(client.post(SETUP, {"otp_code": "000000"}), 401, "otp_invalid")
        with time_machine.travel(timezone.now() + timedelta(minutes=2)):
            assert client.post(SETUP, {"otp_code": totp_code(old)}).status_code == 200
            new = EncryptedTotpDevice.objects.get(confirmed=False)
            client.post(CONFIRM, {"otp_code": totp_code(new)})
        assert list(EncryptedTotpDevice.objects.all()) == [new]


class TestCodes:
    def test_the_published_test_vector(self, member):
        device = totp_device_for(member)
        assert device.key.hex() == TOTP_KEY
        with time_machine.travel(59, tick=False):
            assert device.verify_token("287082")

    def test_one_step_early_or_late_is_accepted_two_are_not(self, api, member):
        with time_machine.travel(timezone.now(), tick=False):
            for step, status in ((-2, 401), (-1, 200), (2, 401)):
                EncryptedTotpDevice.objects.all().delete()
                code = totp_code(totp_device_for(member), step=step)
                assert sign_in(api, member, otp_code=code).status_code == status

    def test_a_code_works_once(self, api, member):
        code = totp_code(totp_device_for(member))
        assert sign_in(api, member, otp_code=code).status_code == 200
        problem(sign_in(api, member, otp_code=code), 401, "otp_invalid")

    def test_an_older_code_does_not_work_after_a_newer(self, api, member):
        device = totp_device_for(member)
        older = totp_code(device, step=-1)
        assert sign_in(api, member, otp_code=totp_code(device)).status_code == 200
        problem(sign_in(api, member, otp_code=older), 401, "otp_invalid")

    @pytest.mark.parametrize("code", ["12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345", " "])
    def test_nonsense_is_refused(self, api, member, code):
        totp_device_for(member)
        assert sign_in(api, member, otp_code=code).status_code == 401

    def test_after_a_wrong_code_even_the_right_one_waits(self, api, member):
        device = totp_device_for(member)
        start = timezone.now()
        with time_machine.travel(start, tick=False) as clock:
            sign_in(api, member, otp_code="000000")
            response = sign_in(api, member, otp_code=totp_code(device))
            problem(response, 429, "otp_throttled")
            assert response["Retry-After"] == "1"
            clock.shift(timedelta(seconds=1))
            assert sign_in(api, member, otp_code=totp_code(device)).status_code == 200

    def test_the_wait_has_an_end_however_many_were_wrong(self, member):
        device = totp_device_for(member)
        with time_machine.travel(timezone.now(), tick=False) as clock:
            for _ in range(30):
                device.verify_token("000000")
                clock.shift(timedelta(hours=1))
            device.verify_token("000000")
            clock.shift(timedelta(seconds=513))
            assert device.verify_token(totp_code(device))

    def test_the_code_without_the_password_says_nothing(self, api, member):
        device = totp_device_for(member)
        response = api.post(
            LOGIN, {"username": "marta", "password": "nope", "otp_code": totp_code(device)}
        )
        problem(response, 401, "invalid_credentials")

    def test_somebody_elses_code_does_not_work(self, api, member, other_member, as_user):
        enrol(as_user(member))
        device = totp_device_for(other_member)
        problem(sign_in(api, member, otp_code=totp_code(device)), 401, "otp_invalid")


class TestRecovery:
    def test_each_code_opens_once_in_any_spelling(self, api, as_user, member):
        _device, codes = enrol(as_user(member))
        assert sign_in(api, member, otp_code=codes[0]).status_code == 200
        with time_machine.travel(timezone.now() + timedelta(minutes=1)):
            problem(sign_in(api, member, otp_code=codes[0]), 401, "otp_invalid")
        with time_machine.travel(timezone.now() + timedelta(minutes=2)):
            spelled = codes[1].replace("-", " ").upper()
            assert sign_in(api, member, otp_code=spelled).status_code == 200
        used = AuditEntry.objects.filter(action="systemadmin.two_factor.recovery_code_used")
        assert used.latest("id").metadata["left"] == two_factor.RECOVERY_CODE_COUNT - 2

    def test_only_hashes_are_stored(self, as_user, member):
        _device, codes = enrol(as_user(member))
        stored = " ".join(RecoveryCode.objects.values_list("digest", flat=True))
        assert not any(code in stored or code.replace("-", "") in stored for code in codes)

    def test_new_codes_replace_the_old(self, api, as_user, member):
        client = as_user(member)
        _device, old = enrol(client)
        new = client.post(CODES, {"otp_code": old[0]}).json()["recovery_codes"]
        assert not set(old) & set(new)
        problem(sign_in(api, member, otp_code=old[1]), 401, "otp_invalid")
        with time_machine.travel(timezone.now() + timedelta(minutes=1)):
            assert sign_in(api, member, otp_code=new[0]).status_code == 200

    def test_new_codes_need_a_code(self, as_user, member, other_member):
        client = as_user(member)
        enrol(client)
        problem(client.post(CODES, {"otp_code": "000000"}), 401, "otp_invalid")
        problem(client.post(CODES, {}), 400, field="otp_code")
        problem(as_user(other_member).post(CODES, {"otp_code": "1"}), 409, "two_factor_not_enabled")

    @pytest.mark.postgres
    @pytest.mark.django_db(transaction=True)
    def test_of_two_sign_ins_with_one_code_one_gets_in(self):
        user = UserFactory()
        totp_device_for(user)
        codes = two_factor._new_recovery_codes(user)
        outcomes = run_threads(lambda _i: two_factor._use_recovery_code(user, codes[0]), 6)
        assert sorted(map(str, outcomes)) == ["False"] * 5 + ["True"]

    @pytest.mark.postgres
    @pytest.mark.django_db(transaction=True)
    def test_of_two_sign_ins_with_one_totp_code_one_gets_in(self):
        user = UserFactory()
        code = totp_code(totp_device_for(user))
        outcomes = run_threads(lambda _i: two_factor.verify(user=user, code=code), 4)
        assert sum(isinstance(each, EncryptedTotpDevice) for each in outcomes) == 1


class TestDisabling:
    def test_members_may_with_a_code(self, api, as_user, member, heard):
        client = as_user(member)
        _device, codes = enrol(client)
        problem(client.post(DISABLE, {"otp_code": "000000"}), 401, "otp_invalid")
        with time_machine.travel(timezone.now() + timedelta(minutes=1)):
            assert client.post(DISABLE, {"otp_code": codes[0]}).status_code == 204
        assert sign_in(api, member).status_code == 200
        assert not RecoveryCode.objects.exists()
        assert heard[-2][1]["enabled"] is False
        actions = set(AuditEntry.objects.values_list("action", flat=True))
        assert {"systemadmin.two_factor.enabled", "systemadmin.two_factor.disabled"} <= actions

    def test_staff_may_not_where_it_is_required(self, as_user, staff, settings):
        settings.REQUIRE_STAFF_2FA = True
        agent = staff("operator")
        device = totp_device_for(agent)
        response = as_user(agent).post(DISABLE, {"otp_code": totp_code(device)})
        problem(response, 409, "two_factor_mandatory")

    def test_what_was_never_on_cannot_be_turned_off(self, as_user, member):
        problem(
            as_user(member).post(DISABLE, {"otp_code": "123456"}), 409, "two_factor_not_enabled"
        )


class TestStaffWithoutIt:
    @pytest.fixture(autouse=True)
    def required(self, settings):
        settings.REQUIRE_STAFF_2FA = True

    def test_the_token_opens_the_enrolment_and_nothing_else(self, api, staff):
        agent = staff("operator")
        body = sign_in(api, agent).json()
        assert body["two_factor_setup_required"] is True
        api.user = agent
        with_token(api, body["token"])
        assert api.get("/api/auth/me").json()["two_factor_required"] is True
        for path in (f"/api/admin/users/{agent.pk}/sessions", "/api/auth/sessions"):
            problem(api.get(path), 403, "two_factor_required")
        change = {"current_password": PASSWORD, "new_password": "Another-long-1-phrase"}
        problem(api.post("/api/auth/password", change), 403, "two_factor_required")
        enrol(api)
        assert api.get(f"/api/admin/users/{agent.pk}/sessions").status_code == 200

    def test_superusers_are_staff_too(self, api, superuser):
        with_token(api, sign_in(api, superuser).json()["token"])
        problem(api.get(f"/api/admin/users/{superuser.pk}/sessions"), 403, "two_factor_required")

    def test_members_need_none(self, api, member):
        with_token(api, sign_in(api, member).json()["token"])
        assert api.get("/api/auth/sessions").status_code == 200

    def test_with_a_code_everything_opens_at_once(self, api, staff):
        agent = staff("operator")
        body = sign_in(api, agent, otp_code=totp_code(totp_device_for(agent))).json()
        assert body["two_factor_setup_required"] is False
        with_token(api, body["token"])
        assert api.get(f"/api/admin/users/{agent.pk}/sessions").status_code == 200

    def test_a_reset_closes_what_the_factor_had_opened(self, as_user, staff, superuser):
        agent = staff("operator")
        totp_device_for(agent)
        client = as_user(agent)
        assert client.get(f"/api/admin/users/{agent.pk}/sessions").status_code == 200
        url = f"/api/admin/users/{agent.pk}/2fa/reset"
        response = as_user(superuser).post(url, {"reason": "lost the phone"})
        assert response.status_code == 204
        problem(client.get(f"/api/admin/users/{agent.pk}/sessions"), 401)


def test_optional_where_the_setting_is_off(api, staff, settings):
    settings.REQUIRE_STAFF_2FA = False
    agent = staff("operator")
    body = sign_in(api, agent).json()
    assert body["two_factor_setup_required"] is False
    with_token(api, body["token"])
    assert api.get(f"/api/admin/users/{agent.pk}/sessions").status_code == 200


def test_a_retired_secret_key_still_opens_the_devices(api, member, settings):
    device = totp_device_for(member)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "fresh" * 12
    assert sign_in(api, member, otp_code=totp_code(device)).status_code == 200


def test_an_idempotency_key_neither_repeats_nor_stores_a_secret(as_user, member):
    client = as_user(member)
    first = client.post(SETUP, {}, HTTP_IDEMPOTENCY_KEY="k1").json()
    second = client.post(SETUP, {}, HTTP_IDEMPOTENCY_KEY="k1").json()
    assert first["secret"] != second["secret"]
    assert ApiToken.objects.count() == 1


def test_reset_of_who_has_none_is_refused(as_user, superuser):
    url = f"/api/admin/users/{StaffFactory().pk}/2fa/reset"
    problem(as_user(superuser).post(url, {"reason": "x"}), 409, "two_factor_not_enabled")
